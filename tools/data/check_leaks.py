"""Say which test labels, or near synonyms and inflections of them, occur in training.

    python tools/data/check_leaks.py CONFIG [--clip ViT-B-16 --pretrained openai] [--llm smollm2]
    python tools/data/check_leaks.py --split seen_unseen.json
    python tools/data/check_leaks.py --train seen.txt --test unseen.txt

For a config, the tool compares the labels that training uses (and the model's reference_vocabulary)
with the test labels that are not marked as seen. By spelling, it finds the same string, another
spelling (case, signs, joined words), inflections ("ran", "running"), and labels whose words are all
in another. By meaning, with --clip or --llm, it finds labels with close embeddings. It ends with
status 1 if test labels are in training as they are, in another spelling or inflected.
"""

from __future__ import annotations

import argparse
import sys

from ovmlv.files import write_json
from ovmlv.utils.cli import add_cfg_options, add_debug_argument, make_parser
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('config', nargs='?', help='config file')
    parser.add_argument(
        '--split',
        help='instead of a config: a label_split file; all labels but the seen ones are tested',
    )
    parser.add_argument(
        '--train', help='instead of a config: file of training labels (text, one a line, or JSON)'
    )
    parser.add_argument('--test', help='instead of a config: file of test labels, in the same form')
    parser.add_argument('--clip', help="compare meanings by this CLIP (open_clip's name or a JSON)")
    parser.add_argument('--pretrained', help='weights of --clip: tag or file')
    parser.add_argument('--llm', help='compare meanings by this language model, such as smollm2')
    parser.add_argument(
        '--threshold',
        type=float,
        help='cosine of neighbours (default: 0.9 for --clip, 0.5 for --llm)',
    )
    parser.add_argument('--no-parts', action='store_true', help='do not report shared words')
    parser.add_argument('--out', help='JSON file to write')
    add_cfg_options(parser)
    add_debug_argument(parser)
    return parser.parse_args(argv)


def read_labels(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Test labels that are to be unknown, and training labels."""
    from ovmlv.curation.config_datasets import config_datasets
    from ovmlv.errors import ConfigError, DataError
    from ovmlv.labels import load_label_attributes, load_labels

    given = [args.config is not None, args.split is not None, bool(args.train and args.test)]
    if sum(given) != 1 or (not given[2] and (args.train or args.test)):
        raise ConfigError('give one of: a config, --split, or both --train and --test')
    if args.split:
        split = load_label_attributes(args.split).get('split', {})
        return [v for v in split if split[v] != 'seen'], [v for v in split if split[v] == 'seen']
    if args.config is None:
        return load_labels(args.test), load_labels(args.train)
    cfg = load_config(args.config, args.cfg_options)
    sets, _ = config_datasets(cfg, ['train_dataloader'])
    train = [label for d in sets.values() for label in d.metainfo['classes']]
    reference = cfg.model.get('reference_vocabulary')
    if reference:
        train += load_labels(reference if isinstance(reference, str) else list(reference))
    sets, _ = config_datasets(cfg, ['test_dataloader'])
    test = []
    for dataset in sets.values():
        classes = dataset.metainfo['classes']
        splits = dataset.metainfo['class_attributes'].get('split') or [''] * len(classes)
        test += [label for label, split in zip(classes, splits) if split != 'seen']
    if not test:
        raise DataError(f'{args.config}: all test labels are marked as seen, nothing can leak')
    return test, train


def main(args: argparse.Namespace) -> int:
    """Compare and report."""
    from ovmlv.curation import find_leaks
    from ovmlv.errors import ConfigError

    if args.clip and args.llm:
        raise ConfigError('give --clip or --llm, not both')
    test, train = read_labels(args)
    embed = None
    if args.clip:
        from ovmlv.curation.label_embeddings import clip_embedder

        embed = clip_embedder(args.clip, args.pretrained)
    elif args.llm:
        from ovmlv.curation.label_embeddings import llm_embedder

        embed = llm_embedder(args.llm)
    threshold = args.threshold if args.threshold is not None else 0.5 if args.llm else 0.9
    report = find_leaks(test, train, embed, threshold, not args.no_parts)
    print(report.text())
    if args.out:
        write_json(args.out, report.as_dict(), indent=1, ensure_ascii=False)
    return int(any(v.kind in ('same', 'spelling', 'inflection') for v in report.leaks))


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
