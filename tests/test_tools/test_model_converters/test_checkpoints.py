"""Averaging and patching of checkpoints: closed forms, and a recognizer's own files."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ovmlv.errors import CheckpointError
from ovmlv.registry import MODELS
from ovmlv.utils.checkpoints import average_states, patch_state, read_state
from tests.test_integration.tiny import LABELS, make_batch, model_config, write_clip

TOOLS = Path(__file__).resolve().parents[3] / 'tools' / 'model_converters'


def run(name, *arguments):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool.run_tool(tool.main, tool.parse_args([str(a) for a in arguments]))


def line(slope, offset, steps=0):
    return {
        'slope': torch.tensor(slope),
        'offset': torch.tensor(offset, dtype=torch.bfloat16),
        'steps': torch.tensor(steps),
    }


def test_average_of_two_parameters(tmp_path):
    states = [line(1.0, 2.0, 10), line(2.0, 3.0, 20), line(6.0, 7.0, 30)]
    for i, state in enumerate(states):
        torch.save(
            {'meta': {'epoch': i}, 'state_dict': state, 'optimizer': {}}, tmp_path / f'{i}.pth'
        )
    files = [tmp_path / f'{i}.pth' for i in range(3)]
    assert run('average_checkpoints', *files, '--out', tmp_path / 'mean.pth') == 0
    found = torch.load(tmp_path / 'mean.pth', weights_only=True)
    assert set(found) == {'meta', 'state_dict'} and found['meta'] == {'epoch': 2}
    assert {k: v.item() for k, v in found['state_dict'].items()} == {
        'slope': 3.0,
        'offset': 4.0,
        'steps': 30,
    }
    assert found['state_dict']['offset'].dtype == torch.bfloat16


def test_average_keeps_what_differs_in_half_precision():
    states = [{'w': torch.tensor([900.0 + i], dtype=torch.float16)} for i in range(64)]
    assert average_states(states, [''] * 64)['w'].item() == 931.5


@pytest.mark.parametrize('ratio', [0.0, 0.25, 1.0])
def test_patch_of_two_parameters(ratio, tmp_path):
    """The start has no offset: it is copied."""
    start, tuned = {'slope': torch.tensor(2.0)}, line(4.0, 0.5, 7)
    save_file(start, tmp_path / 'start.safetensors')
    torch.save({'model': tuned}, tmp_path / 'tuned.pth')
    out = tmp_path / 'new' / 'patched.safetensors'
    arguments = ('--start', tmp_path / 'start.safetensors', '--ratio', ratio, '--out', out)
    assert run('patch_weights', tmp_path / 'tuned.pth', *arguments) == 0
    found = {k: v.item() for k, v in load_file(out).items()}
    assert found == {'slope': 2.0 + ratio * (4.0 - 2.0), 'offset': 0.5, 'steps': 7}


@pytest.fixture
def trained(tmp_path):
    """A config, its model as trained, and the checkpoint."""
    config = model_config(
        write_clip(tmp_path),
        backbone=dict(
            trainable=1,
            temporal=dict(type='ParallelTemporalAttention', blocks='last-1', zero_init='proj'),
        ),
        head=dict(type='CoOpPromptHead'),
    )
    path = tmp_path / 'config.py'
    path.write_text(f'model = {config!r}\n')
    torch.manual_seed(0)  # an architecture without a weight file has random weights
    start = MODELS.build(config)
    torch.manual_seed(0)
    model = MODELS.build(config)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(0.1 * torch.randn_like(p))
    file = tmp_path / 'epoch_1.pth'
    torch.save({'meta': {'seed': 0}, 'state_dict': model.state_dict(), 'optimizer': {}}, file)
    return path, start, model, file


@pytest.mark.parametrize('ratio', [0.0, 0.4])
def test_patch_of_a_recognizers_checkpoint(ratio, trained, tmp_path):
    config, start, model, file = trained
    out = tmp_path / 'patched.pth'
    torch.manual_seed(0)
    assert run('patch_weights', file, '--config', config, '--ratio', ratio, '--out', out) == 0
    state = torch.load(out, weights_only=True)['state_dict']
    assert set(state) == set(model.state_dict())
    before, after = dict(start.named_parameters()), dict(model.named_parameters())
    moved = {
        name
        for name in after
        if name in state and not torch.equal(state[name], after[name].detach())
    }
    branch = 'backbone.temporal.branches.1.'
    assert {f'{branch}proj.weight', f'{branch}proj.bias'} <= moved
    others = moved - {f'{branch}proj.weight', f'{branch}proj.bias'}
    assert others and all(name.startswith('backbone.visual.') for name in others)
    assert not any(name.startswith('backbone.visual.transformer.resblocks.0') for name in state)
    for name in moved:
        expected = before[name] + ratio * (after[name] - before[name])
        torch.testing.assert_close(state[name], expected.detach(), atol=1e-6, rtol=1e-5)
    # It loads strictly, and at ratio 0 its videos are the frozen CLIP's.
    start.load_state_dict(state)
    start.eval().set_vocabulary(LABELS)
    videos = start.data_preprocessor(make_batch(2))['inputs'][:, 0]
    with torch.no_grad():
        found, reference = start.backbone.forward_with_reference(videos)
    assert torch.allclose(found, reference, atol=1e-5) == (ratio == 0.0)


def test_average_of_a_recognizers_checkpoints(trained, tmp_path):
    _, start, model, file = trained
    other = tmp_path / 'epoch_2.pth'
    torch.save({'state_dict': start.state_dict()}, other)
    out = tmp_path / 'mean.pth'
    assert run('average_checkpoints', file, other, '--out', out) == 0
    state = torch.load(out, weights_only=True)['state_dict']
    before, after = start.state_dict(), model.state_dict()
    for name, value in state.items():
        expected = (before[name].double() + after[name].double()) / 2
        torch.testing.assert_close(value, expected.to(value.dtype), atol=1e-6, rtol=1e-5)
    start.load_state_dict(state)


def test_mistakes_get_one_line(trained, tmp_path, capsys):
    config, _, _, file = trained
    out = ('--out', tmp_path / 'out.pth')

    def error(*arguments):
        assert run(*arguments) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        return lines[0]

    patch = ('patch_weights', file, '--config', config)
    assert 'ratio=1.5' in error(*patch, '--ratio', 1.5, *out)
    assert 'parts=' in error(*patch, '--ratio', 0.5, '--parts', 'scorer', *out)
    assert 'at least two' in error('average_checkpoints', file, *out)
    assert 'no checkpoint' in error('average_checkpoints', file, tmp_path / 'no.pth', *out)
    torch.save({'a': torch.zeros(2)}, tmp_path / 'other.pth')
    assert 'different models' in error('average_checkpoints', file, tmp_path / 'other.pth', *out)
    assert 'has no backbone' in error(
        'patch_weights', tmp_path / 'other.pth', '--config', config, '--ratio', 0.5, *out
    )
    torch.save({'meta': {}}, tmp_path / 'empty.pth')
    assert 'no state dict' in error('average_checkpoints', file, tmp_path / 'empty.pth', *out)
    (tmp_path / 'bad.safetensors').write_bytes(b'junk')
    assert 'safetensors' in error('average_checkpoints', file, tmp_path / 'bad.safetensors', *out)


def test_refused_states():
    with pytest.raises(CheckpointError, match='of the same name'):
        patch_state(line(1.0, 1.0), {'other': torch.ones(())}, 0.5)
    with pytest.raises(CheckpointError, match='one architecture'):
        patch_state(line(1.0, 1.0), {'slope': torch.ones(2)}, 0.5)
    with pytest.raises(CheckpointError, match=r'slope is \(\) in a and \(2,\) in b'):
        average_states([line(1.0, 1.0), {**line(1.0, 1.0), 'slope': torch.ones(2)}], 'ab')
    prints = [{'_frozen_fingerprint': torch.tensor([i])} for i in (1, 2)]
    with pytest.raises(CheckpointError, match='other frozen weights'):
        average_states(prints, 'ab')


def test_reads_the_averaged_weights_of_a_run_with_ema(tmp_path):
    torch.save({'state_dict': line(1.0, 1.0), 'ema_state_dict': line(2.0, 2.0)}, tmp_path / 'x.pth')
    assert read_state(str(tmp_path / 'x.pth'))[1]['slope'].item() == 1.0
