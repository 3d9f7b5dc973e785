#!/bin/bash
# A run under torchrun, which starts lost ranks again. On one machine:
#   torchrun.sh pretrain --config lrs3.yaml train.accumulate=32 run.dir=runs/lrs3
# On several, the same command on each, with NODES, their number, and MASTER_ADDR, the address of one of them. RANKS is the number of
# ranks a machine: its GPUs when it is not given.
set -u
if [ $# -eq 0 ]; then sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2; fi
run=$(raven config show --stage "$1" "${@:2}" | sed -n '/^run:/,/^[^ ]/s/^  dir: //p')
before=$({ wc -l <"$run/history.jsonl"; } 2>/dev/null || echo 0)
where=(--standalone)
[ "${NODES:-1}" -eq 1 ] || where=(--nnodes="$NODES" --rdzv-backend=c10d --rdzv-id="${RUN_ID:-raven}" --rdzv-endpoint="$MASTER_ADDR:${MASTER_PORT:-29400}")
torchrun "${where[@]}" --nproc-per-node="${RANKS:-gpu}" --max-restarts="${RESTARTS:-10}" --no-python raven "$@"
code=$?
# torchrun ends with 1 whatever its ranks ended with: whether the run goes on is written in its folder. A start without an end is
# that of a rank 0 that was killed, or that waited for a lost one.
last=$(tail -n +$((before + 1)) "$run/history.jsonl" 2>/dev/null | tail -n 1)
again='"reason":"(stopped|error: (.* )?(is lost|was lost|a hang))'
if [ $code -ne 0 ] && [ -n "$last" ] && { [[ $last != *'"reason"'* ]] || grep -qE "$again" <<<"$last"; }; then exit 75; fi
exit $code
