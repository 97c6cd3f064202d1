"""Gather per-sample results of all processes so that none is lost and none counts twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mmengine.dist import all_gather_object, broadcast_object_list, collect_results, is_main_process

from ovmlv.errors import DataError


def gather_samples(
    results: list[dict], device: str = 'cpu', tmpdir: str | None = None
) -> list[dict] | None:
    """Every result of every process, on the main process.

    mmengine's ``collect_results`` interleaves the parts and cuts the list at the size of the data
    set, which is right only while every process yields one result for each sample in the sampler's
    order. Here nothing is cut: :func:`unique_samples` removes what a sampler repeated.

    Args:
        results: This process's results.
        device: Way to gather: ``cpu`` (through files) or ``gpu`` (through the backend), as in
            mmengine.
        tmpdir: Shared folder for ``cpu``.

    Returns:
        All results on the main process, None elsewhere.
    """
    total = sum(all_gather_object(len(results)))
    if device == 'cpu':
        return collect_results(results, total, device, tmpdir=tmpdir)
    return collect_results(results, total, device)


def unique_samples(
    results: Sequence[dict], size: int, allow_incomplete: bool = False
) -> list[dict]:
    """Drop repeated samples, check that the data set is complete, and sort.

    Args:
        results: Results with ``key`` (identity of the sample; its first entry is the sample's
            index).
        size: Length of the data set.
        allow_incomplete: Whether to accept a part of the data set (a debugging run over a few
            batches).

    Returns:
        One result for each sample, in the data set's order.

    Raises:
        DataError: Samples are missing, or there are more than the data set holds.
    """
    unique: dict[Any, dict] = {}
    for result in results:
        unique.setdefault(result['key'], result)
    found = len(unique)
    if found > size or (found < size and not allow_incomplete):
        present = {key[0] for key in unique}
        missing = [i for i in range(size) if i not in present][:5]
        first = f' (first missing indices {missing})' if missing else ''
        raise DataError(
            f'{found} different samples reached the metric but the data set has {size}{first}: '
            'check the sampler and drop_last, concatenate no data set with itself, or set '
            'allow_incomplete=True'
        )
    return [unique[key] for key in sorted(unique)]


def run_on_main(function: Callable[[], dict]) -> dict:
    """Run ``function`` on the main process and give its value to all processes.

    An error is raised on every process; if it were raised on the main one alone, the others would
    wait for ever.
    """
    box: list[Any] = [None, None]
    if is_main_process():
        try:
            box[0] = function()
        except Exception as error:  # handed to all processes below
            box[1] = error
    broadcast_object_list(box)
    if box[1] is not None:
        raise box[1]
    return box[0]
