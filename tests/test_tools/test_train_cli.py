"""tools/train.py and test.py as a user runs them: resuming, several processes, flags, errors."""

import importlib.util
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch

from ovmlv.utils import register_all_modules
from ovmlv.utils.configs import load_config
from ovmlv.utils.error_door import run_tool
from ovmlv.utils.file_lock import only_training_in

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / 'tools'
CONFIG = str(HERE / 'toy_config.py')
ITERATIONS = str(HERE / 'toy_iterations.py')


def start(tool, *args, **environment):
    """Start a tool; ``None`` values leave a variable out."""
    paths = os.pathsep.join(map(str, (HERE, TOOLS.parent)))  # the toys, and this very checkout
    env = {**os.environ, 'PYTHONPATH': paths, 'OMP_NUM_THREADS': '1', **environment}
    command = ['bash'] if tool.endswith('.sh') else [sys.executable]
    return subprocess.Popen(
        [*command, str(TOOLS / tool), *map(str, args)],
        env={key: value for key, value in env.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, status=0):
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, f'{process.returncode}\n{out}\n{err}'
    return out, err


def run(tool, *args, status=0, **environment):
    return finish(start(tool, *args, **environment), status)


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def assert_same_weights(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for key in one:
        torch.testing.assert_close(one[key], other[key], rtol=0, atol=1e-7)


@pytest.fixture
def train(monkeypatch):
    return _load(monkeypatch, 'train')


@pytest.fixture
def tester(monkeypatch):
    return _load(monkeypatch, 'test')


def _load(monkeypatch, name):
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    register_all_modules(init_default_scope=False)  # here once, not in every fork
    spec = importlib.util.spec_from_file_location(f'{name}_tool', TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def forked(tool, *args, **environment):
    """The exit status of a tool run in a fork of this process: its imports are done already."""
    child = os.fork()
    if child == 0:
        os.environ.update(environment)
        try:
            status = run_tool(tool.main, tool.parse_args([*map(str, args)]))
        except BaseException:
            traceback.print_exc()
            status = 1
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


WORKERS = ['train_dataloader.num_workers=2', 'train_dataloader.persistent_workers=True']


@pytest.mark.parametrize(
    ('config', 'options', 'kill_at', 'last'),
    [
        pytest.param(CONFIG, [], 15, 'epoch_4.pth', id='epochs', marks=pytest.mark.slow),
        pytest.param(
            CONFIG, WORKERS, 15, 'epoch_4.pth', id='epochs-workers', marks=pytest.mark.slow
        ),
        pytest.param(ITERATIONS, [], 14, 'iter_20.pth', id='iterations'),
        pytest.param(
            ITERATIONS, WORKERS, 14, 'iter_20.pth', id='iterations-workers', marks=pytest.mark.slow
        ),
    ],
)
def test_killed_and_resumed_run_ends_like_the_uninterrupted_one(
    train, tmp_path, config, options, kill_at, last
):
    as_user = config == ITERATIONS and not options
    options = ['--cfg-options', 'model.dropout=0.4', *options]
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    assert forked(train, config, '--work-dir', whole, '--seed', 7, *options) == 0
    status = forked(
        train, config, '--work-dir', killed, '--seed', 7, *options, TOY_KILL_AT=str(kill_at)
    )
    assert status == -signal.SIGKILL
    assert list(killed.glob('*.pth')), 'killed before the first checkpoint'
    assert not (killed / last).exists()
    # No --seed this time: the checkpoint's own is taken over. One of the four as a user runs it.
    resume = [config, '--work-dir', killed, '--resume', *options]
    if as_user:
        run('train.py', *resume)
    else:
        assert forked(train, *resume) == 0
    assert_same_weights(whole / last, killed / last)


def test_without_the_hook_the_resumed_run_differs(train, tmp_path):
    """What StepSeedHook is for; should mmengine learn to do it, the hook can go."""
    options = ['--work-dir', tmp_path / 'a', '--seed', 7, '--cfg-options', 'custom_hooks=[]']
    assert forked(train, CONFIG, *options) == 0
    whole = tmp_path / 'whole.pth'
    (tmp_path / 'a' / 'epoch_4.pth').rename(whole)
    resume = ['--resume', tmp_path / 'a' / 'epoch_2.pth']
    assert forked(train, CONFIG, *resume, *options) == 0
    one, other = weights(whole), weights(tmp_path / 'a' / 'epoch_4.pth')
    assert any(not torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    with pytest.MonkeyPatch.context() as monkeypatch:
        options = ['--work-dir', folder, '--cfg-options', 'train_cfg.max_epochs=1']
        assert forked(_load(monkeypatch, 'train'), CONFIG, *options) == 0
    return folder / 'epoch_1.pth'


@pytest.mark.slow  # test_dist.py has the scripts
def test_two_processes_on_the_cpu_give_the_metrics_of_one(tester, tmp_path, trained):
    """7 samples on 2 processes: one is padded and must not be counted twice."""
    one, two, dump = tmp_path / 'one.json', tmp_path / 'two.json', tmp_path / 'all.pkl'
    launched = start(
        'dist_test.sh', CONFIG, trained, 2, '--work-dir', tmp_path / 'two', '--out', two,
        PYTHON=sys.executable,
    )  # fmt: skip
    single = ['--work-dir', tmp_path, trained, '--out', one, '--dump', dump]
    assert forked(tester, CONFIG, *single) == 0
    finish(launched)
    one, two = json.loads(one.read_text()), json.loads(two.read_text())
    assert one['toy/count'] == two['toy/count'] == 7
    assert one['toy/steps'] == 3  # a numpy integer, written as a number
    # The points carry random noise here, so the errors are compared where there is none: in the
    # tests of the data sets and metrics. What is compared is that every sample is counted once.
    with open(dump, 'rb') as file:
        assert len(pickle.load(file)) == 7


@pytest.mark.slow  # test_dist.py has the scripts
def test_two_processes_train_on_the_cpu(tmp_path):
    """Without a GPU the launcher takes gloo, and both processes hold the same weights."""
    out, err = run(
        'dist_train.sh', CONFIG, 2, '--work-dir', tmp_path, '--seed', 1, '--cfg-options',
        'train_cfg.max_epochs=1', PYTHON=sys.executable, OMP_NUM_THREADS=None,
    )  # fmt: skip
    assert (tmp_path / 'epoch_1.pth').is_file()
    assert 'Epoch(train) [1][2/3]' in out + err  # 23 samples, 2 processes, batches of 4
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / 'epoch_1.pth').values())


def test_pure_python_config_trains(train, tmp_path):
    assert forked(train, HERE / 'toy_python.py', '--work-dir', tmp_path) == 0
    assert (tmp_path / 'epoch_1.pth').is_file()


# --- what the flags do to the config, without running -------------------------------------------


def merged(tool, *args):
    args = tool.parse_args([CONFIG, *map(str, args)])
    cfg = load_config(args.config, args.cfg_options)
    command = vars(tool).get('train') or tool.test  # the door has no more than this
    command.merge_args(cfg, args)
    return cfg


def test_seed_flag_wins_over_the_config(train):
    options = ['--cfg-options', 'randomness.seed=3', 'randomness.deterministic=True']
    assert merged(train).randomness == dict(seed=None)
    assert merged(train, *options).randomness == dict(seed=3, deterministic=True)
    expected = dict(seed=5, deterministic=True, diff_rank_seed=True)
    assert merged(train, '--seed', 5, '--diff-rank-seed', *options).randomness == expected


def test_work_dir_precedence_is_the_same_in_both_tools(train, tester):
    for tool in (train, tester):
        assert merged(tool).work_dir == str(Path('work_dirs/toy_config'))
        options = ['--cfg-options', 'work_dir=from_options']
        assert merged(tool, *options).work_dir == 'from_options'
        assert merged(tool, *options, '--work-dir', 'from_flag').work_dir == 'from_flag'


def test_flags_of_mmaction_and_mmpretrain(train):
    cfg = merged(train, '--no-validate', '--auto-scale-lr', '--no-pin-memory', '--local_rank', 1)
    assert cfg.val_cfg is None and cfg.val_dataloader is None and cfg.val_evaluator is None
    assert cfg.auto_scale_lr == dict(base_batch_size=8, enable=True)
    assert cfg.train_dataloader.pin_memory is False
    assert os.environ.pop('LOCAL_RANK') == '1'
    assert merged(train, '--no-persistent-workers').test_dataloader.persistent_workers is False
    assert cfg.default_scope == 'ovmlv'


def test_resume_flag(train, tmp_path, trained, capsys):
    assert merged(train).get('resume') is None
    fresh = merged(train, '--resume', '--work-dir', tmp_path)
    assert fresh.resume is False and 'from the beginning' in capsys.readouterr().out
    auto = merged(train, '--resume', '--work-dir', trained.parent)
    assert auto.resume is True and auto.load_from == str(trained)
    assert auto.randomness.seed == torch.load(trained, weights_only=True)['meta']['seed']
    given = merged(train, '--resume', trained, '--work-dir', tmp_path, '--seed', 4)
    assert given.load_from == str(trained) and given.randomness.seed == 4


def test_resume_finds_checkpoints_of_a_moved_work_folder(train, tmp_path, trained):
    moved = tmp_path / 'moved'
    moved.mkdir()
    (moved / 'last_checkpoint').write_text('/nowhere/epoch_1.pth')
    (moved / 'epoch_1.pth').write_bytes(trained.read_bytes())
    assert merged(train, '--resume', '--work-dir', moved).load_from == str(moved / 'epoch_1.pth')


# --- users' mistakes -----------------------------------------------------------------------------


def mistake(tool, capsys, *args, config=CONFIG):
    """Exit status must be 2, and the whole of stderr one line; returns it."""
    capsys.readouterr()
    assert run_tool(tool.main, tool.parse_args([config, *map(str, args)])) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith('error: ')
    return line


def test_mistakes_are_one_line(train, tester, tmp_path, trained, capsys):
    to = ['--work-dir', tmp_path]
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(trained.read_bytes()[:500])
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(\n')
    loose = tmp_path / 'loose.py'
    loose.write_text(f"_base_ = ['{CONFIG}']\nauto_scale_lr = dict(_delete_=True, enable=True)\n")
    orphan = tmp_path / 'orphan.py'
    orphan.write_text("_base_ = ['./absent.py']\n")
    alien = tmp_path / 'alien.py'
    alien.write_text("custom_imports = dict(imports=['no_such_module'])\n")
    cases = [
        (train, str(alien), [], ['alien.py imports', "No module named 'no_such_module'"]),
        (train, CONFIG[:-4] + '.py', [], ['there is no config', 'did you mean', 'toy_config.py']),
        (train, str(broken), [], ['broken.py is no usable config']),
        (train, str(orphan), [], ['orphan.py is no usable config', 'absent.py']),
        (train, str(loose), ['--auto-scale-lr'], ['auto_scale_lr=dict(base_batch_size=N)']),
        (train, CONFIG, ['--resume', tmp_path / 'no.pth'], ['no.pth', 'there is no checkpoint']),
        (train, CONFIG, ['--resume', cut], ['cut.pth', 'cut short']),
        (train, CONFIG, ['--cfg-options', 'model.type=ToyMdel'], ["'ToyMdel'", 'ToyModel']),
        (train, CONFIG, ['--cfg-options', 'model.dmi=3'], ['model.dmi', 'did you mean dim?']),
        (train, CONFIG, ['--cfg-options', 'model.type.x=3'], ['--cfg-options', 'model.type.x']),
        (tester, CONFIG, [tmp_path / 'no.pth'], ['there is no checkpoint']),
        (tester, CONFIG, ['--dump', 'x.json'], ['.pkl']),
        (tester, CONFIG, ['--out', 'x.txt'], ['.json']),
        (tester, CONFIG, ['--cfg-options', 'test_evaluator=None'], ['no test_evaluator']),
    ]
    if not torch.cuda.is_available():
        cases.append((train, CONFIG, ['--amp'], ['--amp needs a GPU']))
    for tool, config, args, words in cases:
        line = mistake(tool, capsys, *to, *args, config=config)
        assert all(word in line for word in words), (args, line)


def test_checkpoint_of_another_model_is_refused(tester, tmp_path, trained, capsys):
    args = [trained, '--work-dir', tmp_path, '--cfg-options', 'model.dim=5']
    options = ['train_dataloader', 'test_dataloader', 'val_dataloader']
    args += [f'{name}.dataset.dim=5' for name in options]
    assert run_tool(tester.main, tester.parse_args([CONFIG, *map(str, args)])) == 2
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith('error: '))
    assert 'epoch_1.pth does not fit the model' in line and 'layers.0.weight' in line


@pytest.mark.parametrize(
    'change',
    [
        lambda c: c.pop('meta'),
        lambda c: c.update(meta=3),
        lambda c: c['meta'].pop('iter'),
        lambda c: c['meta'].update(epoch='x'),
        lambda c: c.pop('message_hub'),
        lambda c: c.update(optimizer={}),
        lambda c: c.update(optimizer='x'),
        lambda c: c['optimizer']['param_groups'].pop(),
        lambda c: c.update(param_schedulers=[3]),
    ],
)
def test_states_of_another_run_are_refused(train, tmp_path, trained, capsys, change):
    """FAULTS B2, B5: what is resumed is more than weights."""
    content = torch.load(trained, weights_only=True)
    change(content)
    torch.save(content, tmp_path / 'x.pth')
    args = [CONFIG, '--resume', tmp_path / 'x.pth', '--work-dir', tmp_path]
    assert run_tool(train.main, train.parse_args([*map(str, args)])) == 2
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith('error: '))
    assert 'x.pth is no checkpoint that this run can be resumed from' in line


def test_text_of_a_checkpoint_is_not_run(train, tmp_path, trained):
    """mmengine's Runner runs ``meta.config`` of what it resumes from."""
    content = torch.load(trained, weights_only=True)
    content['meta']['config'] = f"open({str(tmp_path / 'mark')!r}, 'w')"
    torch.save(content, tmp_path / 'x.pth')
    args = [CONFIG, '--resume', tmp_path / 'x.pth', '--work-dir', tmp_path]
    assert run_tool(train.main, train.parse_args([*map(str, args)])) == 0
    assert not (tmp_path / 'mark').exists()


def test_debug_shows_the_traceback(train, tmp_path, monkeypatch):
    missing = [str(tmp_path / 'no.py')]
    with pytest.raises(FileNotFoundError):
        run_tool(train.main, train.parse_args([*missing, '--debug']))
    monkeypatch.setenv('OVMLV_DEBUG', '1')
    with pytest.raises(FileNotFoundError):
        run_tool(train.main, train.parse_args(missing))


def test_faults_of_the_code_keep_their_traceback():
    class Args:
        debug = False

    with pytest.raises(TypeError):
        run_tool(lambda args: None + 1, Args())
    with pytest.raises(ValueError, match='cannot reshape'):  # raised on purpose, but not by ovmlv
        run_tool(lambda args: np.zeros(3).reshape(2), Args())


def test_not_key_value(train, capsys):
    with pytest.raises(SystemExit):
        train.parse_args([CONFIG, '--cfg-options', 'model.dim'])
    assert '"model.dim" is not of the form key=value' in capsys.readouterr().err


def test_a_second_training_in_a_work_folder(train, trained):
    """FAULTS D13: it overwrote the first one's checkpoints."""
    content = trained.read_bytes()
    one_epoch = ['--work-dir', trained.parent, '--cfg-options', 'train_cfg.max_epochs=1']
    with only_training_in(trained.parent):
        assert forked(train, CONFIG, *one_epoch) == 2
    assert trained.read_bytes() == content


def test_resuming_after_a_kill_while_the_note_was_written(train, tmp_path, trained, capfd):
    """FAULTS D12: ``--resume`` said that there is no checkpoint, beside whole ones."""
    shutil.copy(trained, tmp_path)
    (tmp_path / 'last_checkpoint').touch()
    (tmp_path / 'epoch_2.pth').write_bytes(trained.read_bytes()[:1000])
    options = ['--cfg-options', 'train_cfg.max_epochs=2']
    assert forked(train, CONFIG, '--work-dir', tmp_path, '--resume', *options) == 0
    out, err = capfd.readouterr()
    assert f'resuming from {tmp_path / trained.name}' in out
    assert 'Epoch(train) [1]' not in out + err and 'Epoch(train) [2]' in out + err


def test_training_without_workers(train, tmp_path):
    """FAULTS D6"""
    options = ['train_cfg.max_epochs=1', 'train_dataloader.persistent_workers=True']
    options += ['val_dataloader.persistent_workers=True', 'val_dataloader.prefetch_factor=2']
    assert forked(train, CONFIG, '--work-dir', tmp_path, '--cfg-options', *options) == 0


def test_a_work_folder_below_a_file_is_one_line(train, tmp_path):
    """FAULTS D17"""
    (tmp_path / 'file').touch()
    status = forked(train, CONFIG, '--work-dir', tmp_path / 'file' / 'work')
    assert status == 2
