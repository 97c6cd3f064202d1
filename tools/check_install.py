"""Use an installed ovmlv as its users do, from the current folder, and say what works.

    python tools/check_install.py [--name newest-3.11] [--logs DIR] [--summary FILE]

tools/check_versions.sh runs it with the interpreter of an environment into which the wheel was
installed, in an empty folder outside the checkout; it writes a few videos and a work folder there.
Every step is a process of its own, with a log; a failed step does not end the run. Exit status: 0
if all of them work. It uses the standard library only, since it must run whatever is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

SHOWN = (
    'torch torchvision transformers open_clip_torch timm mmengine mmcv mmaction2 av decord numpy '
    'opencv-python Pillow safetensors accelerate gguf onnx onnxruntime onnxscript fastapi uvicorn'
).split()
LABELS = ('red circle', 'blue square', 'green triangle')
MODEL = ('--model', 'motionshapes', '--labels', *LABELS)
CONFIG = 'ovmlv::ablations/prefix_readout_motionshapes.py'
VIDEO = 'data/motionshapes/videos/test/000000.mp4'
RUNTIME = f"""
import sys
from ovmlv.runtime import VideoTagger
result = VideoTagger('exported').tag({VIDEO!r})
print(result)
heavy = {{'torch', 'mmengine', 'transformers', 'mmaction'}} & set(sys.modules)
assert not heavy, f'the runtime imported {{heavy}}'
"""


def python(*arguments: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *arguments]


def run(command: list[str], log: Path, seconds: int = 1200) -> None:
    """Run a command; RuntimeError if it fails, with its last line."""
    with log.open('a', encoding='utf-8') as file:
        file.write(f'$ {" ".join(command)}\n')
        file.flush()
        try:
            status = subprocess.run(
                command, stdout=file, stderr=subprocess.STDOUT, timeout=seconds
            ).returncode
        except subprocess.TimeoutExpired:
            raise RuntimeError(f'not done after {seconds} s') from None
    if status:
        raise RuntimeError(f'exit status {status}')


def tools() -> Path:
    """``ovmlv/.mim`` of the installed package, found without importing it."""
    spec = importlib.util.find_spec('ovmlv')
    return Path(next(iter(spec.submodule_search_locations))) / '.mim'


def doctor(log: Path) -> None:
    """The command's own checks."""
    run(python('-m', 'ovmlv', 'doctor'), log)


def videos(log: Path) -> None:
    """A few videos, written with PyAV."""
    script = tools() / 'tools' / 'data' / 'motionshapes' / 'generate_videos.py'
    sizes = '--train 16 --val 3 --test 3 --workers 1'.split()
    run(python(str(script), *sizes), log)


def tag(log: Path) -> None:
    """A folder of videos with the CLIP that ships with the package."""
    folder = str(Path(VIDEO).parent)
    run(
        python('-m', 'ovmlv', 'tag', folder, *MODEL, '--output', 'tags.jsonl'),
        log,
    )
    rows = [json.loads(row) for row in Path('tags.jsonl').read_text(encoding='utf-8').splitlines()]
    if len(rows) != 3:
        raise RuntimeError(f'{len(rows)} results of 3 videos')


def train(log: Path) -> None:
    """Two steps through a language model, with gradients: what depends most on transformers."""
    command = python('-m', 'ovmlv', 'train', CONFIG, '--work-dir', 'work')
    # 16 videos in batches of 8, and few labels, for it shall run on any machine.
    options = ('train_cfg.max_epochs=1', 'train_dataloader.batch_size=8', 'model.labels_per_step=8')
    run([*command, '--no-validate', '--cfg-options', *options], log)
    if not Path('work/epoch_1.pth').is_file():
        raise RuntimeError('no checkpoint was written')


def test(log: Path) -> None:
    """The metrics of what was trained."""
    command = python('-m', 'ovmlv', 'test', CONFIG, 'work/epoch_1.pth', '--work-dir', 'tested')
    run([*command, '--out', 'metrics.json'], log)
    if not json.loads(Path('metrics.json').read_text(encoding='utf-8')):
        raise RuntimeError('no metrics were written')


def serve(log: Path) -> None:
    """A server that takes an upload and tags it."""
    command = python('-m', 'ovmlv', 'serve', '--model', 'motionshapes', '--port', '0', '--labels')
    with log.open('a', encoding='utf-8') as file:
        server = subprocess.Popen([*command, *LABELS], stdout=file, stderr=subprocess.STDOUT)
    try:
        address = _address(server, log)
        video = _ask(f'{address}api/videos?name=clip.mp4', Path(VIDEO).read_bytes())
        found = _ask(f'{address}api/videos/{video["id"]}/tags', b'{}')
        if not all(label in json.dumps(found) for label in LABELS):
            raise RuntimeError(f'unexpected answer {found}')
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def _address(server: subprocess.Popen, log: Path) -> str:
    """Where the server listens, as soon as it answers."""
    for _ in range(600):
        found = re.search(
            r'http://127\.0\.0\.1:\d+/', log.read_text(encoding='utf-8', errors='replace')
        )
        if found:
            try:
                _ask(f'{found[0]}api/status')
                return found[0]
            except OSError:  # it prints the address before it listens
                pass
        if server.poll() is not None:
            raise RuntimeError(f'the server ended with exit status {server.returncode}')
        time.sleep(0.5)
    raise RuntimeError('the server did not answer within 300 s')


def _ask(address: str, body: bytes | None = None) -> dict:
    request = urllib.request.Request(address, body, {'Content-Type': 'application/json'})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def export(log: Path) -> None:
    """The encoder and labels for programs without torch."""
    run(
        python('-m', 'ovmlv', 'export', *MODEL, '--out', 'exported'),
        log,
    )


def runtime(log: Path) -> None:
    """What was exported, without torch."""
    run(python('-c', RUNTIME), log)


STEPS: tuple[Callable[[Path], None], ...] = (
    doctor, videos, tag, train, test, serve, export, runtime,
)  # fmt: skip


def versions() -> list[str]:
    """``name version`` of what is installed; of a module with several owners, the distribution."""
    from ovmlv.openmmlab import owners

    found: list[str] = []
    for name in SHOWN:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found += owners(name) or [f'{name} {importlib.metadata.version(name)}']
            continue
        found.append(f'{name} is missing')
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--name', default='this environment', help='name of the environment in the summary'
    )
    parser.add_argument('--logs', default='.', metavar='DIR', help='folder of the logs')
    parser.add_argument('--summary', metavar='FILE', help='also write the summary here')
    parser.add_argument('--only', nargs='+', metavar='STEP', help='run only these steps')
    args = parser.parse_args()
    for variable in ('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'TOKENIZERS_PARALLELISM'):
        os.environ.setdefault(variable, '0' if variable.startswith('TOK') else '1')
    failed = {}
    steps = [step for step in STEPS if args.only is None or step.__name__ in args.only]
    for number, step in enumerate(steps, 1):
        name, start = step.__name__, time.monotonic()
        log = Path(args.logs) / f'{name}.log'
        log.unlink(missing_ok=True)
        print(f'  {number}/{len(steps)} {name:8}', end=' ', flush=True)
        try:
            step(log)
        except Exception as error:  # whatever it is, the next step is of interest
            failed[name] = f'{type(error).__name__}: {error}'
            print(f'FAILED ({failed[name]}); {log} ends with:')
            lines = log.read_text('utf-8', 'replace').splitlines() if log.exists() else []
            print('\n'.join(f'      {line[:160]}' for line in lines[-8:]), flush=True)
        else:
            print(f'ok ({time.monotonic() - start:.0f} s)', flush=True)
    outcome = f'failed: {", ".join(failed)}' if failed else 'all of it works'
    summary = (
        f'{args.name} | {datetime.date.today()} | Python {platform.python_version()} | {outcome} | '
        f'{", ".join(versions())}'
    )
    print(summary)
    if args.summary:
        Path(args.summary).write_text(f'| {summary} |\n', encoding='utf-8')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
