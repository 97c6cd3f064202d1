"""Configurations of dual encoders, of which nothing leads to code, other files or addresses."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ovmlv.errors import CheckpointError, ConfigError, reason_of
from ovmlv.files import read_json

from .families import FAMILIES, Family
from .names import Source
from .tokenizing import ByteRowTokenizer

#: What the parts of a dual encoder may be; transformers would build any of its models there.
_PARTS = {
    *FAMILIES,
    *(f'{name}_{part}_model' for name in FAMILIES for part in ('vision', 'text')),
    *('pe_video_encoder', 'pe_audio', 'pe_audio_encoder', 'pe_audio_video_encoder'),
    *('modernbert', 'timm_wrapper', 'dac'),
}
#: Outputs of a classifier that no configuration names a number for.
_TRANSFORMERS_LABELS = 2
_TIMM_NAME = re.compile(r'[\w.]+')
_LEADS_OUT = re.compile(r'path|file|url|dir|checkpoint|pretrained|hub|source|cache')


def read_configuration(source: Source) -> tuple[Any, Family]:
    """The configuration of a folder, or of a name on the hub.

    Raises:
        CheckpointError: It would lead to code, to other files or to an address.
        ConfigError: It is of no dual encoder that is known here.
        FileNotFoundError: It cannot be found or downloaded.
    """
    from transformers import AutoConfig

    where = f'{source.place}/config.json'
    if source.is_folder:
        if (Path(source.place) / 'adapter_config.json').is_file():
            raise CheckpointError(
                f'{source.place} is an adapter of other weights; merge the two and name the result'
            )
        content = read_json(Path(source.place) / 'config.json', 'configuration')
        family_of(content, where)
        refuse_programs(content, where)
    config = fetched(AutoConfig.from_pretrained, source, 'a configuration')
    family = family_of(config.to_dict(), where)
    refuse_programs(config.to_dict(), where)
    return _of_sight(config), family


def make_configuration(fields: Mapping[str, Any]) -> tuple[Any, Family]:
    """The configuration that a config gives as a dict with its ``model_type``."""
    from transformers import AutoConfig

    content = _plain(fields)
    family = family_of(content, 'model_name')
    refuse_programs(content, 'model_name')
    model_type = content.pop('model_type')
    text = content.setdefault('text_config', {})
    bytes_alone = dict(
        vocab_size=ByteRowTokenizer.vocab_size,
        pad_token_id=ByteRowTokenizer.padding,
        bos_token_id=ByteRowTokenizer.begin,
        eos_token_id=ByteRowTokenizer.end,
    )
    if model_type.startswith('pe_'):
        bytes_alone.update(cls_token_id=ByteRowTokenizer.begin, sep_token_id=ByteRowTokenizer.end)
    if 'vocab_size' not in text:
        content['text_config'] = {**bytes_alone, **text}
    try:
        with quiet():
            return _of_sight(AutoConfig.for_model(model_type, **content)), family
    except Exception as error:  # of any kind: configurations check themselves in many ways
        raise ConfigError(
            f'model_name: transformers cannot read this configuration of {model_type} '
            f'({reason_of(error)}); correct it'
        ) from error


def family_of(content: Any, where: str) -> Family:
    """The family of a configuration's ``model_type``.

    Raises:
        ConfigError: It is of no dual encoder that is known here.
    """
    found = content.get('model_type') if isinstance(content, Mapping) else None
    if not isinstance(found, str) or found not in FAMILIES:
        raise ConfigError(
            f'{where}: model_type={found!r} is of no dual encoder that is known here; known are '
            f'{", ".join(FAMILIES)}'
        )
    return FAMILIES[found]


def refuse_programs(content: Mapping[str, Any], where: str) -> None:
    """Raise a :class:`CheckpointError` if a configuration leads out of its own folder."""
    waiting: list[tuple[str, Any]] = [('', content)]
    while waiting:
        place, part = waiting.pop()
        if isinstance(part, (list, tuple)):
            waiting += [(place, value) for value in part]
            continue
        if not isinstance(part, Mapping):
            continue
        for key, value in part.items():
            here = f'{place}{key}'
            bad = (
                (key == 'model_type' and value is not None and value not in _PARTS)
                or ('attn_implementation' in str(key) and '/' in str(value))
                or (key == 'architecture' and not _TIMM_NAME.fullmatch(str(value)))
                or (key == 'quantization_config' and value is not None)
                or ('model_args.' in here and (_LEADS_OUT.search(str(key)) or '/' in str(value)))
            )
            if bad:
                raise CheckpointError(
                    f'{where}: {here}={str(value)[:80]!r} may lead to a program, another file or '
                    'an address; remove it'
                )
            waiting.append((f'{here}.', value))


def fetched(function: Any, source: Source, what: str, **kwargs: Any) -> Any:
    """Call a ``from_pretrained`` without progress bars; its page-long errors become one line.

    Raises:
        FileNotFoundError: There is no such file, or it cannot be downloaded.
        CheckpointError: A file is damaged.
    """
    if not source.is_folder:
        kwargs['revision'] = source.revision or 'main'
    try:
        with quiet():
            return function(source.place, trust_remote_code=False, **kwargs)
    except Exception as error:  # of whatever the files of a folder lead transformers to
        kind = FileNotFoundError if isinstance(error, (OSError, ValueError)) else CheckpointError
        raise kind(
            f'model_name: {source.place} has no {what.removeprefix("a ")} that transformers reads '
            f'({reason_of(error)[:200]}); give a folder that save_pretrained wrote, or a name of '
            'the hub'
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from bars, and from reports of what becomes an error here."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    try:
        # PeVideoModel prints of its own docstrings (5.23), and what is printed may be a result.
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _of_sight(config: Any) -> Any:
    """The part of PE-AV that sees, with the size of its image tower's output.

    transformers 5.23 writes that size as the number of names of classes and as ``num_classes``, of
    which it reads neither in a configuration within another one: it would build two outputs.
    """
    if config.model_type == 'pe_audio_video':
        config = config.video_config
    if config.model_type == 'pe_video':
        tower = config.video_config.vision_config
        known = vars(tower)
        if known.get('label_names'):
            tower.num_labels = len(known['label_names'])
        elif tower.num_labels == _TRANSFORMERS_LABELS and known.get('num_classes'):
            tower.num_labels = int(known['num_classes'])
    return config


def _plain(value: Any) -> Any:
    """A copy in dicts and lists, whatever kinds of them a config has."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
