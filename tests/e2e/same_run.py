#!/usr/bin/env python3
"""Whether two runs learned the same: same_run.py RUN OTHER

Losses of every report to 1e-6 and the last checkpoint's weights to 1e-5, each relative to the tensor's largest where that exceeds 1.
Biases of keys are left out: no loss depends on them, so that only rounding moves them.
Needs nothing but Python.
"""
import array
import json
import struct
import sys

LOSS, WEIGHT = 1e-6, 1e-5
TYPES = {"F32": "f", "F64": "d", "I64": "q"}


def losses(run):
    with open(f"{run}/metrics.jsonl") as lines:
        reports = [json.loads(line) for line in lines]
    names = ("loss", "v2a", "a2a", "a2v", "ctc", "attention")
    return {(r["step"], n): r[n] for r in reports for n in names if n in r}


def tensors(run):
    with open(f"{run}/checkpoints/last/model.safetensors", "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        begin = 8 + size
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            first, last = entry["data_offsets"]
            file.seek(begin + first)
            values = array.array(TYPES[entry["dtype"]])
            values.frombytes(file.read(last - first))
            yield name, values


def main(run, other):
    problems = []
    ours, theirs = losses(run), losses(other)
    if not ours or ours.keys() != theirs.keys():
        problems.append(f"{len(ours)} and {len(theirs)} losses, or others")
    worst_loss = 0.0
    for key in ours.keys() & theirs.keys():
        apart = abs(ours[key] - theirs[key]) / max(1.0, abs(ours[key]))
        worst_loss = max(worst_loss, apart)
        if not apart <= LOSS:
            problems.append(f"step {key[0]}: {key[1]} {ours[key]!r} and {theirs[key]!r}")
    worst_weight, count = 0.0, 0
    weights = dict(tensors(other))
    for name, values in tensors(run):
        if name.endswith("linear_k.bias"):
            continue
        count += 1
        largest = max(1.0, max(map(abs, values)))
        apart = max(abs(a - b) for a, b in zip(values, weights[name], strict=True)) / largest
        worst_weight = max(worst_weight, apart)
        if not apart <= WEIGHT:
            problems.append(f"{name}: {apart:.2e} apart")
    print(f"{run}, {other}: {len(ours)} losses, at most {worst_loss:.1e} apart; {count} tensors, {worst_weight:.1e}")
    for problem in sorted(problems)[:10]:
        print(f"  {problem}")
    return 1 if problems or count == 0 else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
