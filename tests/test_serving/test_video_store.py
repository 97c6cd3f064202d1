"""Videos are kept for a while, and not too many of them."""

import pytest

from ovmlv.serving.service_error import ServiceError
from ovmlv.serving.video_store import StoredVideo, VideoStore


def make(name='a'):
    return StoredVideo(name, 1.0, None, None, (), ())


@pytest.fixture
def clock():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    return Clock()


def test_the_one_not_used_for_longest_makes_room(clock):
    store, videos = VideoStore(2, 100, clock), [make(name) for name in 'abc']
    store.add(videos[0])
    store.add(videos[1])
    store.get(videos[0].id)
    store.add(videos[2])
    assert len(store) == 2
    assert store.get(videos[0].id) is videos[0] and store.get(videos[2].id) is videos[2]
    with pytest.raises(ServiceError, match='upload it again') as caught:
        store.get(videos[1].id)
    assert caught.value.code == 'unknown_video' and caught.value.status == 404


def test_videos_expire_after_their_last_use(clock):
    store, used, unused = VideoStore(9, 10, clock), make(), make()
    store.add(used)
    store.add(unused)
    clock.now = 8
    store.get(used.id)
    clock.now = 15
    store.expire()
    assert store._videos.keys() == {used.id}
    clock.now = 19
    assert len(store) == 0


def test_remove(clock):
    store, video = VideoStore(9, 10, clock), make()
    store.add(video)
    store.remove(video.id)
    with pytest.raises(ServiceError):
        store.remove(video.id)
