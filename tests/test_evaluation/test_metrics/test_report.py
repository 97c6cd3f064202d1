"""Where the per-class file goes."""

import logging

from mmengine.logging import MMLogger

from ovmlv.evaluation.metrics.report import text_table, write_per_class


def test_relative_path_lies_beside_the_log_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [dict(label='a, "b"', AP=0.5)]
    (tmp_path / 'run').mkdir()
    logger = logging.Logger('run')  # as the Runner's, without becoming everybody's current logger
    logger.addHandler(logging.FileHandler(tmp_path / 'run' / 'run.log'))
    monkeypatch.setattr(MMLogger, 'get_current_instance', classmethod(lambda cls: logger))
    path = write_per_class('classes.csv', rows)
    assert path == tmp_path / 'run' / 'classes.csv'
    assert path.read_text(encoding='utf-8').splitlines() == ['label,AP', '"a, ""b""",0.5']


def test_table_is_aligned():
    lines = text_table(['labels', 'all'], [['seen', 0.5], ['a very long name', None]]).splitlines()
    assert lines[1] == '-' * 16 + '  ' + '-' * 6
    assert lines[2] == 'seen' + ' ' * 14 + '0.5000'
    assert lines[3] == 'a very long name'
