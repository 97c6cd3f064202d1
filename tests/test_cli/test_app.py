"""The command as a whole: start, help, exit status, streams."""

import io
import json
import os
import subprocess
import sys

import pytest

import ovmlv
from ovmlv.cli import app, bank, main

from .conftest import LABELS, MODEL

HEAVY = "{'torch', 'numpy', 'mmengine', 'mmaction', 'transformers', 'open_clip', 'av', 'tqdm'}"
HELP = f"""
import contextlib, io, sys, time
start = time.perf_counter()
from ovmlv.cli import main
text = io.StringIO()
with contextlib.redirect_stdout(text):
    for line in sys.argv[1:]:
        assert main(line.split()) == 0, line
assert len(text.getvalue()) > 10
loaded = {HEAVY} & {{name.split('.')[0] for name in sys.modules}}
assert not loaded, loaded
print(time.perf_counter() - start)
"""
COMMANDS = [*app.COMMANDS, *(f'bank {name}' for name in bank.COMMANDS)]


def test_help_starts_at_once(repository):
    """Of the command and of all subcommands, without a library beside Python's own."""
    lines = ['--help', '--version', *(f'{name} --help' for name in COMMANDS)]
    seconds = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, '-c', HELP, *lines], cwd=repository, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        seconds.append(float(done.stdout))
        if seconds[-1] < 0.5:
            break
    assert min(seconds) < 2, 'far above what it takes on any machine'


def test_module_and_console_script(repository):
    done = subprocess.run(
        [sys.executable, '-m', 'ovmlv', '--version'], cwd=repository, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, f'ovmlv {ovmlv.__version__}\n')
    assert "'ovmlv = ovmlv.cli:main'" in (repository / 'setup.py').read_text()


@pytest.mark.parametrize('name', COMMANDS)
def test_every_help_has_examples(capsys, name):
    assert main([*name.split(), '--help']) == 0
    text = capsys.readouterr().out
    if name == 'bank':
        assert 'bank COMMAND --help' in text
    assert f'    ovmlv {name}' in text
    assert 'exit status:' in text


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ([], 'usage: ovmlv COMMAND'),
        (['bank'], 'usage: ovmlv bank COMMAND'),
        (['tga'], "no command 'tga'; did you mean tag?"),
        (['bank', 'frobnicate'], 'there are build, add'),
        (['--nonsense'], 'unrecognized arguments'),
        (['tag'], 'the following arguments are required'),
        (['tag', 'a.mp4', '--labels', 'a'], '--model'),
        (['tag', 'a.mp4', *MODEL, '--top-k', '0'], 'give at least 1'),
        (['tag', 'a.mp4', *MODEL, '--threshold', '2'], 'from 0 to 1'),
        (['tag', 'a.mp4', *MODEL, '--window', 'inf'], 'above 0'),
        (['tag', 'a.mp4', *MODEL, '--stride', '1'], '--stride 1 needs --window'),
        (['tag', 'a.mp4', *MODEL, '--cfg-options', 'x'], 'key=value'),
        (['tag', 'a.mp4', *MODEL], 'no labels; give --labels'),
        (['tag', 'a.mp4', *MODEL, '--labels', 'a', 'a'], 'occurs twice'),
        (['tag', 'a.mp4', *MODEL, '--labels-file', 'none.txt'], 'none.txt not found'),
        (['tag', 'a.mp4', *MODEL, '--bank', 'none'], 'no label bank in none'),
        (['tag', '*.none', *MODEL, '--labels', 'a'], 'no file fits *.none'),
        (['tag', 'a.mp4', '--model', 'none.py', '--labels', 'a'], 'none.py'),
        (['tag', 'a.mp4', *MODEL, '--labels', 'a', '--calibration', 'none.json'], 'none.json'),
        (['tag', *MODEL, '--labels', 'a', __file__], 'put the videos before the options'),
        (['train'], 'the following arguments are required: config'),
        (['test', 'none.py'], 'there is no config none.py'),
        (['check-config', 'none.py'], 'there is no config none.py'),
        (['check-data', 'none.py'], '--out'),
        (['chek-data'], 'did you mean check-data?'),
        (['calibrate'], 'give predictions or --annotations'),
        (['serve', *MODEL, '--max-seconds', '-1'], '--max-seconds'),
        (['export', *MODEL, '--labels', 'a'], '--out'),
        (['publish', *MODEL], '--out'),
    ],
)
def test_wrong_usage(command, arguments, words):
    status, out, err = command(*arguments)
    assert (status, out) == (2, '')
    assert words in err
    assert 'Traceback' not in err


def test_faults_are_not_hidden(monkeypatch, capsys):
    """Those of the program leave with a traceback, which makes Python's exit status 1."""
    from ovmlv.cli import doctor

    monkeypatch.setattr(doctor, 'run', lambda args, out: [][0])
    with pytest.raises(IndexError):
        main(['doctor'])

    def interrupted(args, out):
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, 'run', interrupted)
    assert main(['doctor']) == 130
    assert capsys.readouterr().err == 'interrupted\n'


def test_what_is_printed_on_the_way_goes_to_stderr(monkeypatch, capsys):
    from ovmlv.cli import doctor

    def run(args, out):
        print('a log')
        out.write('a result\n')

    monkeypatch.setattr(doctor, 'run', run)
    assert main(['doctor']) == 0
    assert capsys.readouterr() == ('a result\n', 'a log\n')


def test_a_closed_pipe_ends_it_quietly(repository, tmp_path):
    code = (
        'import sys\nfrom ovmlv.cli import doctor, main\n'
        'doctor.run = lambda args, out: out.writelines(["x" * 100 + "\\n"] * 10**5)\n'
        'sys.exit(main(["doctor"]))'
    )
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, '-c', code], cwd=repository, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    os.read(reader, 1000)
    os.close(reader)
    assert process.communicate(timeout=60)[1] == b''
    assert process.returncode == 141


def test_streams(clips, fill, tmp_path, capfd):
    """Results alone on stdout, whatever libraries print; and no bar where there is no terminal."""
    good, bad = fill(tmp_path, clips, 3, 1)
    labels = tmp_path / 'labels.txt'
    labels.write_text('\n'.join([*LABELS, '']), encoding='utf-8')
    options = [*MODEL, '--labels-file', str(labels), '--format', 'jsonl', '--top-k', '1']
    capfd.readouterr()
    assert main(['tag', *bad, *good, *options]) == 3
    out, err = capfd.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert {row['video']: row['labels'][0]['label'] for row in rows} == good
    first, last = err.splitlines()
    assert bad[0] in first
    assert last == '3 tagged, 1 could not be read'


def test_bars_are_shown_on_a_terminal(clips, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, 'stderr', Terminal())
    assert main(['tag', *map(str, clips), *MODEL, '--labels', 'a', '--top-k', '1']) == 0
    assert '4/4' in sys.stderr.getvalue()
