#!/usr/bin/env bash
# Builds raven and runs its tests, from a bare machine: calls scripts/setup.sh first.
#
#   scripts/test.sh                 everything but slow runs (labels soak, fuzz, bench, gpu)
#   scripts/test.sh -L parity       one label: unit, parity, e2e, gpu, ...
#   scripts/test.sh -R core_test    one test
#
# What is given goes to ctest. RAVEN_PRESET chooses another preset (dev): release, asan, tsan.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${RAVEN_PRESET:-dev}
start=$SECONDS

scripts/setup.sh ${Torch_ROOT:+--torch "$Torch_ROOT"}
scripts/build.sh "$preset"
printf 'test: built in %d s\n' $((SECONDS - start))

selection=("$@")
[ ${#selection[@]} -gt 0 ] || selection=(-LE 'soak|fuzz|bench|gpu')
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "${selection[@]}"
printf 'test: all passed, %d s in total\n' $((SECONDS - start))
