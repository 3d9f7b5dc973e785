"""Prints what a quickstart learnt: in pre-training, and in word errors on unseen speakers.

    python3 scripts/quickstart_summary.py FOLDER [--check]           FOLDER of scripts/quickstart.sh
    python3 scripts/quickstart_summary.py RUN/metrics.jsonl [--check]   pre-training alone

With --check, exits 1 unless the quickstart's expectations hold (docs/monitoring.md explains the measures): gain over the
mean direction at least 0.15 (v2a) and 0.12 (a2v), target spread at least half of its start, probe R2 at least 0.15 above its
value before training; word error of pre-trained recognizers at most 42 % (video) and 60 % (audio), video at least 8 points
below the one from random weights.
"""
import argparse
import collections
import json
import pathlib
import sys

failed = []


def series(rows, key):
    return [row[key] for row in rows if key in row]


def row(title, first, last, wanted, holds):
    print(f"{title:46}{first:>9}{last:>9}   {wanted:20} {'yes' if holds else 'NO'}")
    if not holds:
        failed.append(title)


def pretraining(metrics):
    with open(metrics) as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    print(f"{'pre-training':46}{'start':>9}{'end':>9}   {'expected':20} holds")
    for term, least in (("v2a", 0.15), ("a2v", 0.12)):
        gain = series(rows, f"gain_{term}")
        last = sum(gain[-5:]) / len(gain[-5:])  # one report's gain is that of one batch
        row(f"gain over the mean direction, {term}", f"{gain[0]:.3f}", f"{last:.3f}", f"at least {least}", last >= least)
    for modality in ("video", "audio"):
        spread = series(rows, f"target_spread_{modality}")
        last = sum(spread[-5:]) / len(spread[-5:])
        row(f"target spread, {modality}", f"{spread[0]:.3f}", f"{last:.3f}", f"at least {spread[0] / 2:.3f}", last >= spread[0] / 2)
    for modality in ("video", "audio"):
        probe = series(rows, f"probe_r2_{modality}")
        if not probe:  # a shrunk run is over before its first probe
            continue
        least = probe[0] + 0.15
        row(f"probe R2 of log-mel energies, {modality}", f"{probe[0]:.3f}", f"{probe[-1]:.3f}", f"at least {least:.3f}", probe[-1] >= least)


def chance(folder):
    """Word error of always answering the most frequent word of each position."""
    with open(folder / "video_pretrained/evaluate/test/utterances.jsonl") as lines:
        references = [json.loads(line)["ref"].split() for line in lines]
    slots = collections.defaultdict(collections.Counter)
    for words in references:
        for position, word in enumerate(words):
            slots[position][word] += 1
    total = sum(len(words) for words in references)
    return 1 - sum(counter.most_common(1)[0][1] for counter in slots.values()) / total


def word_errors(folder):
    wer = {name: json.loads((folder / name / "evaluate/test/wer.json").read_text())
           for name in ("video_random", "video_pretrained", "audio_random", "audio_pretrained")}
    speakers = {row["speaker"] for row in wer["video_random"]["by_speaker"]}
    print(f"\nword error, {wer['video_random']['utterances']} sentences of {len(speakers)} unseen speakers; "
          f"always the most frequent words: {100 * chance(folder):.1f} %")
    print(f"{'300 labelled clips':46}{'random':>9}{'RAVEn':>9}   {'expected':20} holds")
    for modality, title, most, gap in (("video", "lip reading", 0.42, 0.08), ("audio", "speech recognition", 0.60, None)):
        random, trained = wer[f"{modality}_random"]["wer"], wer[f"{modality}_pretrained"]["wer"]
        wanted = f"at most {100 * most:.0f} %" + (f", -{100 * gap:.0f}" if gap else "")
        row(title, f"{100 * random:.1f} %", f"{100 * trained:.1f} %", wanted, trained <= most and (gap is None or random - trained >= gap))
    student = folder / "selftrain/round_1/student/evaluate/test/wer.json"
    if student.exists():  # whether it helps depends on how well lips label: nothing is expected of it
        print(f"{'speech recognition, lips label the other clips':46}{'':>9}{100 * json.loads(student.read_text())['wer']:>7.1f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=pathlib.Path, metavar="PATH", help="the quickstart's folder, or a run's metrics.jsonl")
    parser.add_argument("--check", action="store_true", help="exit 1 unless the expectations hold")
    given = parser.parse_args()
    if not given.path.exists():
        parser.error(f"there is no {given.path}; scripts/quickstart.sh makes it")
    pretraining(given.path / "run/metrics.jsonl" if given.path.is_dir() else given.path)
    if given.path.is_dir():
        word_errors(given.path)
    if given.check and failed:
        sys.exit(f"not as expected: {', '.join(failed)}")


if __name__ == "__main__":
    main()
