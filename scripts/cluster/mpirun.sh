#!/bin/bash
# A run under Open MPI, which is used to start the ranks, not to send anything. On this machine:
#   RANKS=4 mpirun.sh pretrain --config lrs3.yaml train.accumulate=32 run.dir=runs/lrs3
# On several, HOSTS=n1:8,n2:8 and MASTER_ADDR, the address of the first.
set -u
if [ $# -eq 0 ]; then sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 2; fi
where=()
[ -z "${HOSTS:-}" ] || where=(--host "$HOSTS" -x "MASTER_ADDR=${MASTER_ADDR:?the address of the first host}" -x "MASTER_PORT=${MASTER_PORT:-29500}")
# When a rank dies, mpirun ends the others and returns a code of its own: start the same command again, the run goes on.
exec mpirun -n "${RANKS:?number of ranks}" --bind-to none "${where[@]}" raven "$@"
