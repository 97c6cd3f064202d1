"""Tasks for Label Studio and its exports."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from ovmlv.cli import main
from ovmlv.datasets.formats.annotation_files import read_annotation_file
from ovmlv.errors import DataError
from ovmlv.label_studio import labelling_interface, read_annotations, read_results


@pytest.fixture
def tags(tmp_path):
    rows = [
        dict(video='/v/a b.mp4', labels=[dict(label='a dog', probability=0.9),
                                         dict(label='a "cat" & <co>', probability=0.6),
                                         dict(label='snow', probability=0.1)], error=None),
        dict(video='/v/b.mp4', labels=[dict(label='snow', probability=0.2)], error=None),
    ]  # fmt: skip
    (tmp_path / 'tags.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return tmp_path / 'tags.jsonl'


def call(*arguments):
    return main(['label-studio', *map(str, arguments)])


def test_there_and_back(tags, tmp_path):
    out, xml = tmp_path / 'tasks.json', tmp_path / 'interface.xml'
    assert call('tasks', tags, '--out', out, '--interface', xml, '--prefix', '/d/?d=') == 0
    tasks = json.loads(out.read_text())
    assert tasks[0]['data'] == dict(video='/d/?d=/v/a%20b.mp4', path='/v/a b.mp4')
    choices = [c.get('value') for c in ET.fromstring(xml.read_text()).iter('Choice')]
    assert choices == sorted(['a dog', 'a "cat" & <co>', 'snow'])
    # As Label Studio gives it back: predictions become annotations, of which one was changed.
    for number, task in enumerate(tasks, 1):
        (prediction,) = task['predictions']
        result = [dict(entry, id='x', origin='prediction') for entry in prediction['result']]
        task.update(id=number, annotations=[dict(id=1, result=result, was_cancelled=False)])
    changed = dict(tasks[0]['annotations'][0]['result'][0], value=dict(choices=['a dog', 'mud']))
    tasks[0]['annotations'] += [
        dict(id=3, result=[changed], updated_at='2026-01-02T00:00:00Z', was_cancelled=False),
        dict(id=4, result=[], updated_at='2026-01-03T00:00:00Z', was_cancelled=True),
    ]
    tasks.append(dict(data=dict(video='/v/c.mp4'), annotations=[]))
    (tmp_path / 'export.json').write_text(json.dumps(tasks))
    corrected = tmp_path / 'corrected.jsonl'
    assert call('annotations', tmp_path / 'export.json', '--out', corrected) == 0
    rows = [json.loads(line) for line in corrected.read_text().splitlines()]
    assert rows == [
        dict(video='/v/a b.mp4', labels=['a dog', 'mud']),
        dict(video='/v/b.mp4', labels=[]),
    ]
    assert read_annotations(tmp_path / 'export.json')[1] == 1
    found = list(read_annotation_file(str(corrected)))  # the data sets read it
    assert len(found) == 2


@pytest.mark.parametrize(
    'content',
    ['{}', '[3]', '[{"data": {}}]', '[{"data": {}, "annotations": []}]', 'no json', '[[]]',
     '[{"data": {"video": 3}, "annotations": []}]',
     '[{"data": {"video": "a"}, "annotations": [3]}]',
     '[{"data": {"video": "a"}, "annotations": [{"result": [{"type": "choices"}]}]}]',
     '[{"data": {"video": "a"}, "annotations": [{"result": [{"type": "choices", "value": '
     '{"choices": [3]}}]}]}]'],
)  # fmt: skip
def test_what_is_no_export(tmp_path, content):
    (tmp_path / 'export.json').write_text(content)
    with pytest.raises(DataError) as caught:
        read_annotations(tmp_path / 'export.json')
    assert '\n' not in str(caught.value) and 'export.json' in str(caught.value)


def test_what_is_no_result(tmp_path):
    for content in ('{}', '[]', '{"video": 3, "labels": []}', '{"video": "a", "labels": [3]}'):
        (tmp_path / 'tags.jsonl').write_text(content + '\n')
        with pytest.raises(DataError, match=r'tags.jsonl:1.*ovmlv tag'):
            list(read_results(tmp_path / 'tags.jsonl'))


def test_interface_without_labels():
    assert ET.fromstring(labelling_interface([])).find('Choices') is not None
