"""The benchmark as a user runs it: killed, continued, changed, failing."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest
from mmengine.config import Config

from ovmlv.benchmarking import job as job_module, scheduler
from ovmlv.errors import CheckpointError
from ovmlv.utils import register_all_modules
from ovmlv.utils.error_door import run_tool

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


class Fork:
    """What Popen is to the scheduler, for a fork of this process: its imports are done."""

    def __init__(self, function, log=None, **environment):
        self.status = None
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.environ.update(environment)
                if log is not None:
                    os.dup2(log.fileno(), 1)
                    os.dup2(log.fileno(), 2)
                status = function()
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(status)

    def poll(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status

    def wait(self):
        while self.poll() is None:
            time.sleep(0.02)
        return self.status

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)


def load_file(path):
    spec = importlib.util.spec_from_file_location(f'{path.stem}_file', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_tool(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    register_all_modules(init_default_scope=False)  # here once, not in every fork
    importlib.import_module('mmaction.datasets')
    # Every checkpoint holds the config as text, whose formatting takes longer than such a training.
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: repr(dict(self))))

    def start(path, num_threads, log):
        return Fork(lambda: job_module.main(str(path)), log)

    monkeypatch.setattr(scheduler, 'start_process', start)
    return load_file(REPOSITORY / 'tools' / 'benchmark.py')


@pytest.fixture
def tool(monkeypatch):
    return load_tool(monkeypatch)


def arguments(folder, out, *more):
    options = ['--results', out / 'results', '--work-dir', out / 'work', '--interval', '0.5']
    return [str(folder / 'suite.json'), *map(str, options), *map(str, more)]


def benchmark(tool, folder, out, *more, **environment):
    """Exit status of the tool in a fork of its own."""
    args = tool.parse_args(arguments(folder, out, *more))
    return Fork(lambda: run_tool(tool.main, args), **environment)


def results(out):
    """Row and seed -> metrics."""
    found = {}
    for path in sorted((out / 'results' / 'tiny').glob('*/seed*.json')):
        result = json.loads(path.read_text())
        assert path.parent.name == result['row'] and path.stem == f'seed{result["seed"]}'
        found[result['row'], result['seed']] = result
    return found


def wait_for(*paths, seconds=60):
    end = time.monotonic() + seconds
    while not all(path.exists() for path in paths):
        assert time.monotonic() < end, f'no {paths}'
        time.sleep(0.05)


@pytest.fixture(scope='module')
def whole(folder, tmp_path_factory):
    """The folder of an uninterrupted run of all rows."""
    out = tmp_path_factory.mktemp('whole')
    with pytest.MonkeyPatch.context() as monkeypatch:
        tool = load_tool(monkeypatch)
        assert benchmark(tool, folder, out, '--jobs', 2).wait() == 0
    return out


def test_killed_and_continued_benchmark_ends_like_the_uninterrupted_one(
    tool, folder, whole, tmp_path
):
    """SIGKILL of the scheduler in the middle of two trainings; nothing is tidied up."""
    rows = ['--rows', 'tuned', 'again', '--jobs', '2']
    killed = benchmark(tool, folder, tmp_path, *rows, PAUSE_AT='3')  # of 6 steps, after a save
    work = [tmp_path / 'work' / 'tiny' / 'tuned' / f'seed{seed}' for seed in (0, 1)]
    wait_for(*(path / 'paused' for path in work))
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert not results(tmp_path) and all((path / 'epoch_1.pth').is_file() for path in work)
    # The trainings end with their scheduler, and so their locks are free.
    assert benchmark(tool, folder, tmp_path, *rows).wait() == 0
    expected = results(whole)
    got = results(tmp_path)
    assert got.keys() == {key for key in expected if key[0] in ('tuned', 'again')}
    for key, result in got.items():
        assert result['metrics'] == pytest.approx(
            expected[key]['metrics'], abs=1e-6, nan_ok=True
        ), key
        assert result['cost']['steps'] == expected[key]['cost']['steps'] == 6
        if key[0] == 'tuned':
            assert result['starts'] == 2 and expected[key]['starts'] == 1


def test_results(whole):
    found = results(whole)
    # Without training, nothing is random and one seed says all.
    assert found.keys() == {
        ('zero_shot', 0), ('tuned', 0), ('tuned', 1), ('again', 0), ('again', 1), ('fast', 0),
    }  # fmt: skip
    for (row, _), result in found.items():
        assert {'multilabel/mAP', 'multilabel/mAP_seen', 'multilabel/ECE'} < set(result['metrics'])
        assert result['versions']['ovmlv'] and result['versions']['torch']
        assert 'processor' in result['machine']
        assert result['machine']['bfloat16'] in (True, False)
        name = os.uname().nodename
        assert len(name) < 4 or name not in json.dumps(result), 'names the host'
        if row == 'zero_shot':
            assert result['cost']['trainable_parameters'] == result['cost']['steps'] == 0
        else:
            assert result['cost']['steps'] == 6 and result['cost']['trainable_parameters'] > 1000
            assert 0 < result['cost']['step_seconds'] < 60
            assert 50 < result['cost']['peak_memory_mb'] < 20000
    metrics = {key: result['metrics'] for key, result in found.items()}
    same = pytest.approx(metrics['tuned', 0], abs=1e-6, nan_ok=True)  # weights and videos
    assert (
        metrics['again', 0] == same and metrics['tuned', 1] != same and metrics['fast', 0] != same
    )


def test_logs_are_kept_beside_the_results(whole):
    folder = whole / 'results' / 'tiny'
    lines = (folder / 'tuned' / 'seed1.log.jsonl').read_text().splitlines()
    assert 'loss_cls' in json.loads(lines[0])


def test_tables(whole):
    folder = whole / 'results' / 'tiny'
    text = (folder / 'table.md').read_text()
    assert '*not trained*' in text and 'zero-shot' in text and 'p_s' in text and 'Machine' in text
    tuned = next(line for line in text.splitlines() if line.startswith('| tuned |'))
    assert '±' in tuned and '1.00 x' in tuned
    assert (folder / 'table.csv').read_text().startswith('row,title,group,seeds')
    assert (folder / 'table.png').read_bytes()[:4] == b'\x89PNG'


def test_finished_rows_are_left_alone(tool, folder, whole, capsys):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob('seed*.json')}
    assert run_tool(tool.main, tool.parse_args(arguments(folder, whole))) == 0
    assert {path: path.stat().st_mtime_ns for path in whole.rglob('seed*.json')} == before
    assert '6 runs, 6 finished' in capsys.readouterr().out


def test_a_part_of_the_rows_leaves_the_table_whole(tool, folder, whole, capsys):
    table = whole / 'results' / 'tiny' / 'table.md'
    rows = [line for line in table.read_text().splitlines() if line.startswith('| ')]
    args = arguments(folder, whole, '--rows', 'fast', 'zero_shot', '--seeds', '1')
    assert run_tool(tool.main, tool.parse_args(args)) == 0
    # Neither has a seed 1: one has a seed of its own, the other is tested once.
    assert '2 rows, 2 runs, 2 finished' in capsys.readouterr().out
    assert [line for line in table.read_text().splitlines() if line.startswith('| ')] == rows
    args = arguments(folder, whole, '--rows', 'tuned', '--seeds', '1', '7', '--list')
    assert run_tool(tool.main, tool.parse_args(args)) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[:4] for line in lines] == [
        ['done', 'tuned', 'seed', '1'],
        ['open', 'tuned', 'seed', '7'],
    ]


def test_only_runs_need_the_data(tool, folder, whole, tmp_path, capsys):
    for name in ('suite.json', 'tuned.py', 'frozen.py', 'split.json'):
        shutil.copy(folder / name, tmp_path)
    for name in ('tuned.py', 'frozen.py'):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text.replace('train.jsonl', 'nowhere.jsonl'))
    for option in ('--list', '--table-only'):
        args = arguments(tmp_path, tmp_path, option)
        assert run_tool(tool.main, tool.parse_args(args)) == 0, option
    args = arguments(tmp_path, tmp_path, '--rows', 'zero_shot')
    assert run_tool(tool.main, tool.parse_args(args)) == 2
    assert 'nowhere.jsonl' in capsys.readouterr().err


def test_only_runs_touch_results(tool, folder, whole, capsys):
    before = {path: path.read_text() for path in whole.rglob('seed*.json')}
    other = ['--rows', 'tuned', '--cfg-options', 'optim_wrapper.optimizer.weight_decay=0.3']
    for options, words in (
        ([*other, '--table-only', '--rerun-changed'], '--rerun-changed: nothing is run'),
        ([*other, '--measure-costs', '2', '--rerun-changed'], '--rerun-changed: nothing is run'),
        (['--measure-costs', '0'], '--measure-costs 0'),
    ):
        args = tool.parse_args(arguments(folder, whole, *options))
        assert run_tool(tool.main, args) == 2
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool.parse_args(arguments(folder, whole, '--measure-costs', '2', '--list'))
    assert '--list: not allowed with' in capsys.readouterr().err
    assert (
        run_tool(tool.main, tool.parse_args(arguments(folder, whole, *other, '--table-only'))) == 0
    )
    assert 'not in the table, since made with other configs than now' in capsys.readouterr().out
    assert {path: path.read_text() for path in whole.rglob('seed*.json')} == before
    assert run_tool(tool.main, tool.parse_args(arguments(folder, whole, '--table-only'))) == 0


def test_the_start_of_a_training_is_part_of_its_identity(folder, tmp_path):
    def identity(**options):
        options = {'optim_wrapper.optimizer.lr': 0.1, **options}
        job = job_module.Job('s', 'r', 0, str(folder / 'tuned.py'), 'work', 'result', options)
        return job_module.digest(job, job_module.job_config(job))

    start = identity(load_from='a.pth')
    assert identity() == identity(load_from=None) != start != identity(load_from='b.pth')


def test_steps_that_were_taken_again_are_logged_once(tmp_path):
    def log(name, *steps):
        path = tmp_path / name / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        lines = [
            dict(mAP=0.5, step=1, of=name) if step == 'val' else dict(iter=1, step=step, of=name)
            for step in steps
        ]
        path.write_text(''.join(json.dumps(line) + '\n' for line in lines))

    log('1', 20, 40, 'val', 60, 80)
    log('2', 60, 'val', 80, 100, 'val')  # from the checkpoint of step 40
    log('3', 120)
    job_module._keep_log(tmp_path, str(tmp_path / 'seed0.json'))
    kept = [json.loads(line) for line in (tmp_path / 'seed0.log.jsonl').read_text().splitlines()]
    assert [(line['of'], 'val' if 'mAP' in line else line['step']) for line in kept] == [
        ('1', 20), ('1', 40), ('1', 'val'),
        ('2', 60), ('2', 'val'), ('2', 80), ('2', 100), ('2', 'val'), ('3', 120),
    ]  # fmt: skip


def test_weights_of_another_config_are_not_tested(tool, folder, whole, tmp_path):
    """A row after one whose work folder holds what other options trained."""
    after = whole / 'work' / 'tiny' / 'tuned' / 'seed0'
    job = job_module.Job(
        *(
            'tiny',
            'again',
            0,
            str(folder / 'tuned.py'),
            str(tmp_path),
            str(tmp_path / 'seed0.json'),
        ),
        train=False,
        after=str(after),
    )
    source = json.loads((after / 'identity.json').read_text())['digest']
    assert job_module._weights(job, {}, tmp_path, source) == str(after / 'epoch_3.pth')
    with pytest.raises(
        CheckpointError, match='again: .* no checkpoint of the config that it comes'
    ):
        job_module.run(job, 'another')


def test_results_of_other_configs_are_not_mixed(tool, folder, whole, capsys):
    changed = ['--cfg-options', 'optim_wrapper.optimizer.weight_decay=0.3', '--rows', 'tuned']
    args = arguments(folder, whole, *changed)
    assert run_tool(tool.main, tool.parse_args(args)) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert 'tuned seed 0, tuned seed 1' in line and '--rerun-changed' in line
    assert run_tool(tool.main, tool.parse_args([*args, '--list'])) == 0
    assert 'changed  tuned seed 0' in capsys.readouterr().out
    args = tool.parse_args([*args, '--keep-changed', '--results', str(whole / 'results')])
    assert run_tool(tool.main, args) == 0


@pytest.mark.slow
def test_another_metric_tests_the_trained_weights_again(tool, folder, whole, tmp_path):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    before = results(tmp_path)
    changed = ['--cfg-options', "test_evaluator.group_metrics=['mAP','ECE']", '--rerun-changed']
    assert benchmark(tool, folder, tmp_path, *changed, '--rows', 'tuned', 'again').wait() == 0
    after = results(tmp_path)
    for key in after.keys() - {('fast', 0), ('zero_shot', 0)}:
        old, new = before[key], after[key]
        assert (
            'multilabel/ECE_seen' not in old['metrics'] and 'multilabel/ECE_seen' in new['metrics']
        )
        kept = {name: new['metrics'][name] for name in old['metrics']}
        assert kept == pytest.approx(old['metrics'], abs=1e-6, nan_ok=True)
        # The peak is that of all that was run, and testing may reach as far as training.
        measured = dict(test_seconds=0, peak_memory_mb=0)
        assert {**new['cost'], **measured} == {**old['cost'], **measured}
        peak = old['cost']['peak_memory_mb']
        assert 0.99 * peak < new['cost']['peak_memory_mb'] < 1.05 * peak
        assert new['config_digest'] != old['config_digest']
    for path in (tmp_path / 'work' / 'tiny' / 'tuned').glob('*/epoch_*.pth'):
        assert path.stat().st_mtime_ns == (whole / path.relative_to(tmp_path)).stat().st_mtime_ns
    log = (tmp_path / 'results' / 'tiny' / 'tuned' / 'seed0.log.jsonl').read_text()
    steps = [json.loads(line)['step'] for line in log.splitlines() if '"iter"' in line]
    assert steps == sorted(set(steps)) and max(steps) == 6
    # Another loss is another training.
    changed[1:3] = ['optim_wrapper.optimizer.weight_decay=0.3', '--rerun-changed']
    arguments_ = [*changed, '--rows', 'tuned', '--seeds', '0']
    assert benchmark(tool, folder, tmp_path, *arguments_).wait() == 0
    assert results(tmp_path)['tuned', 0]['starts'] == 1


def test_failure_of_one_row_leaves_the_others(tool, folder, tmp_path, capsys):
    options = ['--rows', 'tuned', 'again', 'zero_shot', '--seeds', '0']
    args = arguments(folder, tmp_path, *options)
    lock = tmp_path / 'work' / 'tiny' / 'tuned' / 'seed0' / 'lock'
    lock.mkdir(parents=True)  # nothing can be opened there
    assert run_tool(tool.main, tool.parse_args(args)) == 1
    out = capsys.readouterr()
    assert 'tuned seed 0: FAILED' in out.out and 'again seed 0: not run' in out.out
    assert 'failed: tuned seed 0' in out.err
    assert results(tmp_path).keys() == {('zero_shot', 0)}


@pytest.mark.slow
def test_time_budget(tool, folder, tmp_path):
    """So little time that training ends with its first epoch."""
    options = ['--rows', 'tuned', '--seeds', '0', '--budget-seconds', '0.001']
    assert benchmark(tool, folder, tmp_path, *options).wait() == 0
    result = results(tmp_path)['tuned', 0]
    assert result['cost']['steps'] == 2 and result['budget_seconds'] == 0.001
    assert '0.001 s' in (tmp_path / 'results' / 'tiny' / 'table.md').read_text()


@pytest.mark.slow
def test_costs_are_measured_apart_from_the_runs(tool, folder, whole, tmp_path, capsys):
    shutil.copytree(whole / 'results', tmp_path / 'results')
    assert benchmark(tool, folder, tmp_path, '--measure-costs', 6).wait() == 0
    root = tmp_path / 'results' / 'tiny'
    assert {path.parent.name for path in root.glob('*/cost.json')} == {'tuned', 'fast'}
    cost = json.loads((root / 'tuned' / 'cost.json').read_text())
    assert cost['cost']['steps'] >= 6 and not cost['metrics']
    # Measured again, not read from a checkpoint that the first time left.
    assert benchmark(tool, folder, tmp_path, '--rows', 'tuned', '--measure-costs', 6).wait() == 0
    assert not list((tmp_path / 'work').rglob('cost/*.pth'))
    again = json.loads((root / 'tuned' / 'cost.json').read_text())
    assert again['cost']['steps'] >= 6
    assert again['cost']['train_seconds'] != cost['cost']['train_seconds']
    cost = again
    # The table has these times, and the results themselves are what they were.
    fast = json.loads((root / 'fast' / 'cost.json').read_text())
    fast['cost']['step_seconds'] = 3 * cost['cost']['step_seconds']
    (root / 'fast' / 'cost.json').write_text(json.dumps(fast))
    assert benchmark(tool, folder, tmp_path, '--table-only').wait() == 0
    text = (root / 'table.md').read_text()
    assert '3.00 x' in next(line for line in text.splitlines() if line.startswith('| fast |'))
    assert '1.00 x' in next(line for line in text.splitlines() if line.startswith('| again |'))
    assert 'each row alone' in text
    # Times of another config are not mixed in.
    (root / 'fast' / 'cost.json').write_text(json.dumps(fast | dict(config_digest='other')))
    capsys.readouterr()
    assert run_tool(tool.main, tool.parse_args(arguments(folder, tmp_path, '--table-only'))) == 0
    assert 'measured with other configs than now: fast;' in capsys.readouterr().out
    row = next(line for line in (root / 'table.md').read_text().splitlines() if '| fast |' in line)
    assert [cell.strip() for cell in row.split('|')][-6:-2] == ['6', '-', '-', '1.00 x']
    assert results(tmp_path) == results(whole)


@pytest.mark.slow
def test_as_a_user_runs_it(folder, tmp_path):
    """Whole processes; the scheduler is killed by SIGKILL and its training dies with it."""
    command = [sys.executable, str(REPOSITORY / 'tools' / 'benchmark.py')]
    command += [*arguments(folder, tmp_path, '--rows', 'tuned', '--seeds', '0')]
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(HERE), str(REPOSITORY)])}
    paused = tmp_path / 'work' / 'tiny' / 'tuned' / 'seed0' / 'paused'
    first = subprocess.Popen(command, env={**env, 'PAUSE_AT': '3'})
    wait_for(paused, seconds=120)
    first.kill()
    first.wait()
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert results(tmp_path)['tuned', 0]['starts'] == 2
    log = Path(paused).with_name('job.log').read_text()
    assert 'resumed epoch: 1' in log
