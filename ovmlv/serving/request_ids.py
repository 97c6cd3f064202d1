"""Ids by which a request is found in the logs of everything it went through."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence

HEADER = 'X-Request-ID'
#: Key of a request's scope under which its id is.
REQUEST_ID = 'ovmlv.request_id'
#: What proxies and tracing tools send: UUIDs, hexadecimal numbers, Base64. Nothing that could be
#: taken for the end of a line, a quote or a tag in any log.
_WELL_FORMED = re.compile(r'[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}')


def request_id(given: Sequence[str] = ()) -> str:
    """The id that a client or proxy gave, if it is a single well-formed one; else a new one.

    Args:
        given: Values of all headers of that name.
    """
    if len(given) == 1 and _WELL_FORMED.fullmatch(given[0]):
        return given[0]
    return uuid.uuid4().hex
