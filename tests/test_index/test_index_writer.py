"""Kills between any two writes, work that is done twice, and many windows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ovmlv.index import VideoIndex
from ovmlv.index.exact_search import QueryLogits, Question, search
from ovmlv.index.fragment import EncodedWindows, Fragment
from ovmlv.index.index_writer import IndexWriter
from ovmlv.index.label_logits import LabelLogits
from ovmlv.index.query import Query
from ovmlv.index.video_rows import VideoRow

from .conftest import LABELS

REPOSITORY = Path(__file__).resolve().parents[2]


class Killed(BaseException):
    """What no handler of the code catches."""


def killed(self, numbers=(0,), *args):
    """In place of a step of the writer; nothing to delete is no step."""
    if len(numbers):
        raise Killed


def content(index):
    """What stands in an index, without the numbers of rows."""
    return {
        row.path: (row.digest, index.snapshot.embeddings(index.snapshot.windows_of(i)).tobytes())
        for i, row in enumerate(index.snapshot.videos)
    }


@pytest.mark.parametrize('step', ['_put', '_delete_windows', 'tidy', 'commit'])
def test_a_kill_between_two_writes(videos, inferencer, shared, tmp_path, monkeypatch, step):
    index = VideoIndex.create(tmp_path / 'index', inferencer, window=1.0)
    index.add(videos / 'green.mp4')
    (videos / 'green.mp4').write_bytes((videos / 'yellow.mp4').read_bytes())  # windows go, too
    with monkeypatch.context() as patch:
        patch.setattr(IndexWriter, step, killed)
        with pytest.raises(Killed):
            index.add(videos)
    before = inferencer.num_decoded
    index = VideoIndex.open(tmp_path / 'index', inferencer)
    assert len({row.path for row in index.snapshot.rows}) == len(index.snapshot.rows)
    done = len([row for row in index.snapshot.videos if row.windows])
    report = index.add(videos)
    # What was committed is not decoded again, and all is there once.
    assert inferencer.num_decoded - before == report.encoded <= 5
    assert (report.encoded == 0) == (step in ('tidy', '_delete_windows')), done
    assert not index.verify(content=True) and len(index) == 5
    wanted = VideoIndex.create(tmp_path / 'other', inferencer, window=1.0)
    wanted.add(videos)
    assert content(index) == content(wanted)
    with IndexWriter(index.folder, index.settings) as writer:
        assert writer.tables.windows.count_rows() == len(index.snapshot) == 18


def windows(path, vectors, digest='d', **row):
    times = np.arange(len(vectors), dtype=float)
    row = VideoRow(str(path), 1, 1, digest, float(len(vectors)), 1.0, len(vectors), **row)
    pictures = [b'\xff\xd8' + bytes([i % 256]) for i in range(len(vectors))]
    return EncodedWindows(row, times, times + 1, vectors.astype(np.float16), pictures)


@pytest.fixture(scope='module')
def many(inferencer, tmp_path_factory):
    """400 videos of ten windows near the embeddings of labels, in several files."""
    rng = np.random.default_rng(0)
    text = inferencer.model.encode_labels(LABELS).numpy()
    index = VideoIndex.create(tmp_path_factory.mktemp('many') / 'index', inferencer, window=1.0)
    with IndexWriter(index.folder, index.settings) as writer:
        for first in range(0, 400, 100):
            vectors = text[rng.integers(len(text), size=1000)]
            vectors = vectors + 0.1 * rng.standard_normal(vectors.shape)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            parts = np.split(vectors, 100)
            names = range(first, first + 100)
            writer.commit(Fragment(tuple(windows(f'/v/{n}.mp4', p) for n, p in zip(names, parts))))
    index.refresh()
    return index


def test_fragments_may_come_twice(inferencer, tmp_path):
    index = VideoIndex.create(tmp_path / 'index', inferencer, window=1.0)
    ones = np.full((3, 128), 128**-0.5)
    one, two = windows('/a.mp4', ones), windows('/b.mp4', ones[:2])
    bad = EncodedWindows.bad(VideoRow('/c.mp4', 1, 1), 'damaged', 128)
    with IndexWriter(index.folder, index.settings) as writer:
        assert len(writer.commit(Fragment((one, bad)))) == 2
        again = writer.commit(Fragment((one, two, one, two)))
        assert [video.row.path for video in again.videos] == ['/b.mp4']
        assert len(writer.commit(Fragment((one, two)))) == 0
        other = replace(one, row=replace(one.row, digest='other'))
        assert len(writer.commit(Fragment((other,)))) == 1
    index.refresh()
    assert len(index) == 2 and len(index.snapshot) == 5 and len(index.snapshot.rows) == 3
    assert not [fault for fault in index.verify() if 'is gone' not in fault]
    assert len({row.id for row in index.snapshot.rows}) == 3


def test_search_is_brute_force(many, inferencer):
    logits = LabelLogits(inferencer.model, None, inferencer.model.encode_labels(LABELS))
    everything = logits(many.snapshot.embeddings(np.arange(len(many.snapshot)))).numpy()
    queries = [Query.of(label) for label in LABELS]
    queries.append(Query.parse(f'{LABELS[0]} AND NOT {LABELS[1]}'))
    scores = np.column_stack([everything, np.minimum(everything[:, 0], -everything[:, 1])])
    on_disk = VideoIndex.open(many.folder, inferencer, memory=0)
    for snapshot in (many.snapshot, on_disk.snapshot):
        for top in (1, 100, 5000):
            found = search(snapshot, logits, LABELS, queries, Question(top))
            for column, (rows, values) in zip(scores.T, found, strict=True):
                order = np.lexsort((np.arange(len(column)), -column))[:top]
                assert np.allclose(values, column[order], atol=1e-5)
                assert np.mean(rows == order) > 0.99  # ties of rounding apart
        videos = search(snapshot, logits, LABELS, queries, Question(50, per_video=True))
        best = np.full((400, scores.shape[1]), -np.inf)
        np.maximum.at(best, snapshot.video, scores)
        for column, (rows, values) in zip(best.T, videos, strict=True):
            assert np.allclose(values, np.sort(column)[::-1][:50], atol=1e-5)
            assert len(set(snapshot.video[rows])) == 50
    assert on_disk.snapshot._matrix is None
    hits = on_disk.find(LABELS[0], top=3)
    assert hits.thumbnails() == many.find(LABELS[0], top=3).thumbnails()
    assert hits.thumbnails()[0] == b'\xff\xd8' + bytes([int(hits[0].window.start)])
    pairs = zip(on_disk.tag(LABELS), many.tag(LABELS), strict=True)
    assert all(np.allclose(a.probabilities, b.probabilities) for a, b in pairs)


def test_scorers_that_are_not_linear(inferencer):
    """The general way gives what the folded one gives."""
    logits = LabelLogits(inferencer.model, None, inferencer.model.encode_labels(LABELS))
    rng = np.random.default_rng(0)
    vectors = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((9, 128))), dim=1)
    vectors = vectors.half().numpy()
    folded = logits(vectors)
    logits.vectors = None
    assert torch.allclose(folded, logits(vectors), atol=1e-4)
    of_queries = QueryLogits(LABELS, [Query.of(LABELS[2])], 0.5)
    values = of_queries(folded)[:, 0]
    assert torch.equal(values > -torch.inf, folded[:, 2] >= 0)


def test_the_approximate_index(many, inferencer):
    before = many.settings.approximate
    recall = many.make_approximate(LABELS, target=0.95)
    assert before is None and recall >= 0.95
    assert VideoIndex.open(many.folder, inferencer).settings.approximate.recall == recall
    exact = many.find_each(LABELS, 50, per='window')
    near = many.find_each(LABELS, 50, per='window', approximate=True)
    for one, other in zip(exact, near, strict=True):
        assert other.recall == recall and one.recall is None
        same = {h.number for h in one} & {h.number for h in other}
        assert len(same) >= 40
        known = {h.number: h.probability for h in one}
        assert all(abs(known[h.number] - h.probability) < 1e-6 for h in other if h.number in same)
    videos = many.find(LABELS[0], 5, approximate=True)
    assert len({hit.video for hit in videos}) == 5
    from ovmlv.errors import ConfigError

    with pytest.raises(ConfigError, match='single labels'):
        many.find('red circle AND blue circle', approximate=True)


def test_without_lance_the_mend_is_told(monkeypatch, tmp_path):
    """Run also where the packages are missing."""
    from ovmlv.errors import DependencyError
    from ovmlv.index.lance_tables import arrow

    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(DependencyError, match=r'ovmlv\[index\]'):
        arrow()


@pytest.mark.slow
def test_kills_of_processes_and_cost(tmp_path):
    """The whole measurement, by the command line and SIGKILL, at a tenth of its size."""
    tool = REPOSITORY / 'tools/analysis_tools/benchmark_index.py'
    command = [sys.executable, tool, 'videos', tmp_path, '--count', '200', '--sizes', '20', '100']
    environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    done = subprocess.run(
        [*map(str, command), '--compare', '50'], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / 'videos.json').read_text())
    assert found['each_good_video_once'] and len(found['kills_at']) == 3
    assert found['adding_10_encodes'] == 10 and found['decoded_for_1000_labels'] == 0
    assert found['largest_difference'] < 1e-3
