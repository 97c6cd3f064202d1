"""The code of docs/fiftyone.md: the format of its samples, and FiftyOne's own reader of them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from ovmlv.index.parquet_file import write_parquet
from ovmlv.results import TagResult, Window

KINDS = {
    'VideoMetadata': {'frame_width': int, 'frame_height': int, 'frame_rate': float,
                      'total_frame_count': int, 'duration': float},
    'Classifications': {'classifications': list},
    'Classification': {'label': str, 'confidence': float},
    'TemporalDetections': {'detections': list},
    'TemporalDetection': {'label': str, 'support': list, 'confidence': float},
}  # fmt: skip


@pytest.fixture(scope='module')
def recipe(repository, tmp_path_factory):
    """What the page defines and makes, in a folder of its own."""
    page = (repository / 'docs' / 'fiftyone.md').read_text(encoding='utf-8')
    names = {}
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp('fiftyone'))
    try:
        for code in re.findall(r'^```python runnable\n(.*?)^```$', page, re.M | re.S):
            exec(code, names)
        names['folder'] = os.getcwd()
    finally:
        os.chdir(before)
    (names['parquet'],) = re.findall(r'^```python\n(import pandas\n.*?)^```$', page, re.M | re.S)
    return names


def check(value):
    """Every object that has a class has its fields, and they are of their types."""
    for name, kind in KINDS[value['_cls']].items():
        assert type(value[name]) is kind, (value['_cls'], name)
    assert set(value) == {'_cls', *KINDS[value['_cls']]}
    for inner in value.get('classifications', []) + value.get('detections', []):
        check(inner)


def test_samples(recipe):
    samples = recipe['samples']
    assert [os.path.basename(sample['filepath']) for sample in samples] == ['red.mp4', 'blue.mp4']
    for sample, name in zip(samples, ('red circle', 'blue circle'), strict=True):
        assert os.path.isabs(sample['filepath']) and os.path.isfile(sample['filepath'])
        for part in ('metadata', 'labels', 'windows'):
            check(sample[part])
        assert sample['metadata']['total_frame_count'] == 32
        assert sample['metadata']['duration'] == pytest.approx(4)
        (label,) = sample['labels']['classifications']
        assert label['label'] == name and 0.5 <= label['confidence'] <= 1
        windows = sample['windows']['detections']
        # Two windows of 2 s: frame 1 + 31 t / 4 is shown at t.
        assert [window['support'] for window in windows] == [[1, 17], [17, 32]]
        assert label['confidence'] == max(window['confidence'] for window in windows)
    assert json.loads(json.dumps(samples)) == samples


def test_frames_are_within_the_video(recipe):
    frame_of, metadata = recipe['frame_of'], dict(total_frame_count=10, duration=2.0)
    assert [frame_of(t, metadata) for t in (0, 0.1, 1, 1.9, 2, 2.5)] == [1, 1, 5, 10, 10, 10]
    assert frame_of(0.3, dict(total_frame_count=1, duration=0.3)) == 1


def test_labels_below_the_threshold_and_results_without_windows(recipe):
    video = recipe['samples'][0]['filepath']
    result = dict(video=video, labels=[dict(label='a', probability=0.3)])
    low = recipe['make_sample'](result)
    assert low['labels']['classifications'] == low['windows']['detections'] == []
    assert recipe['make_sample'](result, 0.3)['labels']['classifications'][0]['label'] == 'a'


def test_folder(recipe):
    folder = Path(recipe['folder']) / 'for_fiftyone'
    assert json.loads((folder / 'metadata.json').read_text()) == {'media_type': 'video'}
    rows = json.loads((folder / 'samples.json').read_text())['samples']
    assert len(rows) == 2
    for row, sample in zip(rows, recipe['samples'], strict=True):
        assert json.loads((folder / row.pop('frames')).read_text()) == {'frames': {}}
        assert row == sample


def test_parquet_has_the_same(recipe, tmp_path, monkeypatch):
    pytest.importorskip('pandas')
    pytest.importorskip('pyarrow', reason="pip install 'ovmlv[index]'")
    monkeypatch.chdir(recipe['folder'])
    rows = [json.loads(line) for line in Path('tags.jsonl').read_text().splitlines()]
    results = [
        TagResult(
            row['video'],
            tuple(label['label'] for label in row['labels']),
            np.array([label['probability'] for label in row['labels']], np.float32),
            windows=tuple(Window(window['start'], window['end']) for window in row['windows']),
            window_probabilities=np.array([w['probabilities'] for w in row['windows']], np.float32),
        )
        for row in rows
    ]
    write_parquet(results, tmp_path / 'tags.parquet', timeline=True)
    exec(recipe['parquet'], names := {})
    results = list(names['read_parquet'](tmp_path / 'tags.parquet'))
    for result, wanted in zip(results, recipe['samples'], strict=True):
        found = recipe['make_sample'](result)
        assert found['filepath'] == wanted['filepath']
        for part, inner in (('labels', 'classifications'), ('windows', 'detections')):
            for one, other in zip(found[part][inner], wanted[part][inner], strict=True):
                assert one.pop('confidence') == pytest.approx(other['confidence'], abs=1e-6)
                assert one == {k: v for k, v in other.items() if k != 'confidence'}


@pytest.mark.skipif(
    importlib.util.find_spec('fiftyone') is None,
    reason='fiftyone not installed: pip install fiftyone',
)
def test_fiftyone_reads_it(recipe):
    """Its own classes and importer, neither of which needs its data base."""
    import fiftyone as fo
    from fiftyone.utils.data.importers import LegacyFiftyOneDatasetImporter

    direct = [fo.Sample.from_dict(sample) for sample in recipe['samples']]
    with LegacyFiftyOneDatasetImporter(os.path.join(recipe['folder'], 'for_fiftyone')) as importer:
        imported = list(importer)
    assert fo.types.LegacyFiftyOneDataset().get_dataset_importer_cls() is type(importer)
    assert len(direct) == len(imported) == 2
    for sample in (*direct, *imported):
        assert sample.media_type == 'video' and isinstance(sample.labels, fo.Classifications)
        assert isinstance(sample.windows, fo.TemporalDetections) and len(sample.frames) == 0
        assert len(sample.labels.classifications) == 1
        for number, window in enumerate(sample.windows.detections):
            times = [2 * number, 2 * number + 2]
            own = fo.TemporalDetection.from_timestamps(times, sample=sample, label=window.label)
            assert window.support == own.support
