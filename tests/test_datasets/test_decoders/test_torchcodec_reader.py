"""torchcodec through the same interface: right, or refused; and where it cannot be loaded."""

import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from ovmlv.cli import health_checks
from ovmlv.datasets import VideoInit
from ovmlv.datasets.decoders import PyAVReader, TorchCodecReader
from ovmlv.datasets.video_failures import UnreadableVideoError
from ovmlv.errors import DependencyError
from tests.test_datasets import odd_videos as odd
from tests.test_datasets.loadable import needs_torchcodec
from tests.test_datasets.test_decoders.codec_matrix import CASES, Case, pictures, write
from tests.test_datasets.test_decoders.test_plain_decode import mutate, two_sizes


def attempt(reader, indices):
    """The frames, or the reason that there are none."""
    try:
        return reader.get_frames(indices)
    except UnreadableVideoError as error:
        assert '\n' not in str(error)
        return str(error)


def check_same(path, indices=(4, 0, 2, 4)):
    one, other = TorchCodecReader(path), PyAVReader(path)
    assert len(one) == len(other) and np.array_equal(one.times, other.times)
    for a, b in zip(one.get_frames(indices), other.get_frames(indices), strict=True):
        assert a.dtype == np.uint8 and np.array_equal(a, b)


def tagged(path, pix_fmt, codec='libx264', **colours):
    """A video of this pixel format, with the colours that its header states."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=10, options={'crf': '5'})
        stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
        for name, value in colours.items():
            setattr(stream.codec_context, name, value)
        for image in pictures(6):
            frame = av.VideoFrame.from_ndarray(image, format='rgb24').reformat(format=pix_fmt)
            for name, value in colours.items():
                setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@needs_torchcodec
def test_same_pixels_and_times_as_pyav(tmp_path):
    path = odd.write_noise(tmp_path / 'a.mp4', 12)
    check_same(path, [2, 9, 2])
    check_same(path.read_bytes(), [2, 9, 2])
    reader = TorchCodecReader(path, num_threads=2)
    assert reader.rate == pytest.approx(PyAVReader(path).rate) and reader.get_frames([]) == []
    for outside in (-1, 12):
        with pytest.raises(UnreadableVideoError, match=f'frame {outside} was asked .* only 12'):
            reader.get_frames([3, outside])
    reader.close()
    with pytest.raises(UnreadableVideoError, match='the reader was closed'):
        reader.get_frames([0])


@needs_torchcodec
@pytest.mark.parametrize(
    'matrix',
    [(0, 1, -1, 0), (0, -1, 1, 0), (-1, 0, 0, -1), (-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0),
     (0, -1, -1, 0), (0, 0, 0, 0)],
)  # fmt: skip
def test_upright_also_where_it_is_mirrored(matrix, tmp_path):
    check_same(odd.set_matrix(odd.write_noise(tmp_path / 'a.mp4', 6), *matrix))


@needs_torchcodec
def test_turned_by_45_degrees(tmp_path):
    path = odd.set_matrix(odd.write_noise(tmp_path / 'a.mp4', 6), 1, 1, -1, 1)
    found = attempt(TorchCodecReader(path), [0])
    assert found == attempt(PyAVReader(path), [0]) and 'turned by 45 degrees' in found


@needs_torchcodec
@pytest.mark.parametrize('pix_fmt', ['yuv420p', 'yuvj420p', 'yuv422p', 'yuv444p', 'yuv444p10le'])
@pytest.mark.parametrize('colours', [{}, {'colorspace': 1}, {'colorspace': 9}, {'color_range': 2}])
def test_colours(pix_fmt, colours, tmp_path):
    """Matrices (BT.709, BT.2020) and ranges: both libraries heed what the header states."""
    path = tagged(tmp_path / 'a.mp4', pix_fmt, **colours)
    if pix_fmt.endswith('10le') and 'color_range' in colours:
        with pytest.raises(UnreadableVideoError, match="full range .*; use backend='pyav'"):
            TorchCodecReader(path)
    else:
        check_same(path)


@needs_torchcodec
@pytest.mark.parametrize('codec', ['libvpx-vp9', 'libsvtav1'])
def test_full_range_that_no_pixel_format_tells(codec, tmp_path):
    path = tagged(tmp_path / 'a.mp4', 'yuv420p', codec, color_range=2)
    with pytest.raises(UnreadableVideoError, match="full range .*; use backend='pyav'"):
        TorchCodecReader(path)
    check_same(tagged(tmp_path / 'b.mp4', 'yuv420p', codec))


@needs_torchcodec
def test_colours_that_differ(tmp_path):
    """10-bit 4:2:0 and interlaced pictures: near, but not the same."""
    ten = tagged(tmp_path / 'ten.mp4', 'yuv420p10le')
    fields = write(CASES['h264-mp4-fields'], tmp_path / 'fields.mp4')
    for path in (ten, fields):
        kinds = (TorchCodecReader, PyAVReader)
        one, other = (np.stack(kind(path).get_frames([3, 1])) for kind in kinds)
        assert 0 < np.abs(one.astype(int) - other).mean() < 2


@needs_torchcodec
@pytest.mark.parametrize('size', [(40, 16), (40, 24), (40, 48), (46, 50), (34, 98), (50, 1002)])
def test_sizes(size, tmp_path):
    check_same(odd.write_noise(tmp_path / 'a.mp4', 6, size))


@needs_torchcodec
def test_two_streams(tmp_path):
    path = tmp_path / 'a.mp4'
    with av.open(str(path), 'w') as container:
        small = odd.add_stream(container, 'libx264', rate=5)
        large = odd.add_stream(container, 'libx264', size=(96, 160))
        odd.encode(container, small, 10)
        odd.encode(container, large, 20, size=(96, 160))
    check_same(path, [8, 3])


@needs_torchcodec
def test_frames_of_several_sizes(tmp_path):
    source, path = two_sizes(tmp_path / 'a.h264'), tmp_path / 'a.mkv'
    with av.open(str(source)) as old, av.open(str(path), 'w') as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for i, packet in enumerate(p for p in old.demux(video=0) if p.size):
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = 40 * i
            new.mux(packet)
    check_same(path, [3, 2])
    check_same(path, [15, 12])
    with pytest.raises(UnreadableVideoError, match="64x48, 96x80; set .* with backend='pyav'"):
        TorchCodecReader(path).get_frames([2, 15])


@needs_torchcodec
@pytest.mark.parametrize('name', ['h264-mp4-open', 'h264-mp4-refresh'])
def test_what_it_loses_when_it_seeks_is_read_from_the_first_frame(name, tmp_path, monkeypatch):
    path, count = write(CASES[name], tmp_path / 'a.mp4'), []
    plain = TorchCodecReader._from_first
    monkeypatch.setattr(
        TorchCodecReader, '_from_first', lambda self, wanted: count.append(1) or plain(self, wanted)
    )
    one, other, rng = TorchCodecReader(path), PyAVReader(path), np.random.default_rng(0)
    for _ in range(20):
        indices = rng.integers(0, len(one), 5)
        frames = zip(one.get_frames(indices), other.get_frames(indices), strict=True)
        assert all(np.array_equal(a, b) for a, b in frames)
    assert count


@needs_torchcodec
def test_an_edit_list_that_cuts_the_start(tmp_path):
    path = write(CASES['h264-mp4-negative'], tmp_path / 'a.mp4')
    with pytest.raises(UnreadableVideoError, match="other frames .* use backend='pyav'"):
        TorchCodecReader(path)


@needs_torchcodec
def test_files_of_no_use_are_refused_for_the_same_reason(tmp_path):
    cut = odd.truncate(odd.write_noise(tmp_path / 'cut.mp4'))
    (tmp_path / 'empty.mp4').write_bytes(b'')
    beginning = odd.write_noise(tmp_path / 'a.mp4').read_bytes()[:400]
    (tmp_path / 'beginning.mp4').write_bytes(beginning)
    for path, reason in {
        cut: 'cut short: its header states 4.00 s',
        odd.write_sound(tmp_path / 'sound.mp4'): 'no video stream (audio)',
        tmp_path / 'beginning.mp4': 'its codec is unknown',
    }.items():
        messages = []
        for kind in (TorchCodecReader, PyAVReader):
            with pytest.raises(UnreadableVideoError) as caught:
                kind(path)
            messages.append(str(caught.value))
        assert messages[0] == messages[1] and reason in messages[0]
    with pytest.raises(UnreadableVideoError, match='begins like none of the containers'):
        TorchCodecReader(tmp_path / 'empty.mp4')
    with pytest.raises(FileNotFoundError, match=r'none\.mp4 not found'):
        TorchCodecReader(tmp_path / 'none.mp4')


@needs_torchcodec
def test_damage(tmp_path):
    """What is given is right where PyAV gives it; what is refused has PyAV's reason.

    Of the frames that PyAV refuses, torchcodec gives some: decoders patch them up and it does not
    say so, as the docstring tells.
    """
    source = write(CASES['h264-mp4-b3'], tmp_path / 'whole.mp4').read_bytes()
    path, refused, given = tmp_path / 'a.mp4', 0, 0
    for seed in range(24):
        path.write_bytes(mutate(source, seed))
        try:
            other = PyAVReader(path)
        except UnreadableVideoError as error:
            with pytest.raises(UnreadableVideoError) as caught:
                TorchCodecReader(path)
            assert str(caught.value) == str(error)
            continue
        one = TorchCodecReader(path)
        for i in range(len(other)):
            found, expected = attempt(one, [i]), attempt(other, [i])
            if not isinstance(expected, str):
                assert np.array_equal(found[0], expected[0])
            elif isinstance(found, str):
                assert found == f"{expected} with backend='pyav'"
                refused += 1
            else:
                given += 1
    assert refused and given


@needs_torchcodec
def test_variable_rates(tmp_path):
    times = (7, 40, 80, 380, 387, 700, 1000, 1040)
    path = odd.write_video(tmp_path / 'a.mp4', 8, times=[t / 1000 for t in times], rate=1000)
    check_same(path, [7, 3, 4])
    case = Case('mkv', 'libx264', 3, times=tuple(np.cumsum([7, 40, 300] * 14)[:40].tolist()))
    check_same(write(case, tmp_path / 'a.mkv'), [31, 5, 17])


# --- where it cannot be loaded --------------------------------------------------------------------

MEND = r'pip install "torchcodec>=0\.12,<0\.14" .*fits torch .* FFmpeg\'s shared libraries'
MISSING = 'libnvrtc.so.13: cannot open shared object file: No such file or directory'


@pytest.fixture
def forgotten(monkeypatch):
    """As if torchcodec had not been imported yet."""
    for name in [n for n in sys.modules if n.split('.')[0] == 'torchcodec']:
        monkeypatch.delitem(sys.modules, name)
    return monkeypatch


@pytest.mark.parametrize(('torch', 'version'), [('2.9.1', '==0.9.*'), ('2.13.0+cpu', '>=0.12,')])
def test_it_is_not_installed(torch, version, forgotten, tmp_path):
    forgotten.setitem(sys.modules, 'torchcodec', None)
    forgotten.setattr('torch.__version__', torch)
    for use in (lambda: VideoInit(backend='torchcodec'), lambda: TorchCodecReader(tmp_path)):
        with pytest.raises(DependencyError, match='torchcodec is not installed: pip') as caught:
            use()
        message = str(caught.value)
        assert '\n' not in message and f'"torchcodec{version}' in message and torch in message


@pytest.mark.parametrize(
    'text',
    [
        f"raise OSError('Could not load this library') from OSError({MISSING!r})",
        f'raise RuntimeError("Could not load libtorchcodec:\\n1. FFmpeg ...\\n{MISSING}\\n")',
        f'raise ImportError({MISSING!r})',
    ],
)
def test_it_is_installed_but_cannot_be_loaded(text, forgotten, tmp_path):
    """As builds that need CUDA's libraries fail where there are none."""
    (tmp_path / 'torchcodec').mkdir()
    (tmp_path / 'torchcodec' / '__init__.py').write_text(text)
    forgotten.syspath_prepend(tmp_path)
    reason = r'cannot be loaded \(missing: libnvrtc\.so\.13\): ' + MEND
    with pytest.raises(DependencyError, match=reason) as caught:
        VideoInit(backend='torchcodec')
    assert '\n' not in str(caught.value)
    found = {finding.what: finding for finding in health_checks.decoders()}
    doctor = found['decoder torchcodec']
    assert doctor.state == 'note' and 'missing: libnvrtc.so.13' in doctor.detail
    assert doctor.mend is None  # the line has it
