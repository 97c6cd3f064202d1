#!/usr/bin/env bash
# What needs a GPU, in some ten minutes of one: tests marked gpu, and speed beside what people would
# use instead, in bfloat16 with ViT-B/16, 16 frames and a language model of 1.7 billion parameters.
#
#   bash tools/gpu_check.sh [folder]                 # default: work_dirs/gpu_check
#
# Weights are random, so that nothing is downloaded. A part that fails does not keep the next one from
# running; the last line tells, and so does the exit status. Without a GPU it says so and ends with 3.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out="${1:-work_dirs/gpu_check}"
python="${PYTHON:-python}"
mkdir -p "$out"
export TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1 HF_HUB_OFFLINE="${HF_HUB_OFFLINE:-1}"

"$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || {
    echo "gpu_check: torch sees no CUDA device; run it where nvidia-smi lists one" >&2
    exit 3
}
{
    nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
    "$python" -c 'import torch; print("torch", torch.__version__, "CUDA", torch.version.cuda)'
} | tee "$out/machine.txt"

failed=()
part() {
    local name="$1"
    shift
    printf '\n[gpu_check %3d s] %s\n' "$SECONDS" "$name"
    "$@" 2>&1 | tee "$out/$name.log" || failed+=("$name")
}
speed() { "$python" tools/benchmark_speed.py --device cuda --dtype bfloat16 --frames 16 "$@"; }
# A random language model of 1.7 billion parameters: 24 layers of the width of SmolLM2-1.7B.
llm='{"model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 32,
      "intermediate_size": 8192, "vocab_size": 49152}'
# A training on real files, ViT-B/16 and 16 frames: how much of a step is waiting for data.
waiting() {
    local data="$out/miniature" work="$out/waiting"
    "$python" tools/data/charades/make_miniature.py "$data" --train 32 --test 2 --classes 32 --seconds 6 &&
        "$python" tools/train.py configs/ovmlv_charades.py --work-dir "$work" --cfg-options \
            train_dataloader.dataset.data_root="$data" val_dataloader.dataset.data_root="$data" \
            model.backbone.pretrained=None model.head.pretrained=None model.head.llm.name=smollm2 \
            train_cfg.max_epochs=8 train_cfg.val_interval=8 train_dataloader.batch_size=4 \
            default_hooks.logger.interval=4 &&
        "$python" - "$work" <<'PY'
import json, pathlib, statistics, sys

lines = sorted(pathlib.Path(sys.argv[1]).glob('*/vis_data/scalars.json'))[-1].read_text().splitlines()
steps = [row for row in map(json.loads, lines) if 'data_time' in row and 'loss' in row][4:]
share = [row['data_time'] / row['time'] for row in steps]
print(f'share of a step that waits for data: {statistics.median(share):.3f} of '
      f'{statistics.median(row["time"] for row in steps):.3f} s')
PY
}

part tests "$python" -m pytest -q -m gpu tests
part video_encoder speed --only video_encoder --batch 8 --out "$out/video_encoder"
part label_encoder speed --only label_encoder --labels 157 --llm "$llm" --out "$out/label_encoder"
part inference speed --only inference --batches 1 16 64 --out "$out/inference"
part compiled speed --only compiled --batch 8 --out "$out/compiled"
part waiting waiting

printf '\n[gpu_check %3d s] ' "$SECONDS"
if ((${#failed[@]})); then
    echo "failed: ${failed[*]}; logs are in $out"
    exit 1
fi
echo "all parts ran; logs are in $out"
