#!/usr/bin/env bash
# From a fresh clone to a trained open-vocabulary tagger, some 6 minutes on two cores:
# environment, videos, zero-shot test, training, test, a table and a picture.
#
#   bash tools/quickstart.sh
#
# A second run reuses what is there; remove work_dirs/quickstart to train anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup_env.sh

config=configs/ovmlv_toybox.py
out=work_dirs/quickstart
# States of the language model, which training, test and picture would each compute; and that a
# dog that runs is a dog, and runs.
options=("model.head.readout.cache_dir=$out/states"
    model.label_parts=data/toybox/annotations/parts.json)
mkdir -p "$out"
export TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1 HF_HUB_OFFLINE="${HF_HUB_OFFLINE:-1}"
say() { printf '\n[quickstart %3d s] %s\n' "$SECONDS" "$*"; }
# Whole logs go to files; of the screen's copy, what tells how far it is.
show() { grep --line-buffered -E 'Epoch\((train|val|test)\)|^(mAP|all|seen|unseen|novel|harmonic)|rror' |
    sed -u -E 's/^(.{150}).*/\1/'; }

say "1/5 videos of Toybox (data/toybox)"
"$PYTHON" tools/data/toybox/generate_videos.py --train 2880 --val 50 --test 0 --test-held-out 500

say "2/5 zero-shot test of the tiny CLIP"
[ -f "$out/zero_shot.json" ] ||
    "$PYTHON" tools/test.py configs/zeroshot_toybox.py --work-dir "$out/zero_shot" \
        --out "$out/zero_shot.json" 2>&1 | tee "$out/zero_shot.log" | show

say "3/5 training $config"
if [ ! -f "$out/trained" ]; then
    # Two thirds of the epochs of the config, on three fifths of its videos; the test follows at once.
    "$PYTHON" tools/train.py "$config" --work-dir "$out/train" --resume \
        --cfg-options "${options[@]}" train_cfg.max_epochs=8 train_cfg.val_begin=9 2>&1 |
        tee "$out/train.log" | show
    touch "$out/trained"
fi

say "4/5 test of the trained model"
checkpoint="$(cat "$out/train/last_checkpoint")"
[ -f "$out/trained.json" ] && [ "$out/trained.json" -nt "$checkpoint" ] ||
    "$PYTHON" tools/test.py "$config" "$checkpoint" --work-dir "$out/test" \
        --out "$out/trained.json" --dump "$out/predictions.safetensors" \
        --cfg-options "${options[@]}" 2>&1 | tee "$out/test.log" | show

say "5/5 table and contact sheet"
"$PYTHON" tools/analysis_tools/compare_results.py \
    "zero-shot tiny CLIP=$out/zero_shot.json" "trained ovmlv=$out/trained.json" \
    --kinds entity action --markdown "$out/results.md" --require
[ "$out/contact_sheet.png" -nt "$checkpoint" ] ||
    "$PYTHON" tools/analysis_tools/contact_sheet.py "$config" \
        --scores "$out/predictions.safetensors" --out "$out/contact_sheet.png" \
        --min-probability 0.25 --said novel
say "done: $out/results.md, $out/contact_sheet.png, $checkpoint"
