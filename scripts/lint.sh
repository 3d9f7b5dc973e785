#!/usr/bin/env bash
# clang-format (all files) and clang-tidy (files that differ from BASE, default HEAD~1; or all).
#   scripts/lint.sh [--all | BASE]
set -euo pipefail
cd "$(dirname "$0")/.."
find_tool() { command -v "$1" || command -v "$1-14" || { echo "lint: install $1" >&2; exit 1; }; }
format=$(find_tool clang-format)
tidy=$(find_tool clang-tidy)
mapfile -t sources < <(git ls-files 'src/*.cpp' 'src/*.h' 'include/*.h' 'tests/*.cpp' 'tests/*.h')
"$format" --dry-run -Werror "${sources[@]}"
echo "lint: ${#sources[@]} files are formatted"
if [ "${1:-}" = --all ]; then
  mapfile -t changed < <(git ls-files 'src/*.cpp')
else
  mapfile -t changed < <(git diff --name-only --diff-filter=d "${1:-HEAD~1}" -- 'src/*.cpp')
fi
[ -e build/dev/compile_commands.json ] || { echo "lint: build the dev preset first (scripts/build.sh dev)" >&2; exit 1; }
[ ${#changed[@]} -eq 0 ] || printf '%s\n' "${changed[@]}" | xargs -P 2 -n 1 "$tidy" -p build/dev --quiet
echo "lint: ${#changed[@]} files pass clang-tidy"
