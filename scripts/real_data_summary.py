"""Word errors of the runs of scripts/real_data.sh, by seed.

    python3 scripts/real_data_summary.py FOLDER
"""
import json
import pathlib
import sys

ROWS = [("sound, all labels", "audio_all"), ("sound, a part (the labeller)", "audio_part"), ("lips, all labels", "video_all"),
        ("lips, a part", "video_part"), ("lips, a part and what sound labels", "selftrain/round_1/student")]


def word_error(run):
    results = sorted(run.glob("evaluate/*/wer.json"))
    return f"{100 * json.loads(results[0].read_text())['wer']:.1f} %" if results else "-"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    seeds = sorted(pathlib.Path(sys.argv[1]).glob("seed*"))
    if not seeds:
        sys.exit(f"no seed* in {sys.argv[1]}; scripts/real_data.sh makes them")
    print(f"{'word error':38}" + "".join(f"{seed.name:>10}" for seed in seeds))
    for title, run in ROWS:
        print(f"{title:38}" + "".join(f"{word_error(seed / run):>10}" for seed in seeds))


if __name__ == "__main__":
    main()
