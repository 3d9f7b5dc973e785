"""Prints what a pre-training run learnt, from its metrics.jsonl: first and last value of the measures that tell learning from collapse.

    python3 scripts/quickstart_summary.py RUN/metrics.jsonl [--check]

With --check, exits 1 unless the quickstart's expectations hold (docs/monitoring.md explains the measures):
gain over the mean direction at least 0.15 (v2a) and 0.12 (a2v), target spread at least half of its start,
probe R2 at least 0.15 above its value before training.
"""
import json
import sys


def series(rows, key):
    return [row[key] for row in rows if key in row]


def main():
    check = "--check" in sys.argv
    path = [a for a in sys.argv[1:] if not a.startswith("-")][0]
    with open(path) as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    table, failed = [], []

    def add(title, first, last, wanted, holds):
        table.append((title, first, last, wanted, "yes" if holds else "NO"))
        if not holds:
            failed.append(title)

    for term, least in (("v2a", 0.15), ("a2v", 0.12)):
        gain = series(rows, f"gain_{term}")
        last = sum(gain[-5:]) / len(gain[-5:])  # one report's gain is that of one batch
        add(f"gain over the mean direction, {term}", f"{gain[0]:.3f}", f"{last:.3f}", f"at least {least}", last >= least)
    for modality in ("video", "audio"):
        spread = series(rows, f"target_spread_{modality}")
        last = sum(spread[-5:]) / len(spread[-5:])
        add(f"target spread, {modality}", f"{spread[0]:.3f}", f"{last:.3f}", f"at least {spread[0] / 2:.3f}", last >= spread[0] / 2)
    for modality in ("video", "audio"):
        probe = series(rows, f"probe_r2_{modality}")
        add(f"probe R2 of log-mel energies, {modality}", f"{probe[0]:.3f}", f"{probe[-1]:.3f}", f"at least {probe[0] + 0.15:.3f}",
            probe[-1] >= probe[0] + 0.15)
    print(f"{'measure':44}{'start':>8}{'end':>8}   {'expected':18} holds")
    for title, first, last, wanted, holds in table:
        print(f"{title:44}{first:>8}{last:>8}   {wanted:18} {holds}")
    if check and failed:
        sys.exit(f"not as expected: {', '.join(failed)}")


if __name__ == "__main__":
    main()
