#!/usr/bin/env bash
# Two ranks learn what one process does: the same configuration, four batches a step, with BatchNorm per batch and dropout on,
# by one process, by two ranks and by four, 20 steps each. Losses must agree to 1e-6 and weights to 1e-5 a tensor.
#   two_ranks_equal.sh RAVEN [RANKS ...]      RANKS: 2 when none is given
# Exits with 0 only when they do. RAVEN_TEST_DROP_GRADIENTS=1 makes rank 1 hand in zeros; then it must not.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2; }
raven=$(realpath "$1")
shift
[ $# -gt 0 ] || set -- 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

"$raven" synth --out corpus --utterances 10 --speakers 4 --seed 1 --kind digits --workers 2 >log 2>&1 || { cat log; exit 1; }
"$raven" prepare corpus --out data >log 2>&1 || { cat log; exit 1; }
settings=(device=cpu threads=1 data.workers=0 "data.manifest=data/manifest.tsv" data.max_frames=100
  train.steps=20 train.accumulate=4 train.batch_norm=own optimizer.warmup_steps=5 optimizer.lr=0.001 log.every=1 checkpoint.every=20
  data.video.shrink=4 data.video.crop=20 model.encoder.dim=16 model.encoder.heads=2 model.encoder.ffn_dim=32 model.encoder.blocks=2
  model.encoder.dropout=0.1 "model.video_frontend.widths=[4,4,8,8]" "model.audio_frontend.widths=[4,4,8,8]")
for term in v2a a2a a2v; do
  settings+=("model.predictors.$term.dim=16" "model.predictors.$term.heads=2" "model.predictors.$term.ffn_dim=32")
done
train() {  # train RANKS
  "$raven" pretrain "${settings[@]}" ranks="$1" run.dir="run_$1" >"log_$1" 2>&1 || { cat "log_$1"; exit 1; }
}
RAVEN_TEST_DROP_GRADIENTS='' train 1
for ranks in "$@"; do
  train "$ranks"
  python3 "$here/same_run.py" run_1 "run_$ranks"
done
