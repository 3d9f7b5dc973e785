#!/usr/bin/env bash
# From a folder of real talking faces with transcripts to word errors: preparation, pre-training of a tiny RAVEn, fine-tuning with all
# and with a part of the labels, a round of self-training (sound labels what has none, lips learn from it), decoding, report.
#
#   scripts/real_data.sh FOLDER [OUT=runs/real]
#
# FOLDER: films with transcripts as `raven prepare` takes them (GRID's talkers, or a plain folder; a tenth is held out), or the lists
# train.tsv and valid.tsv of mouth crops. Faces are found, or taken from FOLDER/landmarks or RAVEN_LANDMARKS.
# Stopped at any point, the same command goes on. RAVEN_REAL_SEEDS ("1 2"), RAVEN_REAL_HOURS (0.2: labelled in the part),
# RAVEN_REAL_STEPS (1200) and RAVEN_REAL_FINETUNE_STEPS (2000) change it; RAVEN names another program than build/release/bin/raven.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in -h|--help|"") sed -n '2,12s/^# \{0,1\}//p' "$0"; exit $(( $# == 0 ? 2 : 0 )) ;; esac
folder=$1
out=${2:-runs/real}
hours=${RAVEN_REAL_HOURS:-0.2}
steps=${RAVEN_REAL_STEPS:-1200}
finetune_steps=${RAVEN_REAL_FINETUNE_STEPS:-2000}
raven=${RAVEN:-build/release/bin/raven}
[ -x "$raven" ] || { scripts/setup.sh; scripts/build.sh release; }
mkdir -p "$out"
stage() { printf '\n== %s\n' "$*"; }

if [ -f "$folder/train.tsv" ]; then
  train=$folder/train.tsv valid=$folder/valid.tsv
else
  stage "Preparation, in $out/data"
  $raven prepare "$folder" --out "$out/data" --hold-out auto ${RAVEN_LANDMARKS:+--landmarks "$RAVEN_LANDMARKS"}
  train=$out/data/train.tsv valid=$out/data/valid.tsv
fi
$raven data stats "$train"
$raven data show "$train" --config quickstart.yaml --out "$out/contact_sheet.png"
$raven tokenizer train "$train" --kind word --out "$out/words"

warmup=$((steps / 15))
finetune_warmup=$((finetune_steps / 20))
finetune() {  # finetune RUN MODALITY [key=value ...]
  local run=$1 modality=$2
  shift 2
  $raven finetune --config "finetune/quickstart_$modality.yaml" run.dir="$run" run.seed="$seed" model.init="$base/pretrained" \
    data.manifest="$train" data.valid_manifest= "data.test_manifest=[$valid]" text.model="$out/words.model" train.steps="$finetune_steps" \
    optimizer.warmup_steps="$finetune_warmup" "$@"
}
evaluate() {
  $raven evaluate model="$1" data.manifest="$valid" decode.beam_size=10 decode.ctc_weight=0.3 --replace | tee "$1/wer.txt"
}

reports=()
for seed in ${RAVEN_REAL_SEEDS:-1 2}; do
  base=$out/seed$seed
  stage "Seed $seed: pre-training, in $base/pretrained"
  $raven pretrain --config quickstart.yaml run.dir="$base/pretrained" run.seed="$seed" data.manifest="$train" \
    data.valid_manifest="$valid" train.steps="$steps" optimizer.warmup_steps="$warmup"

  for modality in audio video; do
    stage "Seed $seed: $modality with all labels and with $hours h"
    finetune "$base/${modality}_all" "$modality" data.labelled_hours=null
    finetune "$base/${modality}_part" "$modality" data.labelled_hours="$hours"
  done

  stage "Seed $seed: self-training, sound labels, lips learn, in $base/selftrain"
  $raven selftrain labeller="$base/audio_part" "unlabelled.manifest=[$train]" student.config=finetune/quickstart_video.yaml \
    "student.set=['data.manifest=$train', 'data.valid_manifest=', 'data.test_manifest=[$valid]', 'data.labelled_hours=$hours', 'text.model=$out/words.model', 'model.init=$base/pretrained', train.steps=$finetune_steps, optimizer.warmup_steps=$finetune_warmup]" \
    run.dir="$base/selftrain" run.seed="$seed" decode.beam_size=10 decode.ctc_weight=0.3

  stage "Seed $seed: word errors on $valid"
  runs=("$base"/{audio_all,audio_part,video_all,video_part} "$base/selftrain/round_1/student")
  for run in "${runs[@]}"; do evaluate "$run"; done
  reports+=("$base/pretrained" "${runs[@]}")
done

stage "Report"
$raven report "${reports[@]}" --out "$out/report.html"
python3 scripts/real_data_summary.py "$out"
