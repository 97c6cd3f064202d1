"""Opening of media files: a name is a name, and nothing that names other files is opened."""

import shutil
import socket
import threading

import av
import pytest

from ovmlv.containers import is_harmless, open_container
from ovmlv.datasets.decoders import PyAVReader, open_video
from ovmlv.datasets.video_failures import READ_ERRORS, UnreadableVideoError
from ovmlv.errors import DataError, OvmlvError
from ovmlv.runtime.video_file import read_frames
from tests.test_datasets import odd_videos as odd
from tests.test_datasets.loadable import LOADABLE


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    return odd.write_video(tmp_path_factory.mktemp('v') / 'good.mp4', 8)


@pytest.fixture(scope='module')
def transport(tmp_path_factory):
    return odd.write_video(tmp_path_factory.mktemp('v') / 'good.ts', 8)


NAMES = ['http:x', 'http:x.mp4', '-x.mp4', 'a:b.mp4', 'concat:a.mp4', 'subfile:,,start,0,end,0,:x']
NAMES += ['%d.mp4', 'img%03d.png', 'data:x', 'pipe:0', 'a?b#c.mp4', 'ü 杯.mp4', 'q\'uo"te.mkv', '-']


@pytest.mark.parametrize('name', NAMES)
def test_any_name_is_a_plain_file(name, video, tmp_path, monkeypatch):
    """FAULTS B4: decord took a file named ``http:...`` for an address."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(video, name)
    for path in (name, tmp_path / name):
        assert len(PyAVReader(path)) == 8
        assert read_frames(path, 2).shape == (1, 2, 48, 80, 3)
        for kind in LOADABLE.values():
            assert len(kind(path).get_frames([3, 1])) == 2


def scripts(target):
    """Files that make FFmpeg open another one."""
    path, address = str(target), f'file://{target}'
    return {
        'ffconcat': f"ffconcat version 1.0\nfile '{path}'\n",
        'ffconcat-option': f"ffconcat version 1.0\nfile '{path}'\noption protocol_whitelist file\n",
        'hls': f'#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n',
        'hls-master': f'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{address}\n',
        'dash': f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        f'profiles="urn:mpeg:dash:profile"><BaseURL>{address}</BaseURL></MPD>',
        'sdp': 'v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n',
        'pls': f'[playlist]\nFile1={path}\n',
        'ffmetadata': ';FFMETADATA1\ntitle=x\n',
        'imf': f'<?xml version="1.0"?><AssetMap><Path>{path}</Path></AssetMap>',
        'asx': f'<asx version="3.0"><entry><ref href="{address}"/></entry></asx>',
    }


@pytest.mark.parametrize('kind', scripts('x'))
@pytest.mark.parametrize('suffix', ['.mp4', '.avi', '.m3u8', '.txt', '.ffconcat'])
def test_scripts_open_nothing(kind, suffix, transport, tmp_path):
    """FAULTS B4: an ffconcat script named .mp4 opened its neighbour, decord a list's address."""
    near = tmp_path / 'near.ts'
    shutil.copy(transport, near)
    for tail in (b'', b'\n' + transport.read_bytes()):
        path = tmp_path / f'trick{suffix}'
        path.write_bytes(scripts(near)[kind].encode() + tail)
        for read in (*LOADABLE.values(), open_container):
            for source in (path, path.read_bytes()):
                with pytest.raises(READ_ERRORS) as caught:
                    read(source)
                assert isinstance(caught.value, OvmlvError), caught.value
        with pytest.raises(DataError):
            read_frames(path, 2)


def test_no_address_is_asked(tmp_path):
    """FAULTS B4: a canary at a port of this machine hears nothing."""
    heard = []
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.settimeout(0.05)
        port, stop = server.getsockname()[1], threading.Event()

        def listen():
            while not stop.is_set():
                try:
                    heard.append(server.accept())
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen)
        thread.start()
        for name, text in scripts(f'http://127.0.0.1:{port}/x.ts').items():
            path = tmp_path / f'{name}.mp4'
            path.write_text(text.replace('file://', ''))
            for backend in LOADABLE:
                with pytest.raises(READ_ERRORS):
                    open_video(path, backend)
        for backend in LOADABLE:
            with pytest.raises(READ_ERRORS):
                open_video(f'http://127.0.0.1:{port}/x.mp4', backend)
        stop.set()
        thread.join()
    assert not heard


def test_titles_in_any_encoding(video, tmp_path):
    """FAULTS A2: PyAV 19 has no metadata_errors, which others need for such a title."""
    path = tmp_path / 'a.mkv'
    with av.open(str(video)) as old, av.open(str(path), 'w') as new:
        new.metadata['title'] = 'CANARYTITLE'
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    data = path.read_bytes()
    assert b'CANARYTITLE' in data
    path.write_bytes(data.replace(b'CANARYTITLE', b'CANARYT\xe9\xff\xfeE'))
    with open_container(path) as container:
        assert 'CANARYT' in str(dict(container.metadata))
    assert len(PyAVReader(path)) == 8


def test_what_is_no_file(tmp_path):
    for name in (tmp_path / 'none.mp4', tmp_path, 'nul\0l.mp4', tmp_path / ('x' * 3000)):
        for read in (*LOADABLE.values(), open_container):
            with pytest.raises(FileNotFoundError, match='give the path'):
                read(name)


def test_what_the_reason_is(tmp_path, video):
    path = tmp_path / 'a.mp4'
    path.write_text("ffconcat version 1.0\nfile 'x'\n")
    with pytest.raises(UnreadableVideoError, match='it is a playlist, a script') as caught:
        open_container(path)
    assert isinstance(caught.value, DataError) and '\n' not in str(caught.value)
    assert is_harmless(video) and is_harmless(video.read_bytes())
