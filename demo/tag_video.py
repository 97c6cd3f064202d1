"""Tag a video with any labels.

    python demo/tag_video.py VIDEO --labels "red circle" "a circle spinning" "checkered background"
    python demo/tag_video.py VIDEO VIDEO --labels-file labels.txt --top-k 5 --json

Without --config, the model of tools/quickstart.sh is used: the newest checkpoint of it, and where
there is none, the shipped tiny CLIP as it is (zero-shot). With --config and no --checkpoint, the
model is what that config initialises.

Exit status: 0, or 2 with one line on stderr if a video, label or setting cannot be used.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs' / 'ovmlv_motionshapes.py'
ZERO_SHOT = ROOT / 'configs' / 'zeroshot_motionshapes.py'
#: Where tools/quickstart.sh and a plain tools/train.py put the checkpoints of CONFIG.
WORK_DIRS = (ROOT / 'work_dirs' / 'quickstart' / 'train', ROOT / 'work_dirs' / 'ovmlv_motionshapes')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('video', nargs='+', help='video file')
    labels = parser.add_mutually_exclusive_group(required=True)
    labels.add_argument('--labels', nargs='+', metavar='LABEL', help='labels')
    labels.add_argument('--labels-file', help='text file with one label a line')
    parser.add_argument('--config', help='config file of the model')
    parser.add_argument('--checkpoint', help='checkpoint file; needs --config')
    parser.add_argument('--top-k', type=int, help='print the k most probable labels only')
    parser.add_argument('--json', action='store_true', help='print one JSON object a video')
    parser.add_argument('--num-frames', type=int, help='frames of a clip (as the config has it)')
    parser.add_argument('--num-clips', type=int, help='clips to average over (as the config has)')
    parser.add_argument('--device', help='such as cpu or cuda:0')
    parser.add_argument('--debug', action='store_true', help='show the traceback of errors')
    # Intermixed, so that videos may also stand behind options.
    args = parser.parse_intermixed_args(argv)
    if args.checkpoint and not args.config:
        parser.error('--checkpoint needs the --config that it was trained with')
    if args.top_k is not None and args.top_k < 1:
        parser.error(f'--top-k {args.top_k}: give at least 1')
    return args


def choose_model(config: str | None, checkpoint: str | None) -> tuple[str, str | None, str]:
    """Config, checkpoint, and one line that says what they are."""
    if config is not None:
        return config, checkpoint, f'{config}, {checkpoint or "no checkpoint: zero-shot"}'
    found = [path for folder in WORK_DIRS for path in folder.glob('*.pth')]
    if found:
        newest = max(found, key=lambda path: path.stat().st_mtime)
        return str(CONFIG), str(newest), f'{_short(CONFIG)}, {_short(newest)}'
    return (
        str(ZERO_SHOT),
        None,
        f'{_short(ZERO_SHOT)}: the tiny CLIP, zero-shot, which knows no motion; '
        'bash tools/quickstart.sh trains a model',
    )


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def main(args: argparse.Namespace) -> None:
    from ovmlv.apis import init_recognizer, tag_video
    from ovmlv.apis.label_source import unique_labels
    from ovmlv.datasets.vocabulary import load_labels

    config, checkpoint, what = choose_model(args.config, args.checkpoint)
    print(f'model: {what}', file=sys.stderr, flush=True)
    # Logs go to stdout by default; what is printed there shall be the result alone.
    with contextlib.redirect_stdout(sys.stderr):
        labels = unique_labels(load_labels(args.labels_file) if args.labels_file else args.labels)
        for video in args.video:
            if not Path(video).is_file():  # before the model is built
                raise FileNotFoundError(f'video {video} not found; give the path of a video file')
        model = init_recognizer(config, checkpoint, args.device)
    for i, video in enumerate(args.video):
        with contextlib.redirect_stdout(sys.stderr):
            result = tag_video(
                model, video, labels, num_frames=args.num_frames, num_clips=args.num_clips
            )
        if args.json:
            print(json.dumps(result.to_dict(args.top_k), ensure_ascii=False), flush=True)
        else:
            print(('\n' if i else '') + result.table(args.top_k), flush=True)


if __name__ == '__main__':
    from ovmlv.utils.cli import run_tool

    sys.exit(run_tool(main, parse_args()))
