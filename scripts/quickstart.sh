#!/usr/bin/env bash
# From a bare machine to a pre-trained tiny RAVEn: set-up, build, a corpus of talking mouths, preparation, pre-training.
#
#   scripts/quickstart.sh [FOLDER=runs/quickstart]
#
# Some 15 minutes on two cores, a third of it set-up and build. Stopped at any point (Ctrl-C, power cut), the same
# command goes on where it was. RAVEN_QUICKSTART_UTTERANCES (2200) and RAVEN_QUICKSTART_STEPS (configs/quickstart.yaml) shrink it.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in -h|--help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
folder=${1:-runs/quickstart}
utterances=${RAVEN_QUICKSTART_UTTERANCES:-2200}
steps=${RAVEN_QUICKSTART_STEPS:-}
start=$SECONDS
stage() { printf '\n== %s (minute %d)\n' "$*" $(((SECONDS - start) / 60)); }

stage "Set-up and build"
scripts/setup.sh ${Torch_ROOT:+--torch "$Torch_ROOT"}
RAVEN_CMAKE="-DRAVEN_TESTS=OFF ${RAVEN_CMAKE:-}" scripts/build.sh release raven raven-synth
raven=build/release/bin/raven
mkdir -p "$folder"

stage "Corpus: $utterances clips of talking faces, real .mp4 files, in $folder/corpus"
$raven synth --out "$folder/corpus" --utterances "$utterances" --speakers 50 --seed 1 --kind grid

stage "Preparation: mouth crops and audio as shards, in $folder/data"
$raven prepare "$folder/corpus" --out "$folder/data"
$raven data stats "$folder/data/manifest.tsv"
$raven data show "$folder/data/manifest.tsv" --config quickstart.yaml --out "$folder/contact_sheet.png"

stage "Pre-training, in $folder/run"
$raven pretrain --config quickstart.yaml run.dir="$folder/run" \
  "data.manifest=[$folder/data/pretrain.tsv, $folder/data/trainval.tsv]" "data.valid_manifest=$folder/data/test.tsv" \
  ${steps:+train.steps="$steps"}

stage "Done"
python3 scripts/quickstart_summary.py "$folder/run/metrics.jsonl"
cat <<EOF

  corpus          $folder/corpus
  shards          $folder/data/shards
  contact sheet   $folder/contact_sheet.png   (what the model sees: crops, flips, masks)
  loss curves     $folder/run/curves.svg
  checkpoint      $folder/run/checkpoints/last
  metrics         $folder/run/metrics.jsonl   (TensorBoard: $folder/run/tensorboard)

Next: docs/own_data.md for your own videos, configs/lrs3.yaml for RAVEn Base on LRS3.
EOF
