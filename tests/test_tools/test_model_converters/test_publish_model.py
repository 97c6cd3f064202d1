"""The tool as a user runs it; the folders themselves are tested with `ovmlv.apis`."""

import json

import torch

from ovmlv.apis import LabelBank, OVMLVInferencer, init_recognizer
from ovmlv.evaluation import Calibration
from tests.test_apis.conftest import CONFIG, write_scene

from .test_checkpoints import run


def test_a_config_with_its_checkpoint(tmp_path, capsys):
    config = tmp_path / 'config.py'
    config.write_text(CONFIG)
    model = init_recognizer(config, device='cpu')
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'a.pth')
    LabelBank.build(model, ['red circle', 'green'], tmp_path / 'bank')
    calibration = Calibration(2.0, 0.5).save(tmp_path / 'c.json')
    out = tmp_path / 'out'
    args = [config, tmp_path / 'a.pth', '--out', out, '--bank', tmp_path / 'bank', '--name', 'Mine']
    assert run('publish_model', *args, '--calibration', calibration, '--device', 'cpu') == 0
    assert capsys.readouterr().out == f'{out}: model, 2 labels, calibration\n'
    video = write_scene(tmp_path / 'a.mp4', 'circle', 'red')
    found = OVMLVInferencer(out, device='cpu')(video)[0]
    wanted = OVMLVInferencer(model, calibration=calibration)(video, ['red circle', 'green'])[0]
    assert found.labels == wanted.labels
    torch.testing.assert_close(*map(torch.from_numpy, (found.probabilities, wanted.probabilities)))
    assert json.loads((out / 'ovmlv.json').read_text())['name'] == 'Mine'


def test_mistakes_are_one_line(tmp_path, capsys):
    (tmp_path / 'notes.txt').touch()
    common = ['motionshapes', '--device', 'cpu', '--out']
    for arguments, message in [
        ([*common, tmp_path], 'is no published model; name another'),
        ([*common, tmp_path / 'x', '--bank', tmp_path], 'there is no label bank'),
        (['nowhere.py', '--out', tmp_path / 'x'], 'there is no config nowhere.py'),
        ([*common, tmp_path / 'x', '--labels', 'a', 'a'], "'a' occurs twice"),
    ]:
        assert run('publish_model', *arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith('error: ') and message in error
