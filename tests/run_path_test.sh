#!/usr/bin/env bash
# No program or library of a build or an installation runs code that lies in the caller's folder.  run_path_test.sh BUILD
set -euo pipefail
build=$1
source=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$source/scripts/check_run_paths.sh" "$build"
cmake --install "$build" --prefix "$scratch/installed" >/dev/null
"$source/scripts/check_run_paths.sh" "$scratch/installed"

# A library's name on a file that is none: whoever finds it first cannot start.
mkdir "$scratch/planted"
for name in libxxhash.so.0 libomp.so.5 libc10.so libtorch_cpu.so; do echo planted >"$scratch/planted/$name"; done
for program in "$build/bin/raven" "$scratch/installed/bin/raven"; do
  (cd "$scratch/planted" && "$program" --version >/dev/null)
done
echo "run_path_test: a planted library is not looked at"
