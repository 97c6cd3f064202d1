"""What is drawn, and what is said of it."""

import json

import av
import numpy as np
import pytest

from ovmlv.containers import rgb_of
from ovmlv.datasets.toybox.assets import (
    HELD_OUT_FAMILY,
    concepts,
    human_motions,
    people_settings,
    person_tile,
)
from ovmlv.datasets.toybox.generate import annotation_of, generate, scene_of
from ovmlv.datasets.toybox.render import draw, render
from ovmlv.datasets.toybox.scene import Actor, Scene, sample_image, sample_scene
from ovmlv.datasets.toybox.tracks import Track, move_person, move_thing, relate
from ovmlv.datasets.toybox.words import PERSON, RELATIONS, all_labels, thing_motions
from ovmlv.errors import ConfigError, DataError

COUNTS = {'dog': 150, 'puppy': 400}


def label(text):
    return next(found for found in all_labels() if found.text == text)


def centre(actor, t, extent=80):
    """Where the drawing of an actor really is in a frame."""
    y, x = np.nonzero(_drawn(actor, t, extent))
    return np.array([x.mean(), y.mean()])


@pytest.mark.parametrize('seed', range(40))
def test_directions_that_are_said_are_seen(seed):
    """Who is said to move left is drawn further left at the end, and so on."""
    rng = np.random.default_rng(seed)
    for actor in sample_scene(rng).actors:
        if 'blink' in actor.does:
            continue
        begin, end = centre(actor, 0), centre(actor, len(actor.track.x) - 1)
        moved = end - begin
        for doing, axis, sign in (
            ('left', 0, -1), ('right', 0, 1), ('up', 1, -1), ('down', 1, 1),
        ):  # fmt: skip
            if doing in actor.does:
                assert sign * moved[axis] > 4, (seed, actor.thing, doing, moved)


@pytest.mark.parametrize('motion', sorted(human_motions()))
def test_movements_start_at_their_origin_and_fill_their_tiles(motion):
    row, settings = human_motions()[motion], people_settings()
    assert row.path.shape == (row.frames, 2) and np.allclose(row.path[0], 0)
    for side in range(settings['sides']):
        for frame in (0, row.frames - 1):
            assert 100 < (person_tile(motion, side, frame) > 0).sum() < 3000


@pytest.mark.parametrize('motion', sorted(human_motions()))
def test_whole_bodies_are_in_the_picture(motion):
    """Who crawls at the foot of a tile was drawn at the foot of the picture, half of it outside."""
    for side in range(0, people_settings()['sides'], 3):
        track = Track.resting(24, 40, 40, 70)
        move_person(track, motion, side, np.random.default_rng(0), 80)
        person = Actor(PERSON, track=track, side=side, movement=motion,
                       colors=np.full((4, 3), 200, np.float32))  # fmt: skip
        rows = [np.nonzero(_drawn(person, t).any(1))[0] for t in range(24)]
        top, bottom = min(r.min() for r in rows), max(r.max() for r in rows)
        assert abs((top + bottom) / 2 - 39.5) < 9, (side, top, bottom)


def _drawn(actor, t, extent=80):
    frame = np.zeros((extent, extent, 3), np.float32)
    draw(frame, actor, t)
    return frame.sum(-1) > 0


@pytest.mark.parametrize('motion', thing_motions())
def test_things_stay_in_the_picture_and_do_what_they_do(motion):
    rng = np.random.default_rng(3)
    track = Track.resting(24, 40, 40, 30)
    before = Track.resting(24, 40, 40, 30)
    move_thing(track, motion, rng, 80)
    changed = {
        name for name in ('x', 'y', 'size', 'angle', 'opacity')
        if np.ptp(getattr(track, name)) > np.ptp(getattr(before, name)) + 1e-6
    }  # fmt: skip
    expected = {
        'left': {'x'}, 'right': {'x'}, 'up': {'y'}, 'down': {'y'}, 'grow': {'size'},
        'shrink': {'size'}, 'turn': {'angle'}, 'bounce': {'y'}, 'blink': {'opacity'},
        'shake': {'x', 'y'}, 'circle': {'x', 'y'}, 'still': set(),
    }  # fmt: skip
    assert changed == expected[motion]
    assert track.x.min() > 0 and track.x.max() < 80 and track.y.min() > 0 and track.y.max() < 80


@pytest.mark.parametrize('relation', RELATIONS)
def test_relations_by_their_geometry(relation):
    first, second = Track.resting(24, 0, 0, 30), Track.resting(24, 0, 0, 30)
    way = relate(first, second, relation, np.random.default_rng(1), 80)
    gap = way * (second.x - first.x)  # how far the second is ahead
    if relation == 'chase':
        assert (gap > 0).all() and gap[-1] < gap[0]
    elif relation in ('overtake', 'behind'):
        assert gap[0] > 0 > gap[-1]
    elif relation == 'collide':
        assert gap.argmin() not in (0, 23) and gap.min() < gap[0] / 2
    else:
        assert np.allclose(gap, 0) and (second.y < first.y).all()


@pytest.mark.parametrize('seed', range(40))
def test_people_are_large_enough_to_be_read(seed):
    """At the 64 pixels that the tiny CLIP sees, a person's tile has 55 pixels or more."""
    scene = sample_scene(np.random.default_rng(seed))
    for actor in scene.actors:
        if actor.thing == PERSON and 'carry' not in actor.does | actor.maybe:
            assert actor.track.size.min() * 64 / 80 >= 55


def test_truth_of_a_known_scene():
    track = Track.resting(16, 40, 40, 30)
    dog = next(i for i, c in enumerate(concepts()) if c.name == 'dog')
    turning = Actor(dog, 'twemoji', frozenset(['turn']), frozenset(['still']), track)
    running = Actor(PERSON, '', frozenset(['run']), frozenset(['left']), track)
    scene = Scene((turning, running), 16, 80)
    truths = dict.fromkeys(
        ('dog', 'animal', 'person', 'running', 'turning round', 'whirling', 'hurrying'), 1
    )
    truths |= {'standing still': -1, 'moving left': -1, 'moving right': 0, 'cat': 0, 'jumping': 0}
    assert {text: scene.truth(label(text)) for text in truths} == truths


@pytest.mark.parametrize('seed', range(10))
def test_the_held_out_family_is_in_no_training_picture(seed):
    for make in (sample_scene, sample_image):
        for held_out in (False, True):
            scene = make(np.random.default_rng(seed), held_out=held_out)
            drawn = {actor.family for actor in scene.actors if actor.thing != PERSON}
            assert (drawn <= {HELD_OUT_FAMILY}) if held_out else HELD_OUT_FAMILY not in drawn


def test_images_say_nothing_of_motion():
    for seed in range(20):
        scene = sample_image(np.random.default_rng(seed))
        assert not any(actor.does or actor.maybe for actor in scene.actors)
        assert all(actor.thing != PERSON for actor in scene.actors)
        assert render(scene, np.random.default_rng(0)).shape == (1, 80, 80, 3)


def test_training_videos_are_annotated_with_seen_labels_alone():
    split = {found.text: found.split for found in all_labels()}
    for index in range(20):
        scene, _ = scene_of(0, 'train', index)
        rows = annotation_of(scene, 'train')
        assert {split[text] for texts in rows.values() for text in texts} <= {'seen'}
        assert not set(rows['labels']) & set(rows['unknown'])


def test_it_grows(tmp_path):
    """A larger one is what it would have been at once; a smaller one is in it."""
    small, large = dict(train=1, test=1), dict(train=2, test_held_out=1)
    generate(tmp_path / 'a', small, COUNTS, num_workers=1)
    video = tmp_path / 'a/videos/train/000000.mp4'
    before = video.stat().st_mtime_ns
    assert generate(tmp_path / 'a', large, COUNTS, num_workers=1)
    assert video.stat().st_mtime_ns == before
    assert not generate(tmp_path / 'a', small, COUNTS, num_workers=1)
    generate(tmp_path / 'b', dict(train=2, test=1, test_held_out=1), COUNTS, num_workers=1)
    files = sorted(path.relative_to(tmp_path / 'b') for path in (tmp_path / 'b').rglob('*.*'))
    assert files == sorted(p.relative_to(tmp_path / 'a') for p in (tmp_path / 'a').rglob('*.*'))
    assert all(
        (tmp_path / 'a' / f).read_bytes() == (tmp_path / 'b' / f).read_bytes() for f in files
    )


def test_generates_real_files_and_the_same_twice(tmp_path):
    sizes = dict(train=2, test_held_out=1)
    assert generate(tmp_path / 'a', sizes, COUNTS, num_workers=1)
    assert not generate(tmp_path / 'a', sizes, COUNTS, num_workers=1)
    assert generate(tmp_path / 'b', sizes, COUNTS, num_workers=1)
    for name in ('train/000001.mp4', 'test_held_out/000000.mp4'):
        a, b = (tmp_path / folder / 'videos' / name for folder in 'ab')
        assert a.read_bytes() == b.read_bytes()
        with av.open(str(a)) as container:
            frames = [rgb_of(f) for f in container.decode(video=0)]
        assert 16 <= len(frames) <= 32 and frames[0].shape == (80, 80, 3)
    rows = [json.loads(r) for r in (tmp_path / 'a/annotations/train.jsonl').open()]
    assert len(rows) == 2 and all(row['labels'] for row in rows)
    told = json.loads((tmp_path / 'a/annotations/classes.json').read_text())
    assert list(told) == [found.text for found in all_labels()]
    assert told['dog']['read'] == 'read_to_180' and told['running']['read'] == 'no_entity'
    assert {told['cat']['read'], told['dog']['kind']} == {'never_read', 'entity'}
    file = tmp_path / 'a/annotations/parts.json'
    parts = json.loads(file.read_text())
    assert parts['an axe moving left'] == ['axe', 'moving left']
    assert set(parts) == {found.text for found in all_labels() if found.group == 'pair'}
    assert {part for both in parts.values() for part in both} <= set(told)
    file.unlink()  # a folder of before there was such a file
    assert not generate(tmp_path / 'a', sizes, COUNTS) and json.loads(file.read_text()) == parts
    with pytest.raises(DataError, match='remove it first'):
        generate(tmp_path / 'a', sizes, COUNTS, seed=1)
    with pytest.raises(ConfigError, match='none of'):
        generate(tmp_path / 'c', dict(dev=3), COUNTS)
