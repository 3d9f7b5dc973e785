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

scripts/setup.sh --tests ${Torch_ROOT:+--torch "$Torch_ROOT"}
scripts/build.sh "$preset"
printf 'test: built in %d s\n' $((SECONDS - start))

# TensorBoard's own reader judges our event files; a Python of its own keeps it away from the system's.
python=${XDG_CACHE_HOME:-$HOME/.cache}/raven/test-python
if ! "$python/bin/python" -c 'import tensorboard' 2>/dev/null; then
  python3 -m venv "$python"
  "$python/bin/pip" install -q --disable-pip-version-check tensorboard==2.20.0 'setuptools<81'
fi
export RAVEN_PYTHON=$python/bin/python

missing=()
for program in sctk chromium; do command -v "$program" >/dev/null || missing+=("$program"); done
tell_missing() {
  [ ${#missing[@]} -eq 0 ] || printf 'test: NOT INSTALLED: %s. The tests that need it FAIL; scripts/setup.sh --tests installs it.\n' "${missing[*]}" >&2
}
tell_missing
trap tell_missing EXIT

selection=("$@")
[ ${#selection[@]} -gt 0 ] || selection=(-LE 'soak|fuzz|bench|gpu')
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "${selection[@]}"
printf 'test: all passed, %d s in total\n' $((SECONDS - start))
