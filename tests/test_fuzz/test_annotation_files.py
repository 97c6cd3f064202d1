"""Spoilt annotation files of every data set: all rows, or one line that says what is wrong."""

from __future__ import annotations

import functools
import json
import logging
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovmlv.datasets.formats.annotation_files import read_annotation_file
from ovmlv.registry import DATASETS
from ovmlv.utils import register_all_modules
from tests.test_fuzz.cases import attempt, cases, generators
from tests.test_fuzz.mutations import mutator_for
from tests.test_integration.miniatures import MINIATURES

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
VIDEOS = {'.mp4', '.mkv', '.webm', '.avi'}
GENERIC = {
    'a.jsonl': '{"video": "a.mp4", "labels": ["a dog", "run"], "unknown": ["b"]}\n'
    '{"video": "b.mp4", "labels": [], "segment": [0.5, 2], "extra": {"k": 1}}\n',
    'a.json': '[{"video": "a.mp4", "labels": ["a dog"]}, {"video": "b.mp4", "labels": ["x"]}]',
    'a.csv': 'video,labels,start,end\na.mp4,a dog;run,0,2.5\n"b, c.mp4",,,\n',
    'a.tsv': 'video\tlabels\tvideo_id\na.mp4\ta dog;run\tv1\nb.mp4\tx\tv2\n',
    'a.txt': 'a.mp4 0 2\nb c.mp4 1\nd.mp4 1 2\n',
}


@pytest.fixture(scope='module', autouse=True)
def registered():
    register_all_modules(init_default_scope=False)


@pytest.fixture(scope='module')
def layouts(tmp_path_factory):
    """Config name -> data sets of its loaders, and the annotation files that they read."""
    found = {}

    def get(name):
        if name not in found:
            root = tmp_path_factory.mktemp(name)
            expected = MINIATURES[name](root)
            cfg = Config.fromfile(CONFIGS / f'{name}.py')
            sets = [
                dict(cfg[loader].dataset, data_root=str(expected.root), serialize_data=False)
                for loader in ('train_dataloader', 'val_dataloader')
            ]
            files = [p for p in sorted(root.rglob('*')) if p.is_file()]
            files = [p for p in files if p.suffix.lower() not in VIDEOS]
            found[name] = sets, {path: path.read_bytes() for path in files}
        return found[name]

    return get


def read(sets):
    """Labels and samples of data sets, as text."""
    found = []
    with DefaultScope.overwrite_default_scope('ovmlv'):
        for cfg in sets:
            dataset = DATASETS.build(dict(cfg))
            rows = [dataset.get_data_info(i) for i in range(len(dataset))]
            found.append((list(dataset.metainfo['classes']), rows))
    return repr(found)


@pytest.mark.parametrize('numbers', cases('annotation'))
@pytest.mark.parametrize('name', sorted(MINIATURES))
def test_official_files(layouts, name, numbers):
    sets, files = layouts(name)
    whole = read(sets)
    for number, rng in generators(numbers, name):
        path = list(files)[rng.integers(len(files))]
        spoilt = mutator_for(path.name)(files[path], rng)
        try:
            path.write_bytes(spoilt)
            case = (name, number, path.name)
            result = attempt(lambda: read(sets), case)
            if result is not None:
                assert result == attempt(lambda: read(sets), case)  # the same twice
        finally:
            path.write_bytes(files[path])
    assert read(sets) == whole


@pytest.mark.parametrize('numbers', cases('junk'))
@pytest.mark.parametrize('name', sorted(MINIATURES))
def test_a_line_that_is_not_understood_never_vanishes(layouts, name, numbers, caplog):
    sets, files = layouts(name)
    lists = [p for p in files if p.suffix.lower() in ('.csv', '.txt', '.jsonl')]
    lists = [p for p in lists if p.name != 'readme.txt']
    if not lists:
        pytest.skip('no file of lines')
    before = read(sets)
    for number, rng in generators(numbers, name):
        path = lists[rng.integers(len(lists))]
        lines = files[path].split(b'\n')
        lines.insert(rng.integers(1, len(lines)), b'zz9 zz9')
        caplog.clear()
        try:
            path.write_bytes(b'\n'.join(lines))
            with caplog.at_level(logging.INFO):
                result = attempt(lambda: read(sets), (name, number, path.name))
        finally:
            path.write_bytes(files[path])
        said = 'zz9' in caplog.text
        unread = result == before and not _is_read(sets, path, files[path])
        assert result is None or 'zz9' in result or said or unread, (name, number, path.name)


def _is_read(sets, path, content):
    """Whether these data sets read a file at all: they do not work without it."""
    path.unlink()
    try:
        return attempt(lambda: read(sets), path.name) is None
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize('numbers', cases('generic'))
@pytest.mark.parametrize('name', sorted(GENERIC))
def test_generic_files(tmp_path, name, numbers):
    classes = ['a dog', 'run', 'x']
    for number, rng in generators(numbers, name):
        path = tmp_path / name
        path.write_bytes(mutator_for(name)(GENERIC[name].encode(), rng))
        read_it = functools.partial(read_annotation_file, str(path), classes=classes)
        rows = attempt(read_it, (name, number))
        if rows is None:
            continue
        for row in rows:
            assert row.video.strip() and all(label.strip() for label in row.labels), number
            json.dumps([row.video, *row.labels]).encode()
            if row.segment is not None:
                assert 0 <= row.segment[0] <= row.segment[1] < float('inf'), (number, row)
