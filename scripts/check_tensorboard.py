"""Reads the event files of runs with Python's tensorboard package and compares them with metrics.jsonl.

    python3 scripts/check_tensorboard.py RUN...

Exits 1 when a number of metrics.jsonl is not in the event files, 0 without a look when tensorboard is not installed.
"""
import json
import math
import pathlib
import sys

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    print("check_tensorboard: no tensorboard in this Python, nothing checked")
    sys.exit(0)


def check(run):
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    found = {(tag.split("/", 1)[1], event.step): event.value for tag in events.Tags()["scalars"] for event in events.Scalars(tag)}
    count = 0
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for name, value in row.items():
            if name == "step" or value is None:
                continue
            seen = found.pop((name, row["step"]), None)
            if seen is None or not math.isclose(seen, value, rel_tol=1e-6, abs_tol=1e-30):
                sys.exit(f"{run}: step {row['step']}: {name} is {value} in metrics.jsonl, {seen} in the event files")
            count += 1
    if found:
        sys.exit(f"{run}: only in the event files: {sorted(found)[:5]}")
    print(f"check_tensorboard: {run}: {count} numbers agree")


for argument in sys.argv[1:]:
    check(pathlib.Path(argument))
