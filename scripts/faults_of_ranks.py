#!/usr/bin/env python3
"""Faults of ranks at random moments: a run of several processes must survive them all, and end with the bytes of an undisturbed one.

  scripts/faults_of_ranks.py BIN [--faults 200] [--ranks 2] [--seed 1] [--kinds kill,stop,term,pause,unlike,late]

BIN is the folder with raven and make_tiny_clips (build/dev/bin). Each start of the run meets one fault, at a random moment between
the start and what a start takes, to a random rank:
  kill    SIGKILL                             the others end with 75
  stop    SIGSTOP, until the others ended     75
  term    SIGTERM                             all end with 75
  pause   SIGSTOP for less than lost_s        nothing happens
  unlike  a rank is started with another rate all end with 2, at the start
  late    a rank does not come                the others end with 1, at the start
No rank may live a minute after a fault; every checkpoint that is there must be whole. After all faults the run is left alone to its end.
"""
import argparse
import collections
import filecmp
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

LOST_S = 3
SETTINGS = """device=cpu threads=1 data.workers=0 data.max_frames=64 data.video.shrink=4 data.video.crop=20 model.encoder.dim=16
model.encoder.heads=2 model.encoder.ffn_dim=32 model.encoder.blocks=1 model.video_frontend.widths=[4,4,8,8]
model.audio_frontend.widths=[4,4,8,8] optimizer.warmup_steps=3 log.every=5 teacher.momentum=0.99
optimizer.lr=0.003 train.accumulate=4 train.batch_norm=own distributed.join_s=8""".split()
for term in ("v2a", "a2a", "a2v"):
    SETTINGS += [f"model.predictors.{term}.dim=16", f"model.predictors.{term}.heads=2", f"model.predictors.{term}.ffn_dim=32"]


class Ranks:
    def __init__(self, args, work, run, steps, more=None, leave_out=None):
        Ranks.port = getattr(Ranks, "port", 21000 + os.getpid() % 20000) + 1
        self.logs = []
        self.all = []
        for rank in range(args.ranks):
            if rank == leave_out:
                continue
            log = open(work / f"{run}_{rank}.log", "w+")
            words = [args.bin / "raven", "pretrain", f"data.manifest={work}/data/manifest.tsv", f"run.dir={work}/{run}", *SETTINGS,
                     f"distributed.lost_s={LOST_S}", f"train.steps={steps}", f"checkpoint.every={max(2, steps // 400)}",
                     *(more or {}).get(rank, [])]
            variables = dict(os.environ, RANK=str(rank), WORLD_SIZE=str(args.ranks), MASTER_ADDR="127.0.0.1",
                             MASTER_PORT=str(Ranks.port))
            self.all.append(subprocess.Popen(words, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
            self.logs.append(log)

    def wait(self, seconds):
        """Exit codes; of those that live longer None, and they are killed."""
        end = time.monotonic() + seconds
        codes = []
        for one in self.all:
            try:
                codes.append(one.wait(max(0.01, end - time.monotonic())))
            except subprocess.TimeoutExpired:
                codes.append(None)
        for one, code in zip(self.all, codes):
            if code is None:
                one.kill()
                one.wait()
        return codes

    def said(self):
        text = []
        for log in self.logs:
            log.seek(0)
            text.append(log.read()[-600:])
        return "\n---\n".join(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default="kill,stop,term,pause,unlike,late")
    args = parser.parse_args()
    args.bin = args.bin.resolve()
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        return disturb(args, pathlib.Path(folder), draw)


def disturb(args, work, draw):
    subprocess.run([args.bin / "make_tiny_clips", work / "data"], check=True, stdout=subprocess.DEVNULL)
    begin = time.monotonic()
    if any(Ranks(args, work, "probe", 40).wait(300)):
        sys.exit("the run does not work at all")
    first = time.monotonic() - begin  # a start and 40 steps
    steps = 20 * args.faults  # so that the last fault still finds it at work
    begin = time.monotonic()
    undisturbed = Ranks(args, work, "undisturbed", steps)
    if any(undisturbed.wait(7200)):
        sys.exit(undisturbed.said())
    print(f"undisturbed: {steps} steps in {time.monotonic() - begin:.0f} s; a start and 40 steps {first:.1f} s", flush=True)

    kinds = args.kinds.split(",")
    counts, longest, problems = collections.Counter(), collections.Counter(), []
    for number in range(args.faults):
        kind, rank = draw.choice(kinds), draw.randrange(args.ranks)
        more = {rank: ["optimizer.lr=0.5"]} if kind == "unlike" and args.ranks > 1 else None
        ranks = Ranks(args, work, "run", steps, more, leave_out=rank if kind == "late" else None)
        if kind not in ("unlike", "late"):
            time.sleep(draw.uniform(0, 1.2 * first))
        victim = None if kind == "late" else ranks.all[rank]
        fault = time.monotonic()
        allowed = {"kill": {75, -9, 1}, "stop": {75, 1}, "term": {75, -15}, "pause": {75}, "unlike": {2}, "late": {1}}[kind]
        if kind in ("kill", "term"):
            victim.send_signal(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
        elif kind == "stop":
            victim.send_signal(signal.SIGSTOP)
            others = [one for one in ranks.all if one is not victim]
            for one in others:
                try:
                    one.wait(60)
                except subprocess.TimeoutExpired:
                    problems.append(f"{number} {kind} of rank {rank}: another rank lives on\n{ranks.said()}")
            victim.send_signal(signal.SIGCONT)
        elif kind == "pause":
            victim.send_signal(signal.SIGSTOP)
            time.sleep(draw.uniform(0.1, LOST_S / 2))
            victim.send_signal(signal.SIGCONT)
            time.sleep(1)
            ended = [one.poll() for one in ranks.all]
            if any(code not in (None, 0) for code in ended):
                problems.append(f"{number} pause of rank {rank}: ended with {ended}\n{ranks.said()}")
            ranks.all[0].send_signal(signal.SIGTERM)
        codes = ranks.wait(60)
        longest[kind] = max(longest[kind], time.monotonic() - fault)
        done = all(code == 0 for code in codes)
        if not done and any(code not in allowed for code in codes):
            problems.append(f"{number} {kind} of rank {rank}: exit codes {codes}\n{ranks.said()}")
        counts[kind] += 1
        if (work / "run" / "checkpoints").exists():
            for step in (work / "run" / "checkpoints").glob("step_????????"):
                if subprocess.run([args.bin / "raven", "inspect", step], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
                    problems.append(f"{number} {kind}: {step.name} is damaged")
        if problems:
            print(problems[-1], flush=True)
        if len(problems) > 10:
            break
        if number % 20 == 19:
            print(f"{number + 1} faults", flush=True)
    last = Ranks(args, work, "run", steps)
    if any(last.wait(7200)):
        problems.append(f"the run does not come to its end\n{last.said()}")
    same = not problems and all(
        filecmp.cmp(work / "run/checkpoints/last" / name, work / "undisturbed/checkpoints/last" / name, shallow=False)
        for name in ("model.safetensors", "optimizer.safetensors"))
    print("faults:", ", ".join(f"{kind} {count} (ended after {longest[kind]:.1f} s at most)" for kind, count in sorted(counts.items())))
    print(f"{len(problems)} problems; {'the same bytes' if same else 'OTHER BYTES'} as the undisturbed run")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
