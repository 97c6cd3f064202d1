import importlib.util
import json

import numpy as np
import pytest

from ovmlv.datasets import MultilabelVideoDataset
from ovmlv.label_generation import FrameGenerator
from ovmlv.utils.error_door import run_tool
from tests.tiny_vlms import make_qwen3_vl

SPLIT = dict(seen=['a dog', 'jumping'], unseen=['a cat', 'red'])


@pytest.fixture(scope='module')
def tool(repository):
    path = repository / 'tools' / 'data' / 'generate_labels.py'
    spec = importlib.util.spec_from_file_location('generate_labels', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Parrot:
    """Answers from a table, and counts how often it is asked."""

    LIMIT = 99

    ANSWERS = {
        'a dog': ['pet, hound, red', 'pet, Cats, furry friend'],
        'jumping': ['leaping, sport', 'leaping, pet'],
        'a man walks; he sits': ['man, walking, Sitting'] * 2,
    }

    def __init__(self, **options):
        self.options, self.asked = options, 0

    def __call__(self, prompt, draw):
        self.asked += 1
        if self.asked > self.LIMIT:
            raise KeyboardInterrupt
        source = prompt.splitlines()[-2].partition(': ')[2]
        return self.ANSWERS[source][draw]


@pytest.fixture
def parrots(tool, monkeypatch):
    made = []

    def make(**options):
        made.append(Parrot(**options))
        return made[-1]

    monkeypatch.setattr(tool, 'TextGenerator', make)
    return made


def run(tool, *args):
    return run_tool(tool.main, tool.parse_args(list(map(str, args))))


def test_labels(tool, parrots, tmp_path, capsys):
    (tmp_path / 'split.json').write_text(json.dumps(SPLIT))
    out = tmp_path / 'synthetic.json'
    args = ['labels', tmp_path / 'split.json', '--out', out, '--samples', '2']
    with pytest.MonkeyPatch.context() as stop:
        stop.setattr(Parrot, 'LIMIT', 3)
        with pytest.raises(KeyboardInterrupt):
            run(tool, *args)
    assert not out.exists()
    assert run(tool, *args) == 0 and parrots[-1].asked == 1, 'three answers were there already'
    # "red" and "Cats" are held out; "pet" is an example of the prompt.
    expected = {'a dog': ['hound', 'furry friend'], 'jumping': ['leaping', 'sport']}
    assert json.loads(out.read_text()) == expected
    assert parrots[-1].options['name'] == 'smollm2'
    text = capsys.readouterr().out
    assert 'excluded' in text and 'copied from the prompt' in text
    assert run(tool, *args, '--min-votes', '2') == 0, 'needs no new answers'
    assert json.loads(out.read_text()) == {'jumping': ['leaping']}
    assert len(parrots) == 2
    # The file is what the data set takes.
    rows = [dict(video='0.mp4', labels=['a dog', 'red']), dict(video='1.mp4', labels=['jumping'])]
    (tmp_path / 'train.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    data = MultilabelVideoDataset(
        'train.jsonl', data_root=str(tmp_path), label_split='split.json', label_set='seen',
        synthetic_labels='synthetic.json',
    )  # fmt: skip
    assert data.metainfo['classes'] == ['a dog', 'jumping', 'leaping']


def test_captions(tool, parrots, tmp_path):
    source, out = tmp_path / 'captions.jsonl', tmp_path / 'out.jsonl'
    rows = [dict(video='0.mp4', caption='a man walks.'), dict(video='0.mp4', caption=['he sits'])]
    source.write_text('\n'.join(map(json.dumps, rows)))
    (tmp_path / 'test_labels.txt').write_text('sitting\n')
    options = ['--out', out, '--exclude', tmp_path / 'test_labels.txt']
    assert run(tool, 'captions', source, *options) == 0
    (row,) = map(json.loads, out.read_text().splitlines())
    assert row == dict(video='0.mp4', labels=['walking'])  # "man" is in the prompt


def test_mistakes(tool, parrots, tmp_path, capsys):
    (tmp_path / 'split.json').write_text(json.dumps(SPLIT))
    (tmp_path / 'bad.jsonl').write_text('{"video": "a.mp4"}\n')
    for args, message in [
        (['labels', tmp_path / 'no.json', '--out', 'o.json'], 'there is no file'),
        (
            ['labels', tmp_path / 'split.json', '--split', 'x', '--out', 'o.json'],
            'has seen, unseen',
        ),
        (['captions', tmp_path / 'bad.jsonl', '--out', 'o.jsonl'], 'bad.jsonl:1'),
    ]:
        assert run(tool, *args) == 2
        assert message in capsys.readouterr().err
    for args in [
        ['labels', 'x', '--out', 'o.txt'],
        ['labels', 'x', '--out', 'o.json', '--min-votes', '2'],
    ]:
        with pytest.raises(SystemExit):
            tool.parse_args(args)


class Viewer:
    """Says the same of all videos, and notes their sizes."""

    def __init__(self, **options):
        self.shapes = []

    def answers(self, videos, prompts, draws):
        self.shapes += [video.shape for video in videos]
        return ['a grey screen, flicker'] * len(videos)


def write_rows(path, names):
    rows = [dict(video=name, labels=['x']) for name in names]
    path.write_text('\n'.join(map(json.dumps, rows)))


def test_frames_of_videos(tool, write_video, tmp_path, capsys, monkeypatch):
    """Frames reach the model; a broken video is left out and told."""
    viewer = Viewer()
    monkeypatch.setattr(tool, 'FrameGenerator', lambda **options: viewer)
    folder = write_video('good.mp4', size=(48, 64)).parent
    (folder / 'broken.mp4').write_bytes(b'no video')
    write_rows(tmp_path / 'train.jsonl', ['good.mp4', 'broken.mp4', 'missing.mp4'])
    out = tmp_path / 'o.jsonl'
    args = ['frames', tmp_path / 'train.jsonl', '--videos', folder, '--out', out, '--llm', 'some']
    assert run(tool, *args, '--samples', '2') == 0
    assert viewer.shapes == [(4, 48, 64, 3)] * 2
    assert json.loads(out.read_text()) == dict(
        video='good.mp4', labels=['a grey screen', 'flicker']
    )
    assert '2 videos could not be read' in capsys.readouterr().out
    assert run(tool, *args[:-1], 'smollm2', '--out', tmp_path / 'p.jsonl') == 2


def test_batches_of_a_real_model_survive_a_kill(tool, write_video, tmp_path, monkeypatch):
    """A tiny Qwen3-VL; a run killed in its second batch ends as one that was not, of other size."""
    model = make_qwen3_vl(tmp_path / 'model')
    names = [f'{i}.mp4' for i in range(5)]
    for i, name in enumerate(names):
        frames = np.random.default_rng(i).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
        write_video(name, frames=frames)
    write_rows(tmp_path / 'train.jsonl', names)
    common = ['frames', tmp_path / 'train.jsonl', '--videos', tmp_path, '--llm', model]
    common += ['--num-frames', 2, '--max-new-tokens', 6, '--temperature', 1.5, '--samples', 2]
    whole, cut = tmp_path / 'whole.jsonl', tmp_path / 'cut.jsonl'
    assert run(tool, *common, '--out', whole, '--batch-size', 1) == 0
    answers, calls = FrameGenerator.answers, []

    def killed(self, *args):
        calls.append(len(args[0]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return answers(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(FrameGenerator, 'answers', killed)
        with pytest.raises(KeyboardInterrupt):
            run(tool, *common, '--out', cut, '--batch-size', 4)
    kept = (tmp_path / 'cut.jsonl.answers.jsonl').read_text().splitlines()
    assert len(kept) == 1 + 4 and calls == [4, 4] and not cut.exists()
    assert run(tool, *common, '--out', cut, '--batch-size', 3) == 0
    assert cut.read_text() == whole.read_text() != ''
    assert len((tmp_path / 'cut.jsonl.answers.jsonl').read_text().splitlines()) == 1 + 10
