import pytest
from mmengine.config import Config

from ovmlv.benchmarking import load_suite
from ovmlv.benchmarking.results import config_digest
from ovmlv.errors import ConfigError

SUITE = """
shared = {'model.x': 1}
seeds = [0, 1, 2]
reference = 'b'
options = dict(shared)
rows = [dict(name=n, config='c.py') for n in 'ab'] + [
    dict(name='c', config='c.py', after='a', convert=['patch.py', '{checkpoint}', '{out}']),
]
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / 'c.py').write_text('x = 1')

    def write(text, name='suite.py'):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_python(write, tmp_path):
    suite = load_suite(write(SUITE))
    assert suite.name == 'suite' and suite.seeds == (0, 1, 2) and suite.options == {'model.x': 1}
    assert [row.name for row in suite.rows] == ['a', 'b', 'c']
    assert suite.row('a').config == str(tmp_path / 'c.py')
    assert suite.row('c').convert == ('patch.py', '{checkpoint}', '{out}')


def test_yaml_and_json(write):
    yaml = write('name: n\nrows:\n  - {name: a, config: c.py, title: A}\n', 's.yml')
    json = write('{"name": "n", "rows": [{"name": "a", "config": "c.py", "title": "A"}]}', 's.json')
    assert load_suite(yaml) == load_suite(json)


def test_selection_brings_what_it_needs(write):
    suite = load_suite(write(SUITE)).select(['c'])
    assert [row.name for row in suite.rows] == ['a', 'c'] and suite.reference == ''
    with pytest.raises(ConfigError, match='--rows d: the suite has no such row'):
        load_suite(write(SUITE)).select(['d'])


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ("name='c'", "name='a'", "two rows are named 'a'"),
        ("name='c'", "name='c/d'", "'c/d' is no folder name"),
        ("after='a', ", '', 'convert= but no after='),
        ("after='a'", "after='aa'", "after of c is 'aa', which is no row; did you mean a"),
        ("reference = 'b'", "reference = 'bb'", "reference is 'bb'"),
        ('seeds =', 'seedz =', 'has no seedz; did you mean seeds'),
        ("after='a'", "aftr='a'", "unknown key 'aftr'; did you mean after"),
        ('rows =', 'lines =', 'it has no list `rows`'),
        ("config='c.py')", "config='')", 'has no config'),
    ],
)
def test_mistakes(write, old, new, message):
    assert old in SUITE
    with pytest.raises(ConfigError, match=message):
        load_suite(write(SUITE.replace(old, new)))


def test_missing_config(write):
    with pytest.raises(FileNotFoundError, match='row a: there is no config d.py'):
        load_suite(write(SUITE.replace('c.py', 'd.py')))


def test_digest_is_of_what_is_computed():
    cfg = Config(dict(model=dict(a=1), randomness=dict(seed=0), work_dir='x'))
    same = Config(dict(randomness=dict(seed=0), model=dict(a=1), work_dir='y', resume=True))
    assert config_digest(cfg.to_dict()) == config_digest(same.to_dict())
    for key, value in [('model.a', 2), ('randomness.seed', 1)]:
        other = Config(cfg.to_dict())
        other.merge_from_dict({key: value})
        assert config_digest(other.to_dict()) != config_digest(cfg.to_dict())
    assert config_digest(cfg, dict(source='a')) != config_digest(cfg, dict(source='b'))
