#!/usr/bin/env python3
"""Ends pretrain, finetune, prepare, evaluate and export at each of their calls that change a file, goes on with the
same command, and compares the end with that of a run that nothing disturbed.

    scripts/crash_everywhere.py [--bin build/dev/bin] [--only pretrain,export] [--errno 28] [--writes 10] [--most 0]
                                [--first 1]

A call is met before it happens, a write after half of its bytes, by SIGKILL; with --errno it fails instead, and so do
later calls that need room (28: the disk is full). Renames, links, removals, new folders and files and flushes are all
tried, of the writes `--writes` at random; `--most` tries no more places than that. What must be equal: the names of all
files, their bytes (metrics without times and speeds, events as TensorBoard would show them; not: logs, history.jsonl, the
process that environment.json names, and curves.svg, which draws speeds), and the exit code. Needs the `dev` build with its tests.
Takes some minutes for each command.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

VOLATILE = {"frames_per_s", "wait_share", "step_s", "rss_bytes", "device_bytes"}
UNCOMPARED = re.compile(r"(^|/)(log\.txt|environment\.json|history\.jsonl|curves\.svg|\.lock)$")
TINY = ["device=cpu", "threads=1", "data.workers=0", "data.max_frames=64", "data.video.shrink=4", "data.video.crop=20",
        "model.encoder.dim=16", "model.encoder.heads=2", "model.encoder.ffn_dim=32", "model.encoder.blocks=1",
        "model.video_frontend.widths=[4,4,8,8]", "model.audio_frontend.widths=[4,4,8,8]", "optimizer.warmup_steps=1",
        "train.steps=6", "log.every=2", "checkpoint.every=2", "checkpoint.keep=2"]
PREDICTORS = [f"model.predictors.{term}.{key}" for term in ("v2a", "a2a", "a2v")
              for key in ("dim=16", "heads=2", "ffn_dim=32")]


def fields_of(message):
    """Numbers and values of a protobuf message's fields."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        size = {0: None, 1: 8, 5: 4}.get(key & 7, -1)
        if size is None:
            yield key >> 3, varint()
            continue
        if size < 0:
            size = varint()
        yield key >> 3, message[at:at + size]
        at += size


def events_of(folder):
    """What TensorBoard shows of a folder: (step, tag, number) that no restart has made forgotten."""
    shown = []
    for file in sorted(folder.glob("events*")):
        content, at = file.read_bytes(), 0
        while at + 12 <= len(content):
            size = struct.unpack("<Q", content[at:at + 8])[0]
            if at + 16 + size > len(content):
                break  # cut short by a kill
            step, scalars, restarts = 0, [], False
            for number, value in fields_of(content[at + 12:at + 12 + size]):
                step = value if number == 2 else step
                restarts = restarts or number == 7
                if number == 5:
                    scalars += [dict(fields_of(one)) for _, one in fields_of(value)]
            if restarts:
                shown = [one for one in shown if one[0] < step]
            shown += [(step, one[1].decode(), struct.unpack("<f", one[2])[0]) for one in scalars]
            at += 16 + size
    return sorted((s, t, v) for s, t, v in shown if t.split("/")[-1] not in VOLATILE)


def content_of(file):
    if file.is_symlink():
        return os.readlink(file)
    if UNCOMPARED.search(str(file)):
        return ""
    if file.name == "metrics.jsonl":
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        return json.dumps([{key: value for key, value in row.items() if key not in VOLATILE} for row in rows])
    return file.read_bytes()


def end_of(folder):
    """Everything that a command left, by its path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.parent.name == "tensorboard" and path.name.startswith("events.out."):
            continue  # compared as TensorBoard reads them together
        found[name] = None if path.is_dir() and not path.is_symlink() else content_of(path)
        if path.name == "tensorboard":
            found[name] = events_of(path)
    return found


class Harness:
    def __init__(self, arguments, work):
        self.arguments, self.work, self.log = arguments, work, work / "log.txt"
        self.raven = arguments.bin / "raven"
        self.shim = arguments.bin.parent / "faults" / "libfault_end_at_call.so"

    def run(self, command, **variables):
        with open(self.log, "a") as log:
            return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  env={**os.environ, **variables}).returncode

    def need(self, command):
        if self.run(command) != 0:
            sys.exit(f"{' '.join(map(str, command))} failed, see {self.log}:\n" + self.log.read_text()[-2000:])

    def everywhere(self, name, command, out):
        """`out` is what the command makes; returns how many places ended otherwise."""
        faults = {"LD_PRELOAD": str(self.shim), "RAVEN_FAULT_UNDER": str(out)}
        calls_file = self.work / f"{name}.calls"
        shutil.rmtree(out, ignore_errors=True)
        calls_file.unlink(missing_ok=True)
        if self.run(command, RAVEN_FAULT_LOG=str(calls_file), **faults) != 0:
            sys.exit(f"{name}: the undisturbed command fails, see {self.log}:\n" + self.log.read_text()[-2000:])
        wanted = end_of(out)
        calls = [line.split(" ", 2) for line in calls_file.read_text().splitlines()]
        writes = [n for n, call in enumerate(calls, 1) if "write" in call[1]]
        places = [n for n, call in enumerate(calls, 1) if "write" not in call[1]]
        places += random.sample(writes, min(self.arguments.writes, len(writes)))
        if self.arguments.most:
            places = random.sample(places, min(self.arguments.most, len(places)))
        met = bad = 0
        for n in sorted(n for n in places if n >= self.arguments.first):
            shutil.rmtree(out, ignore_errors=True)
            fault = {"RAVEN_FAULT_ERRNO": str(self.arguments.errno)} if self.arguments.errno else {}
            first = self.run(command, RAVEN_FAULT_AT=str(n), **fault, **faults)
            if not self.arguments.errno and first != -9:
                continue  # threads came in another order, and there were fewer calls
            met += 1
            again = self.run(command)
            found = end_of(out) if again == 0 else {}
            other = sorted(key for key in set(wanted) | set(found) if wanted.get(key, 0) != found.get(key, 0))
            if again == 0 and not other and 0 <= first < 126 or first == -9 and again == 0 and not other:
                continue
            bad += 1
            print(f"  {calls[n - 1][1]} {calls[n - 1][2]} ({n}): ended with {first}, then with {again}; "
                  f"otherwise: {', '.join(other[:5]) or 'nothing'}", flush=True)
        print(f"{name}: {len(calls)} calls, {met} places tried, {bad} end otherwise", flush=True)
        return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/dev/bin"))
    parser.add_argument("--only", default="pretrain,finetune,prepare,evaluate,export")
    parser.add_argument("--errno", type=int, default=0)
    parser.add_argument("--writes", type=int, default=10)
    parser.add_argument("--most", type=int, default=0)
    parser.add_argument("--first", type=int, default=1, help="the call to begin with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for what is made, which stays")
    arguments = parser.parse_args()
    arguments.bin = arguments.bin.resolve()
    random.seed(arguments.seed)
    work = (arguments.keep or pathlib.Path(tempfile.mkdtemp())).resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        sys.exit(1 if tried(Harness(arguments, work), arguments.only.split(","), work) else 0)
    finally:
        if not arguments.keep:
            shutil.rmtree(work, ignore_errors=True)


def tried(harness, names, work):
    raven, bad = harness.raven, 0
    harness.need([harness.arguments.bin / "make_tiny_clips", work / "train"])
    harness.need([harness.arguments.bin / "make_tiny_clips", work / "test", 2])
    for part in ("train", "test"):  # tiny clips say nothing
        manifest = work / part / "manifest.tsv"
        lines = manifest.read_text().splitlines()
        text = lines[0].split("\t").index("text") if "text" in lines[0].split("\t") else None
        rows = [line.split("\t") for line in lines]
        for i, row in enumerate(rows):
            word = "text" if i == 0 else ("RED", "GREEN", "BLUE")[i % 3]
            row[text:text + 1] = [word] if text is not None else row.append(word) or []
        manifest.write_text("".join("\t".join(row) + "\n" for row in rows))
    data = [f"data.manifest={work}/train/manifest.tsv", f"data.valid_manifest={work}/test/manifest.tsv"]
    if "pretrain" in names:
        bad += harness.everywhere("pretrain", [raven, "pretrain", *TINY, *PREDICTORS, *data, "monitor.every=2",
                                               "monitor.probe_utterances=6", f"run.dir={work}/pretrained"],
                                  work / "pretrained")
    run = work / "tuned"
    harness.need([raven, "tokenizer", "train", work / "train" / "manifest.tsv", "--kind", "word", "--out", work / "words"])
    finetune = [raven, "finetune", *TINY, *data, "model.decoder={dim: 16, heads: 2, ffn_dim: 32, blocks: 1}",
                "model.init=", "checkpoint.every_epochs=null", "checkpoint.average=2", "checkpoint.keep=2",
                f"text.model={work}/words.model", f"run.dir={run}"]
    if "finetune" in names:
        bad += harness.everywhere("finetune", finetune, run)
    elif {"evaluate", "export"} & set(names):
        harness.need(finetune)
    if "evaluate" in names:
        bad += harness.everywhere("evaluate", [raven, "evaluate", f"model={run}", f"data.manifest=[{work}/test/manifest.tsv]",
                                               "device=cpu", "threads=1", "decode.beam_size=2", f"out={work}/scores"],
                                  work / "scores")
    if "export" in names:
        for ending in ("safetensors", "pth"):
            bad += harness.everywhere(f"export ({ending})", [raven, "export", run, work / "weights" / f"model.{ending}"],
                                      work / "weights")
    if "prepare" in names:
        harness.need([raven, "synth", "--out", work / "corpus", "--utterances", "4", "--speakers", "2", "--seed", "1",
                      "--kind", "digits", "--workers", "1"])
        bad += harness.everywhere("prepare", [raven, "prepare", work / "corpus", "--out", work / "prepared", "--workers", "1"],
                                  work / "prepared")
        shutil.rmtree(work / "corpus" / "landmarks")
        bad += harness.everywhere("prepare (faces found)",
                                  [raven, "prepare", work / "corpus", "--out", work / "found", "--workers", "1"],
                                  work / "found")
    return bad


if __name__ == "__main__":
    main()
