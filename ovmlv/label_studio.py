"""Tasks for Label Studio out of tagged videos, and annotations out of what people corrected there.

Label Studio (https://labelstud.io) takes tasks as JSON with predictions, which people accept or
change, and gives the tasks back with annotations. The labels are choices: a video has any number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from .errors import DataError, shown
from .files import read_json, read_json_lines
from .schema import fits, integer, label, misfit, number, text

#: Names of the parts of the labelling interface.
CHOICES, VIDEO = 'labels', 'video'
#: The key of a task's data that keeps the path; ``video`` is what the browser opens.
PATH = 'path'
_RESULT = {VIDEO: text, 'labels': [dict(label=label, probability=number)]}
_TASK = dict(data=dict, annotations=[dict(result=[dict])])


def read_results(path: str | Path) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """Videos with labels and probabilities, from JSON lines that ``ovmlv tag`` wrote.

    Raises:
        DataError: A line is no result.
    """
    for where, row in read_json_lines(path, 'file of results'):
        bad = misfit(row, _RESULT)
        if bad:
            raise DataError(
                f'{where}: no result of a video ({bad} is missing or wrong); write the file by '
                '"ovmlv tag --output tags.jsonl"'
            )
        yield row[VIDEO], [(entry['label'], entry['probability']) for entry in row['labels']]


def make_task(
    video: str, scores: Sequence[tuple[str, float]], model: str = 'ovmlv', prefix: str = ''
) -> dict[str, Any]:
    """A task with the labels of a video as a prediction.

    Args:
        video: Path of the video.
        scores: The labels that are proposed, with probabilities.
        model: What Label Studio calls the predictions.
        prefix: What stands before the path for the browser, such as
            ``/data/local-files/?d=``, which is Label Studio's own server of local files.

    Examples:
        >>> task = make_task('videos/a.mp4', [('a dog', 0.9)], prefix='/data/local-files/?d=')
        >>> task['data']['video']
        '/data/local-files/?d=videos/a.mp4'
        >>> task['predictions'][0]['result'][0]['value']
        {'choices': ['a dog']}
    """
    result = dict(
        from_name=CHOICES,
        to_name=VIDEO,
        type='choices',
        value=dict(choices=[name for name, _ in scores]),
    )
    score = min((probability for _, probability in scores), default=0.0)
    prediction = dict(model_version=model, score=score, result=[result] if scores else [])
    shown_to_browser = prefix + quote(video) if prefix else video
    return dict(data={VIDEO: shown_to_browser, PATH: video}, predictions=[prediction])


def labelling_interface(labels: Iterable[str]) -> str:
    """The interface of a project, for Label Studio's settings.

    Examples:
        >>> print(labelling_interface(['a dog', 'a "cat"']))
        <View>
          <Video name="video" value="$video"/>
          <Choices name="labels" toName="video" choice="multiple">
            <Choice value="a dog"/>
            <Choice value='a "cat"'/>
          </Choices>
        </View>
    """
    choices = ''.join(f'    <Choice value={quoteattr(name)}/>\n' for name in labels)
    return (
        f'<View>\n  <Video name="{VIDEO}" value="${VIDEO}"/>\n'
        f'  <Choices name="{CHOICES}" toName="{VIDEO}" choice="multiple">\n{choices}'
        '  </Choices>\n</View>'
    )


def read_annotations(path: str | Path) -> tuple[list[dict[str, Any]], int]:
    """Rows of an annotation file, from Label Studio's export (JSON).

    Of several annotations of a task the one counts that was changed last; one that was cancelled
    does not.

    Returns:
        Rows ``{"video", "labels"}``, and the number of tasks that nobody has annotated.

    Raises:
        DataError: The file is no such export.
    """
    tasks = read_json(path, 'export')
    if not isinstance(tasks, list):
        raise DataError(f'{path}: no list of tasks; export the project as JSON')
    rows: list[dict[str, Any]] = []
    left = 0
    for i, task in enumerate(tasks, 1):
        where = f'{path}: task {i}'
        bad = misfit(task, _TASK)
        if bad:
            raise DataError(
                f'{where} has no usable {bad}; export the project as JSON (not JSON-MIN)'
            )
        video = task['data'].get(PATH, task['data'].get(VIDEO))
        if not fits(video, label):
            raise DataError(f'{where} names no video in data.{PATH} or data.{VIDEO}; name one')
        done = [a for a in task['annotations'] if a.get('was_cancelled') is not True]
        if not done:
            left += 1
            continue
        last = max(done, key=lambda a: (str(a.get('updated_at') or ''), _number(a)))
        rows.append(dict(video=video, labels=_choices(last['result'], where)))
    return rows, left


def _choices(results: Sequence[dict[str, Any]], where: str) -> list[str]:
    found: dict[str, None] = {}
    for entry in results:
        if entry.get('type') != 'choices':
            continue
        value = entry.get('value')
        if not isinstance(value, dict) or not fits(value, dict(choices=[label])):
            raise DataError(f'{where}: {shown(value)} are no choices; export the project again')
        found.update(dict.fromkeys(value['choices']))
    return list(found)


def _number(annotation: dict[str, Any]) -> int:
    found = annotation.get('id')
    return found if isinstance(found, int) and integer(found) else 0
