"""Run tasks of mteb (MVEB among them) on a model, or score all labels of local videos.

    python tools/analysis_tools/run_mteb.py --model motionshapes --motionshapes data/motionshapes
    python tools/analysis_tools/run_mteb.py --model my_model \\
        --annotations test.jsonl --videos videos/
    python tools/analysis_tools/run_mteb.py --model PE-Core-B-16/meta \\
        --tasks HMDB51ZeroShot UCF101VideoZeroShotClassification --out scores.json

With --motionshapes, the generated videos are made where they are missing; the tasks are mteb's own
zero-shot classification (of the background) and the multi-label task of ovmlv. Tasks by name are
downloaded by mteb, which decodes videos by torchcodec. Needs pip install "ovmlv[mteb]".
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ovmlv.cli.arguments import add_model_arguments, positive
from ovmlv.cli.targets import refuse_unwritable
from ovmlv.errors import ConfigError, DependencyError, reason_of
from ovmlv.files import read_json, read_json_lines, write_json
from ovmlv.utils.cli import add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool

VIDEOS = 200


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_model_arguments(parser)
    parser.add_argument('--tasks', nargs='+', default=[], metavar='NAME', help='tasks of mteb')
    parser.add_argument('--benchmark', metavar='NAME', help='all tasks of a benchmark of mteb')
    parser.add_argument('--annotations', metavar='FILE', help='annotations of local videos')
    parser.add_argument('--videos', metavar='DIR', help='their folder; default: that of FILE')
    parser.add_argument(
        '--motionshapes', metavar='DIR', help='folder of the generated videos, made if missing'
    )
    parser.add_argument(
        '--num-frames', type=positive, help="frames of a video; default: the model's"
    )
    parser.add_argument(
        '--batch-size', type=positive, default=8, help='videos at a time (default: %(default)s)'
    )
    parser.add_argument('--out', metavar='FILE', help='write all scores to this .json file')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> None:
    if not (args.tasks or args.benchmark or args.annotations or args.motionshapes):
        raise ConfigError(
            'there is nothing to run; give --tasks, --benchmark, --annotations or --motionshapes'
        )
    if args.out is not None:
        refuse_unwritable(args.out, '--out')
    try:
        import mteb
    except ImportError as error:
        raise DependencyError('mteb is not installed: pip install "ovmlv[mteb]"') from error
    from ovmlv.embedding_tasks import MTEBEncoder
    from ovmlv.embedding_tasks.multilabel_video_task import MultilabelVideoTask

    tasks: list[Any] = []
    if args.motionshapes:
        root = Path(args.motionshapes)
        make_videos(root)
        file, videos = root / 'annotations' / 'test.jsonl', root / 'videos'
        tasks += [background_task(root), MultilabelVideoTask(file, videos, name='MotionShapes')]
    if args.annotations:
        tasks.append(MultilabelVideoTask(args.annotations, args.videos))
    if args.tasks:
        tasks += _named(mteb.get_tasks, 'task', tasks=args.tasks)
    if args.benchmark:
        tasks += _named(mteb.get_benchmark, 'benchmark', benchmark_name=args.benchmark)
    encoder = MTEBEncoder(
        args.model,
        weights=args.weights,
        device=args.device,
        num_frames=args.num_frames,
        batch_size=args.batch_size,
        cfg_options=args.cfg_options,
    )
    found = mteb.evaluate(
        encoder, tasks, cache=None, encode_kwargs=dict(batch_size=args.batch_size)
    )
    rows = []
    for result in found.task_results:
        scores = json.loads(json.dumps(result.scores, default=float))
        rows.append(dict(task=result.task_name, scores=scores))
        for split, subsets in scores.items():
            for row in subsets:
                shown = {k: v for k, v in row.items() if isinstance(v, float) and k != 'main_score'}
                text = ', '.join(f'{name} {value:.4f}' for name, value in shown.items())
                print(f'{result.task_name} ({split}): {text}')
    if args.out is not None:
        meta = encoder.mteb_model_meta
        about = dict(model=meta.name, revision=meta.revision, mteb=mteb.__version__, tasks=rows)
        write_json(args.out, about, indent=1)


def _named(find: Any, kind: str, **names: Any) -> list[Any]:
    """Tasks that mteb knows by name."""
    try:
        return list(find(**names))
    except (KeyError, ValueError) as error:
        reason = reason_of(error)
        raise ConfigError(f'mteb has no such {kind} ({reason}); correct the name') from None


def make_videos(root: Path) -> None:
    """Generate the test videos of MotionShapes unless they are there."""
    from ovmlv.datasets.motionshapes.generate import generate

    if not (root / 'annotations' / 'test.jsonl').is_file():
        generate(root, {'test': VIDEOS})


def background_task(root: Path) -> Any:
    """mteb's own zero-shot class on the backgrounds of the generated videos."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
    from mteb.abstasks.zeroshot_classification import AbsTaskZeroShotClassification

    from ovmlv.embedding_tasks.multilabel_video_task import task_metadata

    classes = read_json(root / 'annotations' / 'classes.json')
    names = [name for name, about in classes.items() if about['group'] == 'background']
    found = [row for _, row in read_json_lines(root / 'annotations' / 'test.jsonl')]
    single = [(row, [v for v in row['labels'] if v in names]) for row in found]
    chosen = [(row['video'], here[0]) for row, here in single if len(here) == 1]

    class MotionShapesBackground(AbsTaskZeroShotClassification):
        metadata = task_metadata(
            'MotionShapesBackground', ['test'], 'VideoZeroshotClassification', 'accuracy'
        )
        input_column_name = 'video'

        def get_candidate_labels(self) -> list[str]:
            return [f'a video of {name}' for name in names]

    task = MotionShapesBackground()
    rows = dict(
        video=[str(root / 'videos' / video) for video, _ in chosen],
        label=[names.index(name) for _, name in chosen],
    )
    features = Features(video=Value('string'), label=ClassLabel(names=names))
    task.dataset = DatasetDict(test=Dataset.from_dict(rows, features=features))
    task.data_loaded = True
    return task


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
