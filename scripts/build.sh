#!/usr/bin/env bash
# Configures and builds one preset:  scripts/build.sh [release|dev|asan|tsan|fuzz] [target ...]
# Without a target: the programs of a release, everything of the others (`scripts/build.sh release all`: tests and benchmarks too).
# Torch_ROOT names an existing LibTorch, RAVEN_JOBS the parallel jobs, RAVEN_CMAKE more options for cmake.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
[ $# -gt 0 ] && shift
[ "$preset" != release ] || [ $# -gt 0 ] || set -- programs
log=$(mktemp)
# shellcheck disable=SC2086
cmake --preset "$preset" ${Torch_ROOT:+-DTorch_ROOT="$Torch_ROOT"} ${RAVEN_CMAKE:-} >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; exit 1; }
rm -f "$log"
cmake --build "build/$preset" ${RAVEN_JOBS:+-j "$RAVEN_JOBS"} ${1:+--target "$@"}
