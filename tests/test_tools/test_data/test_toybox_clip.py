"""Toybox's tiny CLIP in miniature: both stages, a stop in between, and what opens its files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ovmlv.datasets.toybox.words import all_labels, words_of
from ovmlv.models.heads import TemplatePromptHead

TOOLS = Path(__file__).resolve().parents[3] / 'tools' / 'data' / 'toybox'


def run(script: str, *options: object) -> str:
    command = [sys.executable, str(TOOLS / script), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_two_stages(tmp_path):
    vision = ['--out', tmp_path, '--batch-size', 4, '--test-images', 8, '--workers', 0]
    run('pretrain_vision.py', *vision, '--steps', 4, '--eval-interval', 2)
    whole = torch.load(tmp_path / 'vision_state.pt', weights_only=True)
    assert whole['step'] == 4
    # A run that is told to go on and has nothing left to do changes nothing.
    assert 'step 4 of' in run('pretrain_vision.py', *vision, '--steps', 4)

    text = ['--out', tmp_path, '--images', 40, '--test-images', 40, '--batch-size', 8]
    found = run('pretrain_text.py', *text, '--steps', 3)
    assert 'held_out: seen' in found
    assert run('pretrain_text.py', *text, '--steps', 1)  # with the features that are kept

    head = TemplatePromptHead(str(tmp_path / 'toybox.json'), str(tmp_path / 'toybox.safetensors'))
    assert head(['dog', 'a person running']).shape == (2, 128)
    read = json.loads((tmp_path / 'toybox.frequencies.json').read_text())
    known, novel = (
        set().union(*(words_of(v.text) for v in all_labels() if (v.split == 'novel') is chosen))
        for chosen in (False, True)
    )
    assert not set().union(*map(words_of, read)) & (novel - known)
    assert set(read) & {label.text for label in all_labels() if label.split == 'unseen'}
