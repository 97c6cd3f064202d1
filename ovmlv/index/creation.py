"""Beginning an index, and comparing one with a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ovmlv.apis import OVMLVInferencer
from ovmlv.apis.video_reader import find_test_pipeline
from ovmlv.errors import ConfigError

from .index_writer import LOCK, IndexWriter
from .lance_tables import VIDEOS, WINDOWS
from .settings import FILE, IndexSettings, ModelName, Reading
from .video_encoder_identity import VideoEncoderIdentity


def as_inferencer(
    model: Any,
    weights: Any = None,
    device: Any = None,
    calibration: Any = None,
    cfg_options: Any = None,
) -> OVMLVInferencer:
    """An inferencer as it is, or one of a model; see :class:`~ovmlv.apis.OVMLVInferencer`.

    Raises:
        ConfigError: Something is given beside an inferencer, which has it.
    """
    if isinstance(model, OVMLVInferencer):
        given = dict(
            weights=weights, device=device, calibration=calibration, cfg_options=cfg_options
        )
        named = [name for name, value in given.items() if value is not None]
        if named:
            raise ConfigError(
                f'{named[0]} is given beside an inferencer, which has its own; leave it out, or '
                'make the inferencer with it'
            )
        return model
    return OVMLVInferencer(model, weights, device, calibration=calibration, cfg_options=cfg_options)


def new_settings(
    inferencer: OVMLVInferencer,
    name: ModelName,
    window: float | None,
    stride: float | None,
    num_frames: int | None,
    num_clips: int | None,
    thumbnail: int,
) -> IndexSettings:
    """What an index of this model is made with.

    Raises:
        ConfigError: A stride without a window, or a thumbnail of negative size.
    """
    if thumbnail < 0:
        raise ConfigError(f'thumbnail={thumbnail} must be pixels, or 0 for none')
    if window is None and stride is not None:
        raise ConfigError(f'stride={stride:g} needs a window; give window, in seconds')
    steps = inferencer.pipeline
    steps = find_test_pipeline(inferencer.model.cfg) if steps is None else steps
    pipeline = json.dumps([_plain(step) for step in steps])
    reading = Reading(window, stride, num_frames, num_clips, pipeline)
    return IndexSettings(_identity(inferencer).to_dict(), reading, name, thumbnail)


def begin_index(
    folder: Path, settings: IndexSettings, thumbnail: int | None = None, tables: bool = True
) -> IndexSettings:
    """Make an index without videos, or compare the settings with those of the one that is there.

    Args:
        folder: Folder of the index.
        settings: The settings of a new index.
        thumbnail: Size of thumbnails, if one was asked for.
        tables: Whether to make the tables, which one process alone may do; else the settings are
            written, and the first writer makes the tables.

    Raises:
        CheckpointError: It was made by another model.
        ConfigError: It reads videos otherwise, or the folder holds other things.
    """
    if (folder / FILE).is_file():
        found = IndexSettings.load(folder)
        known = VideoEncoderIdentity(**found.encoder)
        known.check(VideoEncoderIdentity(**settings.encoder), f'index {folder}')
        found.reading.check(settings.reading, f'index {folder}')
        if thumbnail not in (None, found.thumbnail):
            raise ConfigError(
                f'index {folder} was made with thumbnail={found.thumbnail}, not {thumbnail}; leave '
                'it out, or make a new index in another folder'
            )
        return found
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f'index {folder} is a file; give a new or empty folder')
    # What a process leaves that is killed while it begins.
    ours = {LOCK, f'{VIDEOS}.lance', f'{WINDOWS}.lance'}
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    other = [name for name in names if name not in ours and not name.startswith('.')]
    if other:
        raise ConfigError(f'{folder} holds other things ({other[0]}); give a new or empty folder')
    if tables:
        with IndexWriter(folder, settings):
            return IndexSettings.load(folder)
    settings.save(folder)
    return begin_index(folder, settings, thumbnail)  # another may have written at this moment


def open_for(
    settings: IndexSettings, model: Any, options: Mapping[str, Any], folder: Path
) -> OVMLVInferencer:
    """The model of an index, compared with it; see :class:`~ovmlv.index.VideoIndex`."""
    options = dict(options)
    if model is None:
        name = settings.model
        name.refuse_program(folder)
        model = name.model
        options.update(weights=name.weights, cfg_options=name.cfg_options)
    inferencer = as_inferencer(model, **options)
    check_model(settings, inferencer, folder)
    return inferencer


def name_to_open(
    model: Any, options: Mapping[str, Any], settings: IndexSettings, folder: Path
) -> ModelName:
    """The name by which another process opens the model of an index.

    Args:
        model: What was given as the model; None takes the one that the index was made with.
        options: ``weights`` and ``cfg_options`` that were given with it.
        settings: Settings of the index.
        folder: Folder of the index.

    Raises:
        ConfigError: The model was made in Python and has no name, or it is a program that only the
            index names.
    """
    if isinstance(model, ModelName):
        return model
    if model is None:
        settings.model.refuse_program(folder)
        return settings.model
    name = ModelName.of(model, options.get('weights'), options.get('cfg_options'))
    if name.model is None:
        raise ConfigError(
            'the model was made in this process, and other processes open a model by its name; '
            'give the index its name (a config, folder or architecture)'
        )
    return name


def check_model(settings: IndexSettings, inferencer: OVMLVInferencer, folder: Path) -> None:
    """Raise a ``CheckpointError`` if the index was made by another model."""
    VideoEncoderIdentity(**settings.encoder).check(_identity(inferencer), f'index {folder}')


def _identity(inferencer: OVMLVInferencer) -> VideoEncoderIdentity:
    """The identity, as it comes back from JSON."""
    found = VideoEncoderIdentity.of(inferencer.model).to_dict()
    return VideoEncoderIdentity(**json.loads(json.dumps(found)))


def _plain(step: Any) -> Any:
    """A transform as values of JSON, the same in every process."""
    if isinstance(step, dict):
        return {str(key): _plain(step[key]) for key in sorted(step, key=str)}
    if isinstance(step, (list, tuple)):
        return [_plain(value) for value in step]
    if isinstance(step, (str, int, float, bool, type(None))):
        return step
    return type(step).__name__
