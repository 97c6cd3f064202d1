"""Labels that clients typed, held to the limits of the server."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from .limits import ServingLimits
from .service_error import ServiceError


def check_typed_labels(labels: Sequence[str], limits: ServingLimits) -> list[str]:
    """The labels without spaces around them.

    Args:
        labels: What was typed.
        limits: Limits of the server.

    Raises:
        ServiceError: There is none or too many of them, or one is empty, too long or no text.
    """
    names = [label.strip() for label in labels]
    longest = limits.label_length
    if not names:
        raise ServiceError('invalid_labels', 'Give at least one label.')
    if len(names) > limits.labels:
        raise ServiceError(
            'too_many_labels',
            f'{len(names)} labels are more than the {limits.labels} that are scored at once.',
        )
    for number, name in enumerate(names, 1):
        if not name:
            raise ServiceError('invalid_labels', f'Label {number} is empty.')
        if len(name) > longest:
            raise ServiceError(
                'invalid_labels',
                f'Label {number} ("{name[:30]}…") has more than {longest} characters.',
            )
        # Control characters and halves of surrogate pairs; what joins emoji is fine.
        if any(unicodedata.category(c) in ('Cc', 'Cs') for c in name):
            raise ServiceError('invalid_labels', f'Label {number} has characters that are no text.')
    return names
