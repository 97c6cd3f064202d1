"""Predictions as a table in a Parquet file, for programs that are not ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ovmlv.errors import DataError
from ovmlv.parquet_rows import ParquetRows

from .predictions import Predictions

#: Rows of the table that are in memory at once.
_AT_ONCE = 1_000_000
_COLUMNS = dict(
    sample='int64', video='string', row='int64', label='string', score='float32', target='int8?',
    broken='bool',
)  # fmt: skip


def write_predictions_table(predictions: Predictions, path: str | Path) -> Path:
    """Write a row for each sample and label.

    The columns are ``sample`` (its index in the data set), ``video`` (its path, or else its
    identity), ``row`` (from 0 within a sample that has a table of scores), ``label``, ``score``,
    ``target`` (1, 0, or null where it is unknown) and ``broken`` (the video could not be read).

    Args:
        predictions: The predictions; without names of classes, labels are numbers.
        path: The file.

    Raises:
        DataError: There are more or fewer names than scores of a sample.
    """
    classes = [str(name) for name in predictions.meta.get('classes') or ()]
    scores = predictions.scores.numpy()
    width = scores.shape[1]
    if classes and len(classes) != width:
        raise DataError(f'{path}: scores of {width} labels, but {len(classes)} classes')
    labels = np.array(classes or [str(i) for i in range(width)], object)
    targets = predictions.targets.numpy()
    lengths = predictions.rows.clamp(min=1).numpy()
    sample = np.repeat(np.arange(len(lengths)), lengths)
    row = np.arange(len(sample)) - np.repeat(lengths.cumsum() - lengths, lengths)
    names = zip(predictions.filenames, predictions.video_ids, strict=True)
    videos = np.array([name or identity for name, identity in names], object)
    step = max(1, _AT_ONCE // max(1, width))
    with ParquetRows(path, _COLUMNS) as out:
        for start in range(0, len(scores), step):
            part = slice(start, start + step)
            own = sample[part].repeat(width)
            known = targets[part].ravel()
            out.add_columns(
                predictions.sample_idx.numpy()[own],
                videos[own],
                row[part].repeat(width),
                np.tile(labels, len(sample[part])),
                scores[part].ravel(),
                [None if target < 0 else target for target in known.tolist()],
                predictions.broken.numpy()[own],
            )
    return Path(path)
