"""FAULTS C1-C5: frames, order and times are those of a plain decode, or there is a reason."""

import random
import re

import av
import numpy as np
import pytest

from ovmlv.curation.video_probe import ProbeTask, probe_video
from ovmlv.datasets.decoders import DecordReader, PyAVReader, TorchCodecReader
from ovmlv.datasets.video_failures import READ_ERRORS, UnreadableVideoError
from ovmlv.errors import DataError
from ovmlv.runtime.video_file import choose_frames, read_frames
from tests.test_datasets import odd_videos as odd
from tests.test_datasets.loadable import needs_torchcodec
from tests.test_datasets.test_decoders.codec_matrix import CASES, COUNT, RATE, plain_decode, write


@pytest.fixture(scope='session')
def made(tmp_path_factory):
    """Function: name of a case to its file, its pictures and their times; made once."""
    folder, known = tmp_path_factory.mktemp('matrix'), {}

    def make(name):
        if name not in known:
            path = folder / f'{name}.{CASES[name].suffix}'
            try:
                known[name] = (write(CASES[name], path), *plain_decode(path))
            except ValueError as error:
                known[name] = str(error)
        if isinstance(known[name], str):
            pytest.skip(f'this build of PyAV does not make {name}: {known[name]}')
        return known[name]

    return make


def expected_times(times, rate):
    """Of a plain decode; even from 0 where it has none, as sets where they go backwards."""
    if None in times:
        return np.arange(len(times)) / rate
    return np.sort(times)


def same(frames, whole, indices):
    return all(np.array_equal(f, whole[i]) for f, i in zip(frames, indices, strict=True))


@pytest.mark.parametrize('name', CASES)
def test_equals_a_plain_decode(name, made):
    """FAULTS C1: every codec in every container, with and without B-frames, in any order."""
    path, whole, times = made(name)
    reader, rng = PyAVReader(path), np.random.default_rng(0)
    assert len(reader) == len(whole) > 0
    for _ in range(3):  # some here and there, as samplers ask
        indices = rng.integers(0, len(whole), 5)
        assert same(reader.get_frames(indices), whole, indices)
    start = int(rng.integers(0, len(whole) - 4))  # a window
    assert same(reader.get_frames(range(start, start + 4)), whole, range(start, start + 4))
    order = rng.permutation(len(whole))
    assert same(reader.get_frames(order), whole, order)
    assert same(PyAVReader(path.read_bytes()).get_frames([7]), whole, [7])
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate or RATE)
    expected = expected_times(times, rate)
    off = 0.0
    if all(time is not None and time > 0 for time in times) and times[0] < 2 / RATE:
        off = times[0] - reader.times[0, 0]  # by what a decoder holds back, where none is stored
        assert off == pytest.approx(0, abs=1e-3) or off == pytest.approx(times[0], abs=1e-3)
    np.testing.assert_allclose(reader.times[:, 0], expected - off, atol=1e-3)
    if CASES[name].times is None and None not in times:
        assert reader.rate == pytest.approx(RATE, rel=0.05)
    facts = probe_video(ProbeTask(str(path)))
    assert facts['problems'] == [] and facts['frames'] == len(whole)
    assert facts['duration'] == pytest.approx(float(reader.times[-1, 1]), abs=1e-3)
    reader.close()


@pytest.mark.parametrize('name', [n for n in CASES if 'fields' not in n])
def test_decord_is_right_or_refused(name, made):
    """FAULTS C1, for the other reader. (Of interlaced pictures its colours differ.)"""
    path, whole, _ = made(name)
    rng = np.random.default_rng(1)
    try:
        reader = DecordReader(path)
        for indices in (rng.integers(0, len(whole), 5), rng.permutation(len(whole))):
            assert same(reader.get_frames(indices), whole, indices)
    except READ_ERRORS as error:
        assert str(error).strip()


#: What it refuses: containers that it may not open, and such whose times it does not follow.
REFUSED = re.compile(
    '.*-(ts|ivf|nut|h264|h265|m2v|mpg|vob)(-.*)?|gif|h264-(avi|asf)-.*|mpeg2-avi-.*|mpeg4-avi-b2'
    '|h264-mp4-negative'
)


@needs_torchcodec
@pytest.mark.parametrize('name', [n for n in CASES if 'fields' not in n])
def test_torchcodec_is_right_or_refused(name, made):
    """FAULTS C1, for the third reader. (Of interlaced pictures its colours differ.)"""
    path, whole, _ = made(name)
    rng = np.random.default_rng(1)
    if REFUSED.fullmatch(name):
        with pytest.raises(UnreadableVideoError, match="use backend='pyav'"):
            TorchCodecReader(path)
        return
    reader = TorchCodecReader(path)
    assert np.array_equal(reader.times, PyAVReader(path).times)
    asked = [rng.integers(0, len(whole), 5), rng.permutation(len(whole)), range(len(whole))]
    for indices in (*asked, *([i] for i in rng.permutation(len(whole))[:12])):
        assert same(reader.get_frames(indices), whole, indices)


@pytest.mark.parametrize('name', ['h264-mp4-b3', 'h264-mkv-open', 'h264-ts-b3', 'hevc-mp4-open'])
def test_seeking_is_kept_where_it_is_right(name, made):
    reader = PyAVReader(made(name)[0])
    reader.get_frames([33, 2, 17])
    assert reader.index.reliable and reader.index.damage is None  # nothing was decoded as a whole


@pytest.mark.parametrize('name', ['h264-avi-b3', 'h264-mp4-b3', 'mpeg4-avi-b2', 'vp8-webm-altref'])
def test_the_runtime_reads_the_same(name, made):
    path, whole, times = made(name)
    wanted = choose_frames(np.sort(times), 8)[0]
    assert same(read_frames(path, 8)[0], whole, wanted)


def test_times_of_decoding_stored_as_times_of_showing(made, tmp_path):
    """FAULTS C1: an mp4 of such packets (from an AVI, say) looks as if nothing were reordered."""
    source, whole, _ = made('h264-mp4-b3')
    path = tmp_path / 'a.mp4'
    with av.open(str(source)) as old, av.open(str(path), 'w') as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for i, packet in enumerate(p for p in old.demux(video=0) if p.size):
            packet.stream, packet.pts, packet.dts = stream, 1024 * i, 1024 * i
            new.mux(packet)
    for indices in ([5], [1, 2, 3], range(len(whole))):
        assert same(PyAVReader(path).get_frames(indices), whole, indices)
    facts = probe_video(ProbeTask(str(path)))
    assert 'order of decoding' in ' '.join(facts['notes'])


# --- damage ---------------------------------------------------------------------------------------

DAMAGED = 'h264-mp4-b3 h264-mkv-b3 h264-ts-b3 h264-avi-b3 h264-mp4-open hevc-mp4-b3 hevc-ts-open '
DAMAGED += 'mpeg4-avi-b2 mpeg4-mp4-b2 mpeg2-ts-b2 mpeg2-mpg-b2 vp8-webm vp9-webm wmv2-asf ffv1-mkv'
#: Their decoders tell of every error that shows, or nearly.
TELLING = 'h264-mp4-b3 h264-mkv-b3 h264-ts-b3 mpeg4-avi-b2 mpeg4-mp4-b2 mpeg2-ts-b2'.split()


def mutate(data, seed):
    """A flipped bit, some noise, or a hole."""
    draw, data = random.Random(seed), bytearray(data)
    at = draw.randrange(len(data) // 10, len(data) - 60)
    if seed % 3 == 0:
        data[at] ^= 1 << draw.randrange(8)
    elif seed % 3 == 1:
        size = draw.randrange(4, 60)
        data[at : at + size] = draw.randbytes(size)
    else:
        del data[at : at + draw.randrange(1, 200)]
    return bytes(data)


def one_by_one(reader):
    """Each frame asked alone; None where it is refused."""
    found = []
    for i in range(len(reader)):
        try:
            found.append(reader.get_frames([i])[0])
        except UnreadableVideoError as error:
            assert '\n' not in str(error)
            found.append(None)
    return found


def check_damaged(path, whole, silent, gaps):
    try:
        reader = PyAVReader(path, truncated='use')
    except UnreadableVideoError as error:
        assert '\n' not in str(error)
        return False
    alone = one_by_one(reader)
    again, rng = PyAVReader(path, truncated='use'), np.random.default_rng(0)
    for _ in range(5):
        indices = rng.integers(0, len(alone), 6)
        good = all(alone[i] is not None for i in indices)
        try:
            frames = again.get_frames(indices)
        except UnreadableVideoError:
            assert not good
        else:
            assert good and (gaps or same(frames, alone, indices))
    damaged = [i for i, frame in enumerate(alone) if frame is None]
    problems = probe_video(ProbeTask(str(path)))['problems']
    assert any(kind == 'damaged' for kind, _ in problems) == bool(damaged), problems
    if len(damaged) < len(alone):
        rest = PyAVReader(path, truncated='use', damaged='skip')
        kept = [frame for frame in alone if frame is not None]
        assert len(rest) == len(kept)
        assert gaps or same(rest.get_frames(range(len(kept))), kept, range(len(kept)))
    if len(alone) == len(whole) and not silent:
        for frame, original in zip(alone, whole):
            if frame is not None:
                assert np.abs(frame.astype(int) - original).mean() < 8
    return bool(damaged)


@pytest.mark.parametrize('name', DAMAGED.split())
@pytest.mark.parametrize('seeds', [range(6), pytest.param(range(6, 60), marks=pytest.mark.slow)])
def test_damage_is_told_and_the_same_whatever_else_is_asked(name, seeds, made, tmp_path):
    """FAULTS C2, C3: frames predicted from a damaged one are not given; check_dataset agrees."""
    source, whole, _ = made(name)
    path = tmp_path / source.name
    for seed in seeds:
        path.write_bytes(mutate(source.read_bytes(), seed))
        # Of errors that they do not notice, these leave parts of a picture as memory held it.
        gaps = seed >= 6 and name.startswith(('hevc', 'ffv1'))
        check_damaged(path, whole, silent=seed >= 6 or name not in TELLING, gaps=gaps)


def flipped(path, folder):
    """The first file with one flipped bit, of which a decoder flags some frame and goes on."""
    data = path.read_bytes()
    for at in range(len(data) // 4, len(data)):
        changed = bytearray(data)
        changed[at] ^= 4
        target = folder / f'flipped{path.suffix}'
        target.write_bytes(changed)
        try:
            with av.open(str(target)) as container:
                flags = [f.is_corrupt for f in container.decode(video=0)]
        except av.error.FFmpegError:
            continue
        if sum(flags) == 1 and len(flags) == COUNT and not flags[-1]:
            return target, flags.index(True)
    raise AssertionError('no bit makes a flagged frame')


def test_frames_after_a_corrupt_one(made, tmp_path):
    """FAULTS C2: a decoder flags one frame alone, and predicts others from it."""
    source, whole, _ = made('h264-mp4-one-key')
    path, first = flipped(source, tmp_path)
    reader = PyAVReader(path)
    alone = one_by_one(reader)
    assert all(frame is None for frame in alone[first:])
    given = [i for i, frame in enumerate(alone) if frame is not None]
    assert given and same([alone[i] for i in given], whole, given)
    with pytest.raises(UnreadableVideoError, match=r"damaged: .*damaged='skip'"):
        reader.get_frames([len(alone) - 1])
    assert len(PyAVReader(path, damaged='skip')) == len(given)
    kinds = [kind for kind, _ in probe_video(ProbeTask(str(path)))['problems']]
    assert kinds == ['damaged']
    with pytest.raises(DataError, match='damaged'):
        read_frames(path, 8)


def test_vp8_tells_of_broken_partitions(made, tmp_path):
    """FAULTS C3: one thread hid what two tell."""
    source, _, _ = made('vp8-webm')
    data, told = source.read_bytes(), 0
    path = tmp_path / 'a.webm'
    for seed in range(40):
        draw, changed = random.Random(seed), bytearray(data)
        at = draw.randrange(len(data) // 8, len(data) - 200)
        changed[at : at + 40] = draw.randbytes(40)
        path.write_bytes(changed)
        errors = False
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type, stream.codec_context.thread_count = 'SLICE', 2
            try:
                for packet in container.demux(stream):
                    packet.decode()
            except av.error.FFmpegError:
                errors = True
        reader = PyAVReader(path, truncated='use')
        told += errors
        assert not errors or reader.survey()
    assert told


@pytest.mark.parametrize('name', ['h264-ts-b3', 'hevc-ts-b3', 'mpeg2-ts-b2', 'mpeg4-ts-b2'])
def test_a_recording_that_starts_inside_a_group_of_pictures(name, made, tmp_path):
    """FAULTS C4: frames before the first key frame are left out, all others are read."""
    source, whole, _ = made(name)
    data = source.read_bytes()
    path = tmp_path / 'a.ts'
    path.write_bytes(data[188 * (len(data) // 188 // 8) :])
    reader = PyAVReader(path)
    assert 24 <= len(reader) < COUNT  # the second key frame is frame 12
    first = COUNT - len(reader)
    assert same(reader.get_frames(range(len(reader))), whole, range(first, COUNT)) or first != 12
    for i in (0, len(reader) // 2, len(reader) - 1):
        assert np.array_equal(reader.get_frames([i])[0], whole[first + i])
    facts = probe_video(ProbeTask(str(path)))
    assert facts['frames'] == len(reader) and not facts['problems']
    assert read_frames(path, 4).shape[1] == 4


def two_sizes(path):
    """A stream whose frames are 64x48 first and 96x80 then."""
    parts = []
    for size in ((48, 64), (80, 96)):
        part = odd.write_video(path.with_name(f'{size[0]}.h264'), 10, size=size, b_frames=0)
        parts.append(part.read_bytes())
    path.write_bytes(b''.join(parts))
    return path


def test_frames_that_change_their_size(tmp_path):
    """FAULTS C5: refused, or scaled to the size of the first."""
    path = two_sizes(tmp_path / 'a.h264')
    with pytest.raises(UnreadableVideoError, match="64x48, 96x80; set resized='scale'"):
        PyAVReader(path).get_frames([2, 15])
    reader = PyAVReader(path, resized='scale')
    assert {f.shape for f in reader.get_frames(range(20))} == {(48, 64, 3)}
    assert reader.get_frames([15])[0].shape == (48, 64, 3)  # also where no other is asked
    assert reader.get_frames([15])[0][-10:, -10:].mean() == pytest.approx(odd.level(5), abs=4)
    with pytest.raises(DataError, match='change their size'):
        read_frames(path, 8)
    assert 'change their size' in str(probe_video(ProbeTask(str(path)))['problems'])
