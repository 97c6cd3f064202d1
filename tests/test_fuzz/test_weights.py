"""Spoilt weight files: the weights that were saved, or one line that says what is wrong."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file

from ovmlv.utils.checkpoints import read_checkpoint
from tests.test_fuzz.cases import attempt, cases, generators
from tests.test_fuzz.mutations import mutate_bytes


def state():
    generator = torch.Generator().manual_seed(0)
    return OrderedDict(
        (f'block.{i}.weight', torch.randn(8, 5, generator=generator)) for i in range(4)
    )


def save_legacy(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


#: Name -> how it is written, and whether the format has checksums, so that no value may differ.
FORMATS = {
    'zip.pth': (lambda path: torch.save(dict(meta=dict(seed=3), state_dict=state()), path), True),
    'legacy.pt': (lambda path: save_legacy(state(), path), False),
    'plain.safetensors': (lambda path: save_file(dict(state()), path), False),
}


def tensors_of(content):
    content = content.get('state_dict', content)
    return {k: v.clone() for k, v in content.items() if isinstance(v, torch.Tensor)}


@pytest.mark.parametrize('numbers', cases('weights'))
@pytest.mark.parametrize('name', sorted(FORMATS))
def test_weights(tmp_path, name, numbers):
    write, checked = FORMATS[name]
    original = tmp_path / name
    write(original)
    data, wanted = original.read_bytes(), state()
    for number, rng in generators(numbers, name):
        path = tmp_path / f'{number}-{name}'
        path.write_bytes(mutate_bytes(data, rng))
        found = attempt(lambda path=path: tensors_of(read_checkpoint(str(path))), (name, number))
        path.unlink()
        if found is not None and checked:
            assert list(found) == list(wanted), (name, number)
            assert all(torch.equal(found[key], wanted[key]) for key in wanted), (name, number)
