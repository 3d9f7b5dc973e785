#!/usr/bin/env bash
# Kills a pre-training run at random moments and lets it go on, and compares its end with that of an undisturbed run.
#
#   scripts/soak.sh [BIN=build/dev/bin] [KILLS=20]
#
# BIN holds raven and make_tiny_clips. Exits 1 when a byte of the model differs.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in -h|--help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
bin=${1:-build/dev/bin}
kills=${2:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$bin/make_tiny_clips" "$work/train" > "$work/manifest"
settings=(device=cpu threads=1 data.max_frames=64 data.video.shrink=4 data.video.crop=20 "data.manifest=$(cat "$work/manifest")"
  model.encoder.dim=16 model.encoder.heads=2 model.encoder.ffn_dim=32 model.encoder.blocks=1
  'model.video_frontend.widths=[4,4,8,8]' 'model.audio_frontend.widths=[4,4,8,8]'
  optimizer.warmup_steps=3 train.steps=120 log.every=7 checkpoint.every=5)
for term in v2a a2a a2v; do
  settings+=("model.predictors.$term.dim=16" "model.predictors.$term.heads=2" "model.predictors.$term.ffn_dim=32")
done
pretrain() { "$bin/raven" pretrain "${settings[@]}" "$@" >> "$work/log" 2>&1; }

pretrain run.dir="$work/undisturbed" data.workers=0 || { tail -n 20 "$work/log"; exit 1; }
for ((i = 1; i <= kills; ++i)); do
  "$bin/raven" pretrain "${settings[@]}" run.dir="$work/killed" data.workers=$((i % 4)) >> "$work/log" 2>&1 &
  victim=$!
  sleep "$((RANDOM % 4)).$((RANDOM % 10))"
  kill -KILL "$victim" 2> /dev/null || true
  wait "$victim" 2> /dev/null || true
  printf 'soak: kill %d of %d, newest checkpoint %s\n' "$i" "$kills" "$(readlink "$work/killed/checkpoints/last" || echo none)"
done
pretrain run.dir="$work/killed" data.workers=3 || { tail -n 20 "$work/log"; exit 1; }

cmp "$work/undisturbed/checkpoints/last/model.safetensors" "$work/killed/checkpoints/last/model.safetensors"
cmp "$work/undisturbed/checkpoints/last/optimizer.safetensors" "$work/killed/checkpoints/last/optimizer.safetensors"
[ -z "$(grep -o '"step":[0-9]*' "$work/killed/metrics.jsonl" | sort | uniq -d)" ] || { echo "soak: a step twice in metrics.jsonl"; exit 1; }
"${RAVEN_PYTHON:-python3}" scripts/check_tensorboard.py "$work/killed"
echo "soak: $kills kills, same bytes"
