#!/usr/bin/env python3
"""What more GPUs would give, on paper: speed, efficiency and cost of the published step for 1 to 128 of them, as a Markdown table.

  scripts/scaling.py NAME FRAMES_PER_S PARAMETERS [--batch-frames 2400] [--batches 32] [--frames 5.9e9]

From one GPU's measured frames a second (`raven bench step`), the trained parameters (`raven plan`), and the stated speeds of links.
Model: a step has so many batches; each of R ranks computes its share one after another; gradients (4 bytes a parameter) are summed in a
ring, 2 (R - 1) / R of them over the slowest link, while the last batch's backward runs (two thirds of a batch); BatchNorm over all ranks
waits for its collectives in each round.
"""
import argparse
import math

NORMS = 400  # collectives of a round of Base or Large: forward and backward of students, forward of teachers
LINKS = {  # inside a machine of 8 and between machines: bytes a second of a ring, seconds of a small collective
    "8 GPUs a machine, NVLink; between machines 400 Gbit/s for each GPU": ((450e9, 20e-6), (50e9, 30e-6)),
    "8 GPUs a machine, NVLink; between machines 100 Gbit/s in all": ((450e9, 20e-6), (12.5e9, 50e-6)),
    "1 GPU a machine, 10 Gbit/s": ((1.25e9, 150e-6), (1.25e9, 150e-6)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("frames_per_s", type=float)
    parser.add_argument("parameters", type=float)
    parser.add_argument("--batch-frames", type=float, default=2400)
    parser.add_argument("--batches", type=int, default=32)
    parser.add_argument("--frames", type=float, default=5.9e9)
    args = parser.parse_args()
    batch = args.batch_frames / args.frames_per_s
    for link, (inside, outside) in LINKS.items():
        print(f"\n{args.name}, {link}:\n")
        print("| GPUs | step | frames/s | efficiency | of it shares, sums, BatchNorm | days | GPU hours |")
        print("|---|---|---|---|---|---|---|")
        for ranks in (1, 2, 4, 8, 16, 32, 64, 128):
            batches = max(args.batches, ranks)  # fewer would leave GPUs idle: then the step is larger, and another training
            rounds = math.ceil(batches / ranks)
            compute = rounds * batch
            speed, latency = inside if ranks <= 8 else outside
            sums = 2 * (ranks - 1) / ranks * 4 * args.parameters / speed
            exposed = max(0.0, sums - 2 / 3 * batch)
            norms = 0.0 if ranks == 1 else rounds * NORMS * latency * (1 + math.log2(ranks) / 4)
            step = compute + exposed + norms
            frames = batches * args.batch_frames / step
            ideal = batches * batch / ranks
            print(f"| {ranks}{'' if ranks <= args.batches else ' (larger steps)'} | {1000 * step:.0f} ms | {frames:,.0f} | {ideal / step:.2f} | "
                  f"{ideal / compute:.2f}, {compute / (compute + exposed):.2f}, {compute / (compute + norms):.2f} | "
                  f"{args.frames / frames / 86400:.2f} | {args.frames / frames / 3600 * ranks:,.0f} |")


if __name__ == "__main__":
    main()
