#!/usr/bin/env bash
# From a bare machine to word error rates: set-up, build, a corpus of talking mouths, preparation, pre-training of a tiny RAVEn,
# fine-tuning with 300 labelled clips (lips and sound, pre-trained and from random weights), a round of self-training (lips label the
# other clips, sound learns from them), decoding of unseen speakers, and the text of a film.
#
#   scripts/quickstart.sh [FOLDER=runs/quickstart]
#
# 40 to 70 minutes on two cores, a third of it set-up and build. Stopped at any point (Ctrl-C, power cut), the same command goes
# on where it was. RAVEN_QUICKSTART_UTTERANCES (2200), RAVEN_QUICKSTART_STEPS and RAVEN_QUICKSTART_FINETUNE_STEPS shrink it;
# RAVEN_QUICKSTART_SEED trains with another seed (42), in a FOLDER of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in -h|--help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
folder=${1:-runs/quickstart}
utterances=${RAVEN_QUICKSTART_UTTERANCES:-2200}
steps=${RAVEN_QUICKSTART_STEPS:-}
finetune_steps=${RAVEN_QUICKSTART_FINETUNE_STEPS:-}
lengths=() finetune_lengths=()  # of shrunk runs, whose warm-up must be shorter, too
[ -z "$steps" ] || lengths=("train.steps=$steps" "optimizer.warmup_steps=$((steps / 5 < 80 ? steps / 5 : 80))")
[ -z "$finetune_steps" ] ||
  finetune_lengths=("train.steps=$finetune_steps" "optimizer.warmup_steps=$((finetune_steps / 5 < 50 ? finetune_steps / 5 : 50))")
seed=${RAVEN_QUICKSTART_SEED:+run.seed=$RAVEN_QUICKSTART_SEED}
start=$SECONDS
stage() { printf '\n== %s (minute %d)\n' "$*" $(((SECONDS - start) / 60)); }

stage "Set-up and build"
scripts/setup.sh ${Torch_ROOT:+--torch "$Torch_ROOT"}
scripts/build.sh release
raven=build/release/bin/raven
mkdir -p "$folder"

stage "Corpus: $utterances clips of talking faces, real .mp4 files, in $folder/corpus"
$raven synth --out "$folder/corpus" --utterances "$utterances" --speakers 50 --seed 1 --kind grid

stage "Preparation: mouth crops and audio as shards, in $folder/data"
$raven prepare "$folder/corpus" --out "$folder/data" --hold-out auto
$raven data stats "$folder/data/manifest.tsv"
$raven data show "$folder/data/manifest.tsv" --config quickstart.yaml --out "$folder/contact_sheet.png"

# Trained on, watched meanwhile, and told at the end: three lists without a clip in common.
lists=("data.manifest=[$folder/data/pretrain.tsv, $folder/data/trainval.tsv]" "data.valid_manifest=$folder/data/valid.tsv"
  "data.test_manifest=[$folder/data/test.tsv]")

stage "Pre-training, in $folder/run"
$raven pretrain --config quickstart.yaml run.dir="$folder/run" "${lists[@]}" "${lengths[@]}" $seed

stage "Vocabulary: the words of the training clips, in $folder/words.model"
$raven tokenizer train "$folder/data/pretrain.tsv" "$folder/data/trainval.tsv" --kind word --out "$folder/words"

labels=()  # a shrunk corpus is shorter than the recipe's labelled part: about an eighth of it
[ "$utterances" -ge 600 ] || labels=("data.labelled_hours=$(awk "BEGIN {print $utterances * 0.0003}")")
finetune() {  # finetune NAME MODALITY WEIGHTS [key=value ...]: one core each
  local name=$1 modality=$2 weights=$3
  shift 3
  $raven finetune --config "finetune/quickstart_$modality.yaml" run.dir="$folder/$name" threads=1 model.init="$weights" \
    "${lists[@]}" text.model="$folder/words.model" "${labels[@]}" "${finetune_lengths[@]}" $seed "$@"
}
both() {  # both A B: two of the runs below side by side, each with a log of its own
  local jobs=() failed=0 name job
  for name in "$1" "$2"; do
    "$name" >"$folder/$name.log" 2>&1 &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=$?; done
  for name in "$1" "$2"; do tail -n 1 "$folder/$name.log"; done
  [ "$failed" -eq 0 ] || exit "$failed"
}
video_pretrained() { finetune video_pretrained video "$folder/run"; }
video_random() { finetune video_random video "" model.frozen=none; }
audio_pretrained() { finetune audio_pretrained audio "$folder/run"; }
audio_random() { finetune audio_random audio "" model.frozen=none; }

stage "Fine-tuning with 300 labelled clips: lip reading, pre-trained and from random weights, in $folder/video_*"
both video_pretrained video_random
stage "Fine-tuning with 300 labelled clips: speech recognition, pre-trained and from random weights, in $folder/audio_*"
both audio_pretrained audio_random

stage "Self-training: lips label the clips without transcripts, sound learns from them, in $folder/selftrain"
printf -v student "'%s', " "${lists[@]}" "model.init=$folder/run" "text.model=$folder/words.model" "${labels[@]}" "${finetune_lengths[@]}"
$raven selftrain labeller="$folder/video_pretrained" "unlabelled.manifest=[$folder/data/pretrain.tsv, $folder/data/trainval.tsv]" \
  student.config=finetune/quickstart_audio.yaml "student.set=[${student%, }]" run.dir="$folder/selftrain" $seed \
  decode.beam_size=10 decode.ctc_weight=0.3

stage "Evaluation on unseen speakers and sentences"
for name in video_pretrained video_random audio_pretrained audio_random selftrain/round_1/student; do
  $raven evaluate model="$folder/$name" "data.manifest=$folder/data/test.tsv" decode.beam_size=10 decode.ctc_weight=0.3 --replace >"$folder/$name/wer.txt"
done

stage "Text of a film: its face is found, lips and sound are read, in $folder/transcripts"
film=$(find "$folder/corpus/test" -name '*.mp4' | sort | head -n 1)
$raven transcribe "$film" --model "$folder/video_pretrained" --model "$folder/audio_pretrained" --out "$folder/transcripts" \
  --format txt,json,srt --annotate "$folder/annotated.mp4" decode.beam_size=10 decode.ctc_weight=0.3

stage "Report: all runs side by side"
$raven report "$folder"/{run,video_pretrained,video_random,audio_pretrained,audio_random,selftrain,transcripts} --out "$folder/report.html"

stage "Done"
python3 scripts/quickstart_summary.py "$folder"
cat <<EOF

  corpus          $folder/corpus
  shards          $folder/data/shards
  contact sheet   $folder/contact_sheet.png   (what the model sees: crops, flips, masks)
  loss curves     $folder/run/curves.svg
  pre-trained     $folder/run/encoders
  recognizers     $folder/*/recognizer.safetensors
  pseudo-labels   $folder/selftrain/round_1/labels.tsv, label_errors.tsv
  a film's text   $folder/transcripts         (annotated.mp4 beside it shows what was read, and where)
  word errors     $folder/*/evaluate/test     (alignments.txt, wer.json, hyp.trn and ref.trn for sclite)
  report          $folder/report.html         (curves, word errors, worst utterances with their mouths)
  metrics         $folder/*/metrics.jsonl     (TensorBoard: $folder/*/tensorboard)

Next: docs/own_data.md for your own videos, docs/finetuning.md, configs/lrs3.yaml for RAVEn Base on LRS3.
EOF
