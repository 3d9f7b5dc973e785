#!/usr/bin/env bash
# The README's way from nothing to a pre-training, with a tiny corpus and tiny networks: every command as a user types it.
#   pipeline_test.sh BIN
# Afterwards TensorBoard's own reader must find every number of metrics.jsonl in the event files; the Python of RAVEN_PYTHON has it
# (scripts/test.sh sees to that).
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
bin=$(cd "$1" && pwd)
raven=$bin/raven
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "pipeline: $*" >&2; exit 1; }
expect() {  # expect CODE TEXT COMMAND...: exit code, and TEXT in what it prints
  local code=$1 text=$2 status=0
  shift 2
  "$@" >out 2>&1 || status=$?
  [ "$status" = "$code" ] || { cat out; fail "'$*' ended with $status, expected $code"; }
  grep -qF -- "$text" out || { cat out; fail "'$*' does not say '$text'"; }
}

expect 0 "8 utterances made" "$raven" synth --out corpus --utterances 8 --speakers 3 --seed 1 --kind digits --workers 2
expect 0 "8 kept" "$raven" synth --out corpus --utterances 8 --speakers 3 --seed 1 --kind digits --workers 1
expect 2 "prepare" "$raven" pretrain --config lrs3.yaml run.dir=run  # no data: says how to make them
mv corpus/landmarks marks
mkdir none
expect 3 "name their folder with --landmarks" "$raven" prepare corpus --out data/elsewhere --landmarks none
expect 2 "no landmark model" "$raven" prepare corpus --out data/found --landmark-model out
expect 0 "8  ok" "$raven" prepare corpus --out data/found
expect 0 "8  ok" "$raven" prepare corpus --out data/elsewhere --landmarks marks --retry
mv marks corpus/landmarks
expect 0 "8  ok" "$raven" prepare corpus --out data/lrs3
expect 0 "utterances  8" "$raven" data stats data/lrs3/manifest.tsv
expect 0 "" "$raven" data verify data/lrs3/manifest.tsv
expect 0 "" "$raven" data show data/lrs3/manifest.tsv --out sheet.png
[ "$(head -c 4 sheet.png | tail -c 3)" = PNG ] || fail "sheet.png is no PNG"

tiny=(device=cpu train.steps=4 optimizer.warmup_steps=1 log.every=1 monitor.every=2 monitor.probe_utterances=4 checkpoint.every=2
  data.valid_manifest=data/lrs3/trainval.tsv data.max_frames=300 data.video.shrink=4 data.video.crop=20
  model.encoder.dim=16 model.encoder.heads=2 model.encoder.ffn_dim=32 model.encoder.blocks=1
  "model.video_frontend.widths=[4,4,8,8]" "model.audio_frontend.widths=[4,4,8,8]")
for term in v2a a2a a2v; do tiny+=("model.predictors.$term.dim=16" "model.predictors.$term.heads=2" "model.predictors.$term.ffn_dim=32"); done
# lrs3.yaml finds the prepared lists by its own paths, relative to where it is run.
expect 0 "" "$raven" pretrain --config lrs3.yaml run.dir=run "${tiny[@]}"
expect 0 "" "$raven" pretrain --config lrs3.yaml run.dir=run "${tiny[@]}"  # complete: nothing left to do
expect 2 "another configuration" "$raven" pretrain --config lrs3.yaml run.dir=run "${tiny[@]}" mask.prob=0.5
for file in config.yaml overrides.txt environment.json log.txt metrics.jsonl curves.svg checkpoints/last/model.safetensors \
            checkpoints/last/state.json encoders/video.safetensors encoders/audio.safetensors; do
  [ -s "run/$file" ] || fail "run/$file is missing or empty"
done
"$raven" config show --config run/config.yaml >again.yaml
cmp run/config.yaml again.yaml || fail "the resolved configuration read again gives other bytes"

python=${RAVEN_PYTHON:-python3}
"$python" -c 'import tensorboard' 2>/dev/null || fail "no tensorboard in $python; scripts/test.sh installs it"
"$python" "$here/scripts/check_tensorboard.py" run
echo "pipeline: all commands did what the README says"
