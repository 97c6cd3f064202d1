"""The README of a published model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from ovmlv.evaluation.score_calibration import Calibration


def model_card(about: Mapping[str, Any], cfg: Config, calibration: Calibration | None) -> str:
    """Markdown that says what the folder is and how to use it."""
    model = cfg.model
    pretrained = about['pretrained']
    if pretrained == 'included':
        weights = 'all are in this folder'
    elif pretrained:
        names = ', '.join(f'`{name}`' for name in pretrained)
        weights = f'{names}: found by name, downloaded at first use where they are published'
    else:
        weights = 'none'
    rows = [
        ('video encoder', f'`{_kind(model.get("backbone"))}`'),
        ('label encoder', f'`{_kind(model.get("head"))}`, fingerprint `{about["fingerprint"]}`'),
        ('pretrained weights', weights),
        (
            'label bank',
            f'{about["labels"]:,} labels, used by default' if about['labels'] else 'none',
        ),
        ('calibration', _calibrated(calibration)),
        ('made by', about['made_by']),
    ]
    own = about.get('modules') or ()
    if own:
        rows.append(
            ('needs', ', '.join(f'`import {name}`' for name in own) + ' before it is opened')
        )
    table = '\n'.join(f'| {name} | {value} |' for name, value in rows)
    labels = '' if about['labels'] else ", ['a dog', 'running']"
    where = about.get('repository') or 'path/of/this/folder'
    pin = (
        f'\nTo keep to one state of this repository, write `{where}@COMMIT`.\n'
        if about.get('repository')
        else ''
    )
    return f"""---
library_name: ovmlv
pipeline_tag: video-classification
tags: [multi-label, open-vocabulary, zero-shot]
---

# {about['name']}

Open-vocabulary multi-label video classification: a probability for each of any labels.

```python
from ovmlv.apis import OVMLVInferencer

inferencer = OVMLVInferencer('{where}')
print(inferencer('my_video.mp4'{labels})[0])
```
{pin}
| | |
|-|-|
{table}

Files are listed with their SHA-256 in `ovmlv.json`; a folder of which one was altered is refused.
"""


def _kind(part: Mapping[str, Any] | None) -> str:
    return str((part or {}).get('type', 'unknown')).split('.')[-1]


def _calibrated(calibration: Calibration | None) -> str:
    if calibration is None:
        return 'none: probabilities are as the model gives them'
    count = len(calibration.thresholds)
    about = ', '.join(f'{key} {value}' for key, value in calibration.fitted_on.items())
    return (
        f'temperature {calibration.temperature:.3g}, bias {calibration.bias:.3g}, thresholds of '
        f'{count} labels; fitted on {about or "data that are not named"}'
    )
