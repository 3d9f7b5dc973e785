#!/usr/bin/env bash
# Refuses programs and libraries that would load code from the caller's folder:  scripts/check_run_paths.sh FOLDER...
# Each part of a run path (RPATH, RUNPATH) begins with / or $ORIGIN, and no needed library is named by a relative path.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,3s/^# \{0,1\}//p' "$0"; exit 2; }
for folder in "$@"; do [ -d "$folder" ] || { echo "check_run_paths: no folder $folder" >&2; exit 2; }; done
found=0 bad=0
say() { printf '%s: %s\n' "$1" "$2" >&2; bad=$((bad + 1)); }
while IFS= read -r -d '' file; do
  [ "$(head -c 4 "$file" | tr -d '\0')" = $'\x7fELF' ] || continue
  entries=$(readelf -dW "$file" 2>/dev/null | grep -E '\((RPATH|RUNPATH|NEEDED)\)') || true
  [ -n "$entries" ] || continue
  found=$((found + 1))
  while IFS= read -r entry; do
    value=${entry#*[} value=${value%]*}
    if [[ $entry == *'(NEEDED)'* ]]; then
      [[ $value != */* || $value == /* || $value == '$ORIGIN'/* ]] || say "$file" "needs '$value', a relative path"
      continue
    fi
    rest=$value:
    while [ -n "$rest" ]; do
      part=${rest%%:*} rest=${rest#*:}
      [[ $part == /* || $part == '$ORIGIN' || $part == '$ORIGIN'/* ]] || say "$file" "the run path '$value' has the part '$part', expected / or \$ORIGIN at its beginning"
    done
  done <<<"$entries"
done < <(find "$@" -name CMakeFiles -prune -o -type f ! -name '*.o' ! -name '*.a' ! -name '*.pch' -print0)
[ "$found" -gt 0 ] || { echo "check_run_paths: no programs or libraries in $*" >&2; exit 1; }
[ "$bad" -eq 0 ] || exit 1
echo "check_run_paths: $found programs and libraries, none looks into the caller's folder"
