"""docs/models.md: each command names weights that exist, and figures of sizes are counted."""

from __future__ import annotations

import re
import shlex

import pytest
import torch

from ovmlv.apis.zero_shot import zero_shot_config
from ovmlv.cli import tag
from ovmlv.cli.app import command_parser
from ovmlv.models.clip.architecture import build_model, find_architecture


@pytest.fixture(scope='module')
def rows(repository):
    """Cells of each row of the page's tables that has a command."""
    text = (repository / 'docs' / 'models.md').read_text(encoding='utf-8')
    lines = [line for line in text.splitlines() if line.startswith('|') and 'ovmlv tag' in line]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def command_of(row):
    words = shlex.split(re.search(r'`ovmlv (tag .*?)`', row[-1])[1])
    return command_parser(tag, '').parse_args(words[1:])


def test_every_row_has_a_command(rows):
    assert len(rows) > 15
    names = {command_of(row).model for row in rows}
    assert len(names) == len(rows), 'no two rows tag by the same weights'


def of_open_clip(rows):
    """Rows of architectures of open_clip, with the architecture and its tag."""
    for row in rows:
        name = command_of(row).model
        if ':' not in name:  # which a repository of the hub has
            backbone = zero_shot_config(name).model.backbone
            yield row, find_architecture(backbone.model_name), backbone.pretrained


def test_tags_pixels_and_tokens(rows):
    found = list(of_open_clip(rows))
    assert len(found) > 10
    for row, architecture, tag_ in found:
        assert tag_ in architecture.tags
        config = architecture.config
        sides = config['vision_cfg']['image_size'], config['text_cfg']['context_length']
        assert (int(row[2]), int(row[3])) == sides, architecture.name


@pytest.mark.slow
def test_sizes_are_counted(rows):
    """On architectures that take no memory."""
    for row, architecture, _ in of_open_clip(rows):
        with torch.device('meta'):
            model = build_model(architecture)
        vision = sum(p.numel() for p in model.visual.parameters())
        text = sum(p.numel() for p in model.parameters()) - vision
        stated = [int(v.replace(',', '')) for v in re.findall(r'([\d,]+) M', row[1])]
        assert stated == [round(vision / 1e6), round(text / 1e6)], architecture.name


def test_configs_take_the_weights_of_the_page(rows, repository):
    from mmengine.config import Config

    names = {command_of(row).model for row in rows}
    for path in (repository / 'configs' / 'zero_shot').glob('*.py'):
        backbone = Config.fromfile(path).model.backbone
        assert f'{backbone.model_name}/{backbone.pretrained}' in names
