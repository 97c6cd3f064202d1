"""What all tests share. Environment first: it must be set before torch is imported."""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')
os.environ.setdefault('HF_HUB_OFFLINE', '1')
os.environ.setdefault('MPLBACKEND', 'Agg')

from ovmlv.compat import apply

apply()

import functools  # noqa: E402
import gc  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]
# What root's processes are scheduled by, where a system has that.
_SCHEDULER = os.sched_getscheduler(0) if hasattr(os, 'sched_getscheduler') else None


def pytest_configure(config):
    torch.set_num_threads(int(os.environ['OMP_NUM_THREADS']))


def pytest_collection_modifyitems(config, items):
    if torch.cuda.is_available():
        return
    for item in items:
        if 'gpu' in item.keywords:
            item.add_marker(pytest.mark.skip(reason='needs a CUDA device'))


def pytest_collection_finish(session):
    """Thousands of tests live to the end; no collection of garbage needs to walk through them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def restore_scheduler():
    """The encoder SVT-AV1 makes root's thread that opens it a real-time one, and leaves it so.

    Whatever such a test process starts afterwards inherits that: a browser of a hundred threads
    then waits for itself for ever, and nothing else on the machine gets a turn.
    """
    _leave_real_time()  # a fixture of the module may have encoded
    yield
    _leave_real_time()


def _leave_real_time():
    if _SCHEDULER is not None and os.sched_getscheduler(0) != _SCHEDULER:
        os.sched_setscheduler(0, _SCHEDULER, os.sched_param(0))


@pytest.fixture(autouse=True)
def restore_globals():
    """mmengine keeps its scope and its loggers in globals; a test that makes one must not leak it.

    A logger writes to the stream of the test that made it, which is closed after that test.
    """
    from mmengine.logging import MMLogger
    from mmengine.registry import DefaultScope

    before = {owner: dict(owner._instance_dict) for owner in (DefaultScope, MMLogger)}
    levels = {logger: logger.level for logger in before[MMLogger].values()}
    yield
    for logger, level in levels.items():
        logger.setLevel(level)
    for owner, instances in before.items():
        owner._instance_dict.clear()
        owner._instance_dict.update(instances)


@pytest.fixture
def log(caplog):
    """What is logged; mmengine's logger does not propagate by itself."""
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.fixture(scope='session')
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Folder with real annotation files that do not belong to the repository; skips without."""
    folder = Path(os.environ.get('OVMLV_SHARED_DATA') or REPOSITORY.parent / 'shared' / 'data')
    if not folder.is_dir():
        pytest.skip(f'no {folder}; set OVMLV_SHARED_DATA to the folder of real annotation files')
    return folder


@pytest.fixture
def write_video(tmp_path):
    """A function that writes a small H.264 mp4 and returns its path.

    Frame ``t`` is filled with grey ``10 * t`` (modulo 250) unless ``frames`` are given.
    """

    def write(
        name: str = 'video.mp4',
        num_frames: int = 16,
        size: tuple[int, int] = (48, 64),
        fps: int = 8,
        frames: np.ndarray | None = None,
    ) -> Path:
        import av

        if frames is None:
            levels = (10 * np.arange(num_frames) % 250).astype(np.uint8)
            frames = np.broadcast_to(levels[:, None, None, None], (num_frames, *size, 3))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('libx264', rate=fps)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = 'yuv420p'
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format='rgb24')
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A stand-in of Hugging Face's hub that this process asks, with an empty cache and a token."""
    from huggingface_hub import constants

    from tests.hub_stand_in import TOKEN, running_hub

    with running_hub() as found:
        monkeypatch.setenv('NO_PROXY', '127.0.0.1')
        monkeypatch.setenv('HF_TOKEN', TOKEN)
        for name, value in (
            ('ENDPOINT', found.address),
            (
                'HUGGINGFACE_CO_URL_TEMPLATE',
                found.address + '/{repo_id}/resolve/{revision}/{filename}',
            ),
            ('HF_HUB_OFFLINE', False),
            ('HF_HUB_DISABLE_XET', True),
            ('HF_HUB_CACHE', str(tmp_path / 'hub_cache')),
        ):
            monkeypatch.setattr(constants, name, value)
        yield found


@pytest.fixture(scope='session')
def dual(tmp_path_factory):
    """A function: family of dual encoders -> (model of transformers, folder with its files)."""
    from tests.test_models.test_dual_encoders.tiny_dual import write_dual

    @functools.cache
    def made(family: str):
        folder = tmp_path_factory.mktemp(family) / 'model'
        return write_dual(folder, family), str(folder)

    return made
