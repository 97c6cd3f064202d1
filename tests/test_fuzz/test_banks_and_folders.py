"""Spoilt and crafted banks and published folders: what was saved, or one line."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from ovmlv.apis import LabelBank, open_model, publish_model
from ovmlv.apis.model_folder import INDEX, write_index
from tests.test_apis.conftest import config_file, model  # noqa: F401
from tests.test_fuzz.cases import attempt, cases, generators
from tests.test_fuzz.mutations import mutate_bytes, mutator_for

LABELS = ['a red circle', 'a blue square', 'moving left', 'émigré']


def spoil(folder, rng, mutate=None):
    files = sorted(p for p in folder.rglob('*') if p.is_file())
    path = files[rng.integers(len(files))]
    path.write_bytes((mutate or mutator_for(path.name))(path.read_bytes(), rng))
    return path.name


@pytest.fixture(scope='module')
def bank(model, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp('banks') / 'bank'
    LabelBank.build(model, LABELS).save(folder)
    return folder


@pytest.mark.parametrize('numbers', cases('bank'))
def test_banks(model, bank, tmp_path, numbers):  # noqa: F811
    whole = LabelBank.load(bank).embeddings()
    for number, rng in generators(numbers, 'bank'):
        folder = tmp_path / str(number)
        shutil.copytree(bank, folder)
        name = spoil(folder, rng)
        found = attempt(
            lambda folder=folder: (b := LabelBank.load(folder, model), b.embeddings())[0],
            (number, name),
        )
        if found is not None:
            assert found.labels == tuple(LABELS), (number, name)
            assert torch.equal(found.embeddings(), whole), (number, name)
        shutil.rmtree(folder)


@pytest.fixture(scope='module')
def published(model, tmp_path_factory):  # noqa: F811
    return publish_model(model, tmp_path_factory.mktemp('models') / 'tiny', LABELS, check=False)


def weights_of(folder):
    return {k: v.clone() for k, v in open_model(folder, device='cpu').state_dict().items()}


@pytest.mark.parametrize('numbers', cases('folder'))
def test_folders_that_were_altered(published, tmp_path, numbers):
    """Checksums tell: a folder that still opens is the one that was published."""
    whole = weights_of(published)
    for number, rng in generators(numbers, 'altered'):
        folder = tmp_path / str(number)
        shutil.copytree(published, folder)
        name = spoil(folder, rng, mutate_bytes)
        found = attempt(lambda folder=folder: weights_of(folder), (number, name))
        if found is not None:
            assert all(torch.equal(found[key], whole[key]) for key in whole), (number, name)
        shutil.rmtree(folder)


@pytest.mark.parametrize('numbers', cases('folder'))
def test_folders_that_were_crafted(published, tmp_path, numbers):
    """Whoever alters a folder can write its checksums anew: then it is read, or refused."""
    for number, rng in generators(numbers, 'crafted'):
        folder = tmp_path / str(number)
        shutil.copytree(published, folder)
        name = spoil(folder, rng)
        if name != INDEX:
            index = json.loads((folder / INDEX).read_text())
            files = list(index.pop('files'))
            index.pop('format')
            write_index(folder, index, files)
        before = sorted(p.name for p in tmp_path.iterdir())
        attempt(lambda folder=folder: weights_of(folder), (number, name))
        assert sorted(p.name for p in tmp_path.iterdir()) == before, (number, name)
        shutil.rmtree(folder)
