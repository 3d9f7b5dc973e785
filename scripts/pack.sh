#!/usr/bin/env bash
# Makes a bundle of raven that runs on a machine with nothing but Torch:  scripts/pack.sh [OUT=build/raven-<version>.tar.xz]
#
#   tar xf raven-0.1.0.tar.xz && LD_LIBRARY_PATH=<site-packages>/torch/lib raven-0.1.0/bin/raven --help
#
# Inside: bin/ (raven, raven-synth, the tests labelled gpu and the benchmarks), lib/ (every shared library they need, but for
# glibc and Torch), share/ (configs, espeak-ng's English data, licences). One bundle for CPU and GPU machines.
# Limit: 60 MiB; more is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^project(raven VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
out=${1:-build/raven-$version.tar.xz}
limit=$((60 * 1024 * 1024))
fail() { printf 'pack: %s\n' "$*" >&2; exit 1; }

command -v patchelf >/dev/null || fail "patchelf is missing; scripts/setup.sh installs it"
extras=(nn_gpu_test train_gpu_test decode_bench loader_bench models_bench search_bench)
scripts/build.sh release programs "${extras[@]}"
built=build/release/bin
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/raven-$version
mkdir -p "$root/lib" "$root/share/doc"
cmake --install build/release --strip --prefix "$root" >/dev/null
for extra in "${extras[@]}"; do strip -o "$root/bin/$extra" "$built/$extra"; done
cp LICENSE third_party/README.md "$root/share/doc/"

# Which BLAS and LAPACK OpenCV finds is this machine's choice (update-alternatives), and OpenBLAS alone would double the
# bundle. OpenCV only draws here, so the reference ones serve, and the bundle is the same wherever it is made.
reference() { find /usr/lib -path "*/$1/lib$1.so.3" -printf '%h' -quit; }
blas=$(reference blas) lapack=$(reference lapack)
[ -n "$blas" ] && [ -n "$lapack" ] || fail "the reference BLAS and LAPACK are missing; scripts/setup.sh installs libblas3 and liblapack3"

# glibc's own parts and Torch's stay behind; everything else that ldd finds comes along.
leave='^(linux-vdso|ld-linux|libc|libm|libdl|librt|libpthread|libutil|libresolv|libnsl|libanl|libmvec|libtorch.*|libc10.*|libshm|libgomp|libcud.*|libcup.*|libnv.*|libnccl.*)\.so'
needed() { LD_LIBRARY_PATH=$blas:$lapack ldd "$@" | awk '/=> \//{print $1, $3}' | sort -u; }
declare -A from
while read -r name path; do
  [[ $name =~ $leave ]] && continue
  cp -L "$path" "$root/lib/$name"
  from[$name]=$path
done < <(for binary in "$root"/bin/*; do needed "$built/$(basename "$binary")"; done | sort -u)
chmod u+w "$root"/lib/*.so*
strip --strip-unneeded "$root"/lib/* 2>/dev/null || true
# FFmpeg is the distribution's, whole: no format is lost, and its security fixes come with the next bundle. A build of our
# own would be a third of the size, which is paid once for each copy, and a list of parts to keep up with for ever.
# Each library finds its own needs beside it: a program's run path does not reach what its libraries load.
patchelf --set-rpath '$ORIGIN/../lib' "$root"/bin/*
patchelf --set-rpath '$ORIGIN' "$root"/lib/*
scripts/check_run_paths.sh "$root" >/dev/null
for binary in "$root"/bin/*; do  # whole, and nothing of this machine's choice
  while read -r name _ path _; do
    [[ $name =~ $leave || $name == /* || $path == "$root"/* ]] || fail "$(basename "$binary") needs $name, which the bundle lacks (found: $path)"
    [[ $name != libopenblas* ]] || fail "$(basename "$binary") needs $name, not the reference BLAS"
  done < <(ldd "$binary")
done
for name in "${!from[@]}"; do  # owners' licences, from Debian's packages
  for path in "${from[$name]}" "$(readlink -f "${from[$name]}")"; do
    package=$(dpkg -S "$path" 2>/dev/null | cut -d: -f1 | head -n 1) || true
    [ -n "$package" ] && [ -e "/usr/share/doc/$package/copyright" ] || continue
    cp -L "/usr/share/doc/$package/copyright" "$root/share/doc/$package.copyright"
    break
  done
done
data=$(find /usr/lib /usr/share -maxdepth 3 -type d -name espeak-ng-data 2>/dev/null | head -n 1)
if [ -n "$data" ]; then  # English only: 1.3 of 13 MB
  mkdir -p "$root/share/espeak-ng-data/lang/gmw"
  cp "$data"/{phondata,phonindex,phontab,intonations,en_dict} "$root/share/espeak-ng-data/"
  cp "$data"/lang/gmw/en* "$root/share/espeak-ng-data/lang/gmw/"
  cp -r "$data/voices" "$root/share/espeak-ng-data/"
fi

mkdir -p "$(dirname "$out")"
XZ_OPT='-9 -T2' tar -C "$stage" --sort=name --owner=0 --group=0 --numeric-owner -cJf "$out.tmp" "raven-$version"
size=$(stat -c %s "$out.tmp")
[ "$size" -le $limit ] || { rm -f "$out.tmp"; fail "the bundle has $((size / 1048576)) MiB, more than the 60 allowed"; }
mv "$out.tmp" "$out"
printf 'pack: %s, %d.%d MiB, %d libraries\n' "$out" $((size / 1048576)) $((size % 1048576 * 10 / 1048576)) "$(find "$root/lib" -type f | wc -l)"
