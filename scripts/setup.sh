#!/usr/bin/env bash
# Installs what raven is built from: system packages and the pinned LibTorch. Safe to run again.
#
#   scripts/setup.sh                     packages and LibTorch (about 3 minutes, 1.3 GB)
#   scripts/setup.sh --torch DIR         packages only; use the LibTorch, or the Python package torch, in DIR
#   scripts/setup.sh --no-packages       LibTorch only (no root needed)
#   scripts/setup.sh --gpu               LibTorch with its CUDA libraries as well (4.5 GB on disk)
#   scripts/setup.sh --tests             also what tests alone need: sclite (sctk), Chromium, clang-format, clang-tidy
#
# Debian 12, Ubuntu 22.04 and 24.04; root or sudo for the packages. LibTorch goes to
# ${XDG_CACHE_HOME:-~/.cache}/raven, outside the source tree.
set -euo pipefail

torch_version=2.11.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/raven
torch_folder=$cache/libtorch-$torch_version
named_torch=${Torch_ROOT:-}
packages=yes
for_tests=no
for_gpu=no

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

while [ $# -gt 0 ]; do
  case $1 in
    --torch) [ $# -ge 2 ] || fail "--torch needs a folder"; named_torch=$2; shift 2 ;;
    --no-packages) packages=no; shift ;;
    --tests) for_tests=yes; shift ;;
    --gpu) for_gpu=yes; shift ;;
    -h|--help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) fail "unknown option $1; see $0 --help" ;;
  esac
done

wanted=(
  build-essential clang lld ninja-build cmake ccache patchelf pkg-config git ca-certificates python3 python3-pip python3-venv
  libopencv-core-dev libopencv-imgproc-dev libdlib-dev libdlib-data
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libswresample-dev
  libyaml-cpp-dev libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev libxxhash-dev libssl-dev zlib1g-dev libsentencepiece-dev libutf8proc-dev
  libespeak-ng-dev espeak-ng-data libomp5 libblas3 liblapack3 libgtest-dev libgmock-dev
)

wanted_by_tests=(sctk chromium clang-format-14 clang-tidy-14)

is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

if [ "$packages" = yes ]; then
  [ -r /etc/os-release ] || fail "this system is unknown; install the packages listed in $0 by hand, then run it with --no-packages"
  . /etc/os-release
  case "$ID-${VERSION_ID:-}" in
    debian-12|ubuntu-22.04|ubuntu-24.04) ;;
    *) say "${PRETTY_NAME:-$ID} is not among the tested systems (Debian 12, Ubuntu 22.04, 24.04); trying anyway" ;;
  esac
  command -v apt-get >/dev/null || fail "apt-get not found; install the packages listed in $0 by hand, then run it with --no-packages"
  missing=()
  for package in "${wanted[@]}"; do
    is_installed "$package" || missing+=("$package")
  done
  sudo=()
  [ "$(id -u)" -eq 0 ] || ! command -v sudo >/dev/null || sudo=(sudo)
  if [ ${#missing[@]} -eq 0 ]; then
    say "all ${#wanted[@]} packages are installed"
  else
    [ "$(id -u)" -eq 0 ] || [ ${#sudo[@]} -gt 0 ] ||
      fail "not root and no sudo; ask an administrator to install: ${missing[*]}"
    say "installing ${#missing[@]} packages"
    log=$(mktemp)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1 ||
      { tail -n 20 "$log" >&2; fail "apt-get failed (whole log: $log)"; }
    rm -f "$log"
  fi
  if [ "$for_tests" = yes ]; then
    for package in "${wanted_by_tests[@]}"; do
      is_installed "$package" && continue
      say "installing $package, for tests"
      "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 ||
        { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1; } ||
        say "$package COULD NOT BE INSTALLED: the tests that need it will fail"
    done
  fi
fi

has_torch() {
  [ -e "$1/include/torch/csrc/api/include/torch/torch.h" ] || [ -e "$1/torch/include/torch/csrc/api/include/torch/torch.h" ]
}

has_cuda_libraries() { compgen -G "$1/nvidia/*/lib/libcudnn*" >/dev/null; }

if [ -n "$named_torch" ]; then
  has_torch "$named_torch" || fail "no LibTorch in $named_torch (expected include/torch/csrc/api/include/torch/torch.h there)"
  say "using the LibTorch in $named_torch; configure with -DTorch_ROOT=$named_torch"
elif has_torch "$torch_folder" && { [ "$for_gpu" = no ] || has_cuda_libraries "$torch_folder"; }; then
  say "LibTorch $torch_version is in $torch_folder"
else
  say "downloading LibTorch $torch_version to $torch_folder"
  mkdir -p "$cache"
  partial=$(mktemp -d "$cache/libtorch.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  # The PyPI wheel is LibTorch with headers. --no-deps: of the CUDA packages, libtorch_cpu.so wants these two alone.
  packages_of_torch=("torch==$torch_version")
  [ "$for_gpu" = yes ] || packages_of_torch+=(--no-deps nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85)
  python3 -m pip install -q --no-compile --root-user-action=ignore --target "$partial" "${packages_of_torch[@]}" ||
    fail "pip could not fetch LibTorch; check the network, or name an existing one with --torch"
  has_torch "$partial" || fail "the downloaded package holds no LibTorch"
  [ "$for_gpu" = no ] || has_cuda_libraries "$partial" || fail "the downloaded packages hold no CUDA libraries"
  chmod 755 "$partial"
  rm -rf "$torch_folder"
  mv "$partial" "$torch_folder"
  trap - EXIT
fi
say "done"
