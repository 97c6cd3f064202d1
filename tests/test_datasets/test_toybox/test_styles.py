"""How drawings are changed for pretraining."""

import numpy as np
import pytest

from ovmlv.datasets.toybox.assets import HELD_OUT_FAMILY
from ovmlv.datasets.toybox.render import render
from ovmlv.datasets.toybox.scene import sample_image
from ovmlv.datasets.toybox.styles import Mixture, mix, restyle, sample_mixture, sample_style


@pytest.fixture
def drawings():
    """A red square on the left, and a blue one of another hand that reaches further right."""
    drawings = np.zeros((2, 56, 56, 4), np.uint8)
    drawings[0, 8:48, 8:28] = (200, 0, 0, 255)
    drawings[1, 8:48, 8:48] = (0, 0, 100, 255)
    return drawings


@pytest.mark.parametrize('share', [0.0, 0.25, 1.0])
def test_a_mixture_as_a_whole_weighs_what_is_seen(drawings, share):
    """Colours are means by opacity: what one hand left empty takes none of its (black) colour."""
    mixed = mix(*drawings, Mixture('fluent', np.full((1, 1), share, np.float32), 0.0))
    both, second_alone = mixed[20, 16].astype(int), mixed[20, 40].astype(int)
    assert np.abs(both - [200 * share, 0, 100 * (1 - share), 255]).max() <= 1
    assert abs(second_alone[3] - 255 * (1 - share)) <= 1
    if share < 1:
        assert np.abs(second_alone[:3] - [0, 0, 100]).max() <= 1
    assert not mixed[2, 2].any()


def test_a_mixture_by_places_is_one_hand_here_and_the_other_there(drawings):
    shares = np.repeat(np.float32([[3, 3, -2, -2]]), 4, 0).T  # above the first, below the second
    mixed = mix(*drawings, Mixture('fluent', shares, 0.0))
    assert mixed[10, 16].tolist() == [200, 0, 0, 255]
    assert mixed[45, 16].tolist() == [0, 0, 100, 255]


def test_detail_over_the_others_shades_keeps_the_outline(drawings):
    mixed = mix(*drawings, Mixture('fluent', None, 2.0))
    assert (mixed[..., 3] == drawings[0, ..., 3]).all()
    middle = mixed[28, 16].astype(int)  # far from an edge there is no detail
    assert np.abs(middle[:3] - [0, 0, 100]).max() <= 2


def test_a_style_that_changes_nothing_gives_the_drawing(drawings):
    style = sample_style(np.random.default_rng(0))
    plain = dict(
        hue=0.0, saturation=1.0, gain=1.0, gamma=1.0, levels=0, shading=(0.0, 0.0), outline=0,
        matrix=np.eye(2), bend=None,
    )  # fmt: skip
    style = type(style)(**{**vars(style), **plain})
    inside = (slice(10, 46), slice(10, 26))
    assert np.abs(restyle(drawings[0], style)[inside] - drawings[0][inside]).max() <= 1


def test_all_kinds_are_drawn_and_none_by_the_held_out_family():
    rng = np.random.default_rng(0)
    kinds = {
        None if (m := sample_mixture(rng, ['fluent', 'twemoji'])).shares is None else m.shares.shape
        for _ in range(40)
    }
    assert kinds == {None, (1, 1), (4, 4)}
    mixed = 0
    for seed in range(60):
        scene = sample_image(np.random.default_rng(seed), mixed=0.9)
        for actor in scene.actors:
            if actor.mixture is not None:
                mixed += 1
                assert actor.mixture.family not in (HELD_OUT_FAMILY, actor.family)
        assert render(scene, np.random.default_rng(seed)).std() > 0
    assert mixed > 40
