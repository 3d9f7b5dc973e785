#!/usr/bin/env bash
# Runs every fuzz target for some seconds each:  scripts/fuzz.sh [SECONDS=60] [TARGET ...]
# Crashing inputs are kept in build/fuzz/crashes; add them to tests/fuzz/seeds/<target> with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
scripts/build.sh fuzz fuzzers
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(find build/fuzz/bin -maxdepth 1 -name '*_fuzz' -printf '%f\n' | sort)
mkdir -p build/fuzz/crashes build/fuzz/corpus
failed=0
for target in "${targets[@]}"; do
  folders=("build/fuzz/corpus/$target")
  mkdir -p "${folders[0]}"
  seeds=tests/fuzz/seeds/${target%_fuzz}
  [ -d "$seeds" ] && folders+=("$seeds")
  echo "fuzz: $target for $seconds s"
  build/fuzz/bin/"$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -max_len=65536 -verbosity=0 \
    -artifact_prefix=build/fuzz/crashes/"$target"- "${folders[@]}" || failed=1
done
[ $failed = 0 ] || { echo "fuzz: see build/fuzz/crashes" >&2; exit 1; }
echo "fuzz: ${#targets[@]} targets, nothing found"
