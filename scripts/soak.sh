#!/usr/bin/env bash
# Kills a pre-training run at random moments of its training and lets it go on, with other numbers of workers; compares its end
# with that of an undisturbed run.
#
#   scripts/soak.sh [BIN=build/dev/bin] [KILLS=20]
#
# BIN holds raven and make_tiny_clips. Exits 1 when a byte of the model differs, or a kill met no training.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in -h|--help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
bin=${1:-build/dev/bin}
kills=${2:-20}
steps=$((20 * kills + 20))
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$bin/make_tiny_clips" "$work/train" > "$work/manifest"
settings=(device=cpu threads=1 data.max_frames=64 data.video.shrink=4 data.video.crop=20 "data.manifest=$(cat "$work/manifest")"
  model.encoder.dim=16 model.encoder.heads=2 model.encoder.ffn_dim=32 model.encoder.blocks=1
  'model.video_frontend.widths=[4,4,8,8]' 'model.audio_frontend.widths=[4,4,8,8]'
  optimizer.warmup_steps=3 "train.steps=$steps" log.every=7 checkpoint.every=5)
for term in v2a a2a a2v; do
  settings+=("model.predictors.$term.dim=16" "model.predictors.$term.heads=2" "model.predictors.$term.ffn_dim=32")
done
pretrain() { "$bin/raven" pretrain "${settings[@]}" "$@" >> "$work/log" 2>&1; }

pretrain run.dir="$work/undisturbed" data.workers=0 || { tail -n 20 "$work/log"; exit 1; }
saved() {  # step of the killed run's newest checkpoint
  # Of its folders: a kill can come between a checkpoint's name and the link `last`.
  local name
  name=$(find "$work/killed/checkpoints" -regex '.*/step_[0-9]+' -printf '%f\n' 2> /dev/null | sort -n -t _ -k 2 | tail -n 1) || true
  name=${name:-step_0}
  echo $((10#${name#step_}))
}
workers=(0 1 4)
for ((i = 1; i <= kills; ++i)); do
  before=$(saved)
  given=${workers[i % 3]}
  "$bin/raven" pretrain "${settings[@]}" run.dir="$work/killed" data.workers="$given" >> "$work/log" 2>&1 &
  victim=$!
  # Round i ends 20 steps after round i - 1, give or take 8: kills are spread over the whole training.
  target=$((20 * i + RANDOM % 17 - 8))
  if ((target <= before)); then target=$((before + 1)); fi
  while (($(saved) < target)) && kill -0 "$victim" 2> /dev/null; do sleep 0.01; done
  sleep "0.0$((RANDOM % 10))"
  kill -KILL "$victim" 2> /dev/null || true
  code=0
  wait "$victim" 2> /dev/null || code=$?
  after=$(saved)
  printf 'soak: kill %d of %d, %d workers: newest checkpoint before: step %d, after: step %d of %d\n' "$i" "$kills" "$given" "$before" "$after" "$steps"
  if ((code != 137 || after <= before || after >= steps)); then
    echo "soak: it was not killed in training (exit code $code)"
    tail -n 20 "$work/log"
    exit 1
  fi
done
pretrain run.dir="$work/killed" data.workers=3 || { tail -n 20 "$work/log"; exit 1; }

cmp "$work/undisturbed/checkpoints/last/model.safetensors" "$work/killed/checkpoints/last/model.safetensors"
cmp "$work/undisturbed/checkpoints/last/optimizer.safetensors" "$work/killed/checkpoints/last/optimizer.safetensors"
[ -z "$(grep -o '"step":[0-9]*' "$work/killed/metrics.jsonl" | sort | uniq -d)" ] || { echo "soak: a step twice in metrics.jsonl"; exit 1; }
"${RAVEN_PYTHON:-python3}" scripts/check_tensorboard.py "$work/killed"
echo "soak: $kills kills, same bytes"
