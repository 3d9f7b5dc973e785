#!/usr/bin/env bash
# What scripts/cluster names is there: files of a bundle, recipes, LibTorch's version.  cluster_files_test.sh BUILD
set -euo pipefail
build=$1
source=$(cd "$(dirname "$0")/.." && pwd)
cluster=$source/scripts/cluster
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { printf 'cluster_files_test: %s\n' "$*" >&2; exit 1; }

# As scripts/pack.sh installs it, below the folder that the images call /opt/raven.
cmake --install "$build" --prefix "$scratch/raven" >/dev/null
for file in Dockerfile raven.def; do
  while read -r path; do
    [ -e "$scratch/${path#/opt/}" ] || fail "$file names $path, which a bundle lacks"
  done < <(grep -oE '/opt/raven/[A-Za-z0-9_./-]+' "$cluster/$file" | sort -u)
  grep -q 'raven-\*\.tar\.xz' "$cluster/$file" || fail "$file takes no bundle"
done
grep -q 'raven-\$version\.tar\.xz' "$source/scripts/pack.sh" || fail "scripts/pack.sh makes no raven-<version>.tar.xz"

version=$(sed -n 's/^torch_version=//p' "$source/scripts/setup.sh")
grep -q "TORCH=$version\$" "$cluster/Dockerfile" || fail "Dockerfile installs another torch than $version"
grep -q "torch==$version\$" "$cluster/raven.def" || fail "raven.def installs another torch than $version"

named=0
for file in "$cluster"/*; do
  [[ $file != *.sh ]] || bash -n "$file"
  while read -r recipe; do
    named=$((named + 1))
    [ -e "$scratch/raven/share/raven/configs/$recipe" ] || fail "$(basename "$file") names $recipe, which a bundle lacks"
  done < <(grep -oE -e '--config,? [A-Za-z0-9_/]+\.yaml' "$file" | sed 's/.* //' | sort -u)
  while read -r other; do
    [ -e "$source/$other" ] || fail "$(basename "$file") names $other, which is not there"
  done < <(grep -oE 'scripts/[A-Za-z0-9_/]+(\.[a-z]+)?' "$file" | sort -u)
done
[ $named -ge 4 ] || fail "found $named recipes only"
echo "cluster_files_test: everything that scripts/cluster names is there"
