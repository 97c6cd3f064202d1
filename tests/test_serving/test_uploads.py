"""What an upload is refused for, before anything of it is decoded."""

import av
import numpy as np
import pytest

from ovmlv.serving import ServingLimits
from ovmlv.serving.service_error import ServiceError
from ovmlv.serving.uploads import Upload, probe


def refusal(path, **limits):
    with pytest.raises(ServiceError) as caught:
        probe(Upload(path, 'my video'), ServingLimits(**limits))
    assert caught.value.message.startswith('my video ') and str(path) not in caught.value.message
    return caught.value.code


@pytest.mark.parametrize('name', ['a.mp4', 'a.mkv', 'a.mov', 'a.avi', 'a.ts', 'a.flv'])
def test_containers(write_video, tmp_path, name):
    """Of all of them the length is found without decoding; the name's ending does not matter."""
    source, copy = write_video(num_frames=24, fps=8), tmp_path / f'copy_{name}'
    with av.open(str(source)) as old, av.open(str(copy), 'w') as new:
        if name.endswith('avi'):  # encoded anew: H.264 has another form there
            stream = new.add_stream('mpeg4', rate=8)
            stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
            packets = [p for f in old.decode(video=0) for p in stream.encode(f)]
            packets += stream.encode()
        else:
            stream = new.add_stream_from_template(old.streams.video[0])
            packets = [p for p in old.demux(video=0) if p.dts is not None]
        for packet in packets:
            packet.stream = stream
            new.mux(packet)
    upload = Upload(copy.rename(tmp_path / 'upload'), 'my video')
    assert probe(upload, ServingLimits()) == pytest.approx(23 / 8, abs=0.15)
    assert refusal(upload.path, duration=2) == 'video_too_long'


def test_limits(write_video):
    video = write_video(num_frames=24, fps=8)
    assert probe(Upload(video, 'v'), ServingLimits(pixels=64 * 48)) > 2
    assert refusal(video, pixels=64 * 48 - 1) == 'frame_too_large'
    assert refusal(video, frames=23) == 'video_too_long'
    assert refusal(video, duration=2.5) == 'video_too_long'


def test_sound_alone(tmp_path):
    path = tmp_path / 'sound.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=16000, layout='mono')
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format='fltp', layout='mono'
        )
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert refusal(path) == 'unreadable_video'


def test_files_that_name_other_files(write_video, tmp_path):
    """Playlists and scripts are refused whatever their name is, also where a video follows."""
    video = write_video(num_frames=8)
    transport = tmp_path / 'v.ts'
    with av.open(str(video)) as old, av.open(str(transport), 'w') as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    for text in (
        f'#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{video}\n#EXT-X-ENDLIST\n',
        f'ffconcat version 1.0\nfile {video}\n',
        f'<?xml version="1.0"?><MPD><BaseURL>{video}</BaseURL></MPD>',
        'v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n',
        f'[playlist]\nFile1={video}\n',
    ):
        for tail in (b'', b'\n' + transport.read_bytes()):
            path = tmp_path / 'trick.mp4'
            path.write_bytes(text.encode() + tail)
            assert refusal(path) == 'unsupported_format'
    assert probe(Upload(transport, 'v'), ServingLimits()) > 0
