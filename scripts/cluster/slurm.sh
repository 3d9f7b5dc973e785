#!/bin/bash
# A run on many GPUs under Slurm, a task for each; it queues itself again until it is done. Change what stands in the first lines, then
#   sbatch slurm.sh pretrain --config lrs3.yaml train.accumulate=32 run.dir=runs/lrs3
#SBATCH --job-name=raven --nodes=4 --ntasks-per-node=8 --gpus-per-node=8 --cpus-per-task=8 --time=24:00:00
#SBATCH --signal=USR1@300 --requeue --open-mode=append --output=raven-%j.log
# --signal: five minutes before the time is up all tasks save and end with exit code 75. Preempted jobs, and those of which a node
# died, Slurm queues again by itself (--requeue).
if [ $# -eq 0 ]; then sed -n '2,3s/^# \{0,1\}//p' "$0"; exit 2; fi
run=$(raven config show --stage "$1" "${@:2}" | sed -n '/^run:/,/^[^ ]/s/^  dir: //p')
before=$(readlink "$run/checkpoints/last")
srun --kill-on-bad-exit=0 raven "$@"  # when a rank is lost, the others say so, and end by themselves
code=$?
# srun gives the highest code of its tasks: 75 where all were stopped, 137 or 253 where one was killed.
case $code in 75 | 137 | 143 | 253) ;; *) exit $code ;; esac
vain=raven-$SLURM_JOB_ID.in_vain  # a line for each start that made no checkpoint
if [ "$(readlink "$run/checkpoints/last")" != "$before" ]; then rm -f "$vain"; else date >>"$vain"; fi
if [ -e "$vain" ] && [ "$(wc -l <"$vain")" -ge 3 ]; then
  echo "slurm.sh: three starts without a new checkpoint in $run: not queued again (exit code $code)" >&2
  exit $code
fi
scontrol requeue "$SLURM_JOB_ID"
exit $code
