import json

import pytest

from ovmlv.errors import DataError
from ovmlv.visualization.forgetting import draw_forgetting, read_history


def write(path, *rows, end=''):
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, rows)) + end)


@pytest.fixture
def work_dir(tmp_path):
    """As mmengine leaves it: killed in epoch 3 while it wrote a line, then resumed."""
    step = dict(lr=0.1, loss=0.3, epoch=1, step=20)
    values = [dict(step=i, **{'multilabel/mAP_seen': 0.1 * i, 'multilabel/mAP': 1}) for i in (1, 2)]
    write(tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json', step, *values, end='\n{"mul')
    again = [{'multilabel/mAP_seen': v, 'step': i} for i, v in ((2, 0.25), (3, 0.3))]
    write(tmp_path / '20260102_000000' / 'vis_data' / '20260102_000000.json', *again)
    (tmp_path / '20260102_000000' / 'vis_data' / 'config.py').write_text('x = 1')
    return tmp_path


def test_history_over_interruptions(work_dir):
    history = read_history(work_dir)
    assert history['mAP_seen'] == {1: 0.1, 2: 0.25, 3: 0.3}
    assert history['mAP'] == {1: 1, 2: 1}


def test_no_validation(tmp_path):
    with pytest.raises(DataError, match='val_interval=1'):
        read_history(tmp_path)


def test_picture(work_dir, tmp_path):
    runs = dict(one=read_history(work_dir))
    path = draw_forgetting(runs, tmp_path / 'f.svg', start=dict(mAP_seen=0.05, mAP_unseen=0.4))
    text = path.read_text()
    assert text.count('seen') >= 1 and 'before training' in text
    with pytest.raises(DataError, match='they have mAP, mAP_seen'):
        draw_forgetting(runs, path, ['mAP_other'])
