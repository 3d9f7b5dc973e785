#!/usr/bin/env bash
# Builds raven and runs its tests, from a bare machine: calls scripts/setup.sh first.
#
#   scripts/test.sh                 everything but slow runs (labels slow, soak, fuzz, bench, gpu)
#   scripts/test.sh -L parity       one label: unit, parity, e2e, gpu, ...
#   scripts/test.sh -R core_test    one test
#
# What is given goes to ctest. RAVEN_PRESET chooses another preset (dev): release, asan, tsan.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${RAVEN_PRESET:-dev}
start=$SECONDS

scripts/setup.sh --tests ${Torch_ROOT:+--torch "$Torch_ROOT"}
scripts/build.sh "$preset" all
printf 'test: built in %d s\n' $((SECONDS - start))

# TensorBoard's own reader judges our event files; torch, safetensors and numpy our weights. A Python of its own keeps
# them away from the system's; its torch is the one that raven is linked with.
python=${XDG_CACHE_HOME:-$HOME/.cache}/raven/test-python
torch_lib=$(dirname "$(ldd "build/$preset/bin/raven" | sed -n 's/.*libtorch_cpu.so => \(.*\) (.*/\1/p')")
site=$(dirname "$(dirname "$torch_lib")")
packages=(tensorboard==2.20.0 'setuptools<81' safetensors==0.8.0 numpy sympy typing_extensions filelock networkx jinja2 fsspec)
[ -e "$site/torch/__init__.py" ] || packages+=(torch==2.11.0)
if [ "$(cat "$python/packages" 2>/dev/null)" != "$site ${packages[*]}" ]; then
  python3 -m venv --clear "$python"
  "$python/bin/pip" install -q --disable-pip-version-check "${packages[@]}"
  [ ! -e "$site/torch/__init__.py" ] || printf '%s\n' "$site" >"$("$python/bin/python" -c 'import site; print(site.getsitepackages()[0])')/torch.pth"
  [ ! -e "$site/torch/__init__.py" ] || python3 scripts/stand_in_cuda.py "$site" "$python/cuda"
  printf '%s' "$site ${packages[*]}" >"$python/packages"
fi
export RAVEN_PYTHON=$python/bin/python

missing=()
for program in sctk chromium clang-format-14; do command -v "$program" >/dev/null || missing+=("$program"); done
tell_missing() {
  [ ${#missing[@]} -eq 0 ] || printf 'test: NOT INSTALLED: %s. The tests that need it FAIL; scripts/setup.sh --tests installs it.\n' "${missing[*]}" >&2
}
tell_missing
trap tell_missing EXIT

selection=("$@")
[ ${#selection[@]} -gt 0 ] || selection=(-LE 'slow|soak|fuzz|bench|gpu')
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "${selection[@]}"
printf 'test: all passed, %d s in total\n' $((SECONDS - start))
