#!/usr/bin/env bash
# Shows whether a change cost speed: two builds of raven in turns on one machine.
#
#   scripts/compare.sh OLD NEW [TURNS=5] [WORK...]
#
# OLD and NEW are programs `raven` of release builds; beside NEW lies raven-synth. WORK: step, finetune, loader, prepare,
# decode; all when none is named. Each turn runs both once, OLD first in odd turns and NEW in even ones. Printed are the
# medians and the median of the turns' ratios, NEW / OLD: 0.97 is 3 % slower. Speeds are video frames per second; of
# prepare per second of processor time, on one worker. Nothing else should run meanwhile.
# shellcheck disable=SC2034  # old and new are read by name
set -euo pipefail
case ${1:-} in ''|-h|--help) sed -n '2,/^# shell/{/^# shell/d;s/^# \{0,1\}//p}' "$0"; [ $# -gt 0 ]; exit ;; esac
old=$(realpath "$1") new=$(realpath "$2") turns=${3:-5}
shift $(($# < 3 ? $# : 3))
[ $# -gt 0 ] || set -- step finetune loader prepare decode
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { printf 'compare: %s\n' "$*" >&2; exit 1; }
number() {  # of a JSON object on one line
  local value
  value=$(grep -o "\"$1\":[-0-9.e+]*" | head -n 1)
  printf '%s' "${value#*:}"
}
bench() { "$@" --json --log-level error 2>>"$work/log" || { tail -n 5 "$work/log" >&2; fail "$* ended with an error"; }; }
processor_seconds() {  # user and system time of a command
  local TIMEFORMAT='%U %S'
  { time "$@" >>"$work/log" 2>&1; } 2>"$work/time" || { tail -n 5 "$work/log" >&2; fail "$* ended with an error"; }
  awk '{print $1 + $2}' "$work/time"
}
frames_of() { awk -F '\t' 'NR == 1 {for (i = 1; i <= NF; ++i) if ($i == "frames") at = i} NR > 1 {sum += $at} END {print sum}' "$1"; }

make_data() {
  [ -d "$work/data" ] && return
  "$new" synth --out "$work/corpus" --utterances 150 --speakers 6 --seed 1 >>"$work/log" 2>&1 || fail "raven synth ended with an error"
  "$new" prepare "$work/corpus" --out "$work/data" >>"$work/log" 2>&1 || fail "raven prepare ended with an error"
}
measure() {  # WORK RAVEN: frames per second
  case $1 in
    step) bench "$2" bench step --config quickstart.yaml device=cpu --threads 2 --steps 60 --warmup 5 | number frames_per_s ;;
    finetune) bench "$2" bench finetune --config finetune/quickstart_video.yaml device=cpu --threads 2 --steps 60 --warmup 5 | number frames_per_s ;;
    decode) bench "$2" bench decode --frames 60 --utterance-length 60 --threads 1 device=cpu --beam-size 10 --steps 3 --warmup 1 | number frames_per_s ;;
    loader)
      make_data
      local rounds=300 result
      result=$(bench "$2" bench loader --manifest "$work/data/pretrain.tsv" --config quickstart.yaml data.workers=0 --steps $rounds --warmup 1)
      printf '%s' "$result" | number frames_per_s_total ;;
    prepare)
      make_data
      rm -rf "$work/out"
      local seconds
      seconds=$(processor_seconds "$2" prepare "$work/corpus" --out "$work/out" --workers 1)
      awk -v s="$seconds" -v f="$(frames_of "$work/out/pretrain.tsv")" 'BEGIN {print f / s}' ;;
    *) fail "no work is called '$1'; there are step, finetune, loader, prepare, decode" ;;
  esac
}
median() { sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

printf '%-10s %12s %12s %8s   %s\n' work old new new/old "each turn"
for what in "$@"; do
  : >"$work/old"; : >"$work/new"
  for ((turn = 1; turn <= turns; ++turn)); do
    order=(old new); ((turn % 2)) || order=(new old)
    for which in "${order[@]}"; do
      value=$(measure "$what" "${!which}")
      [ -n "$value" ] || fail "$what: ${!which} told no speed"
      printf '%s\n' "$value" >>"$work/$which"
    done
  done
  ratios=$(paste "$work/old" "$work/new" | awk '{printf "%.3f\n", $2 / $1}')
  printf '%-10s %12.1f %12.1f %8.3f   %s\n' "$what" "$(median <"$work/old")" "$(median <"$work/new")" \
    "$(median <<<"$ratios")" "$(tr '\n' ' ' <<<"$ratios")"
done
