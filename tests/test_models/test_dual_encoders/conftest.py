"""Tiny dual encoders in real files, written once for all tests here."""

from __future__ import annotations

import functools

import pytest

from tests.test_models.test_dual_encoders.tiny_dual import write_dual


@pytest.fixture(scope='session')
def dual(tmp_path_factory):
    """A function: family -> (model of transformers, folder with its files)."""

    @functools.cache
    def made(family: str):
        folder = tmp_path_factory.mktemp(family) / 'model'
        return write_dual(folder, family), str(folder)

    return made
