#!/usr/bin/env bash
# clang-format (all files) and clang-tidy (files that differ from BASE, default HEAD~1; or all), both of version 14.
#   scripts/lint.sh [--format | --all | BASE]      --format: clang-format alone
set -euo pipefail
cd "$(dirname "$0")/.."
find_tool() { command -v "$1-14" || command -v "$1" || { echo "lint: $1 not found; scripts/setup.sh --tests installs it" >&2; exit 1; }; }
format=$(find_tool clang-format)
mapfile -t sources < <(find src include tests -name '*.cpp' -o -name '*.h' | sort)
"$format" --dry-run -Werror "${sources[@]}"
echo "lint: ${#sources[@]} files are formatted"
[ "${1:-}" != --format ] || exit 0
tidy=$(find_tool clang-tidy)
if [ "${1:-}" = --all ]; then
  mapfile -t changed < <(find src -name '*.cpp' | sort)
else
  mapfile -t changed < <(git diff --name-only --diff-filter=d "${1:-HEAD~1}" -- 'src/*.cpp')
fi
[ -e build/dev/compile_commands.json ] || { echo "lint: build the dev preset first (scripts/build.sh dev)" >&2; exit 1; }
[ ${#changed[@]} -eq 0 ] || printf '%s\n' "${changed[@]}" | xargs -P 2 -n 1 "$tidy" -p build/dev --quiet
echo "lint: ${#changed[@]} files pass clang-tidy"
