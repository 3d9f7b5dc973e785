#!/usr/bin/env python3
"""The memory that `raven plan` works out against what real steps on random clips take, as a table.

    scripts/check_plan.py [RAVEN] [NAME ...]

RAVEN: the program (build/release/bin/raven). NAME: only these configurations. Each is planned and
measured in a process of its own (`raven plan --measure`); exit code 1 when one is off by more than
a tenth. The constants in src/plan/memory.cpp were set with the first five; the others were looked
at afterwards only. Nothing but Python's standard library is needed.
"""
import json
import subprocess
import sys
from pathlib import Path

GIB = 1024.0**3
ALLOWED = 0.1
BASE_RECOGNIZER = ["text.units=none.txt", "model.init="]
# name: (arguments of raven plan, set aside)
CONFIGURATIONS = {
    "quickstart": (["--config", "quickstart.yaml", "--utterance-length", "60"], False),
    "base-100": (["--config", "lrs3.yaml", "--utterance-length", "50", "data.max_frames=100"], False),
    "base-400": (["--config", "lrs3.yaml", "--utterance-length", "100", "data.max_frames=400"], False),
    "vsr-high": (["--config", "finetune/vsr_high_base_lrs3.yaml", "--utterance-length", "150",
                  "data.max_frames=300", *BASE_RECOGNIZER], False),
    "asr-low": (["--config", "finetune/asr_low_base_lrs3.yaml", "--utterance-length", "150",
                 "data.max_frames=600", *BASE_RECOGNIZER], False),
    "quickstart-2400": (["--config", "quickstart.yaml", "--utterance-length", "150",
                         "data.max_frames=2400"], True),
    "braven-baseplus": (["--config", "braven_baseplus_lrs3_vox2.yaml", "--utterance-length", "75",
                         "data.max_frames=150"], True),
    "vsr-frozen": (["--config", "finetune/vsr_low_base_lrs3.yaml", "--utterance-length", "250",
                    "data.max_frames=500", "model.frozen=frontend", "model.cached_views=0",
                    *BASE_RECOGNIZER], True),
}


def measure(raven, arguments):
    command = [str(raven), "plan", "--json", "--measure", "--steps", "1", "--device", "cpu",
               "--memory", "1TiB", "--log-level", "error", *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main():
    words = sys.argv[1:]
    raven = Path(words.pop(0)) if words and words[0] not in CONFIGURATIONS else \
        Path(__file__).parent.parent / "build/release/bin/raven"
    names = words or list(CONFIGURATIONS)
    print("| configuration | batch | tensors, worked out | tensors, peak | all, worked out | "
          "resident, peak | error |")
    print("|---|---|---|---|---|---|---|")
    worst = 0.0
    for name in names:
        arguments, aside = CONFIGURATIONS[name]
        plan = measure(raven, arguments)
        measured = plan["measured"]
        error = measured["error"]
        worst = max(worst, abs(error))
        batch = plan["batch"]
        print(f"| {name}{' (set aside)' if aside else ''} | {batch['clips']} x {batch['frames']} | "
              f"{measured['estimated_tensor_bytes'] / GIB:.3f} GiB | "
              f"{measured['peak_tensor_bytes'] / GIB:.3f} GiB | "
              f"{measured['estimated_bytes'] / GIB:.3f} GiB | {measured['peak_bytes'] / GIB:.3f} GiB | "
              f"{100 * error:+.1f} % |", flush=True)
    return 1 if worst > ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
