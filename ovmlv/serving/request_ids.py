"""Ids by which a request is found in the logs of everything it went through."""

from __future__ import annotations

import re
import uuid
from collections.abc import MutableMapping, Sequence
from typing import Any

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


def id_of(scope: MutableMapping[str, Any]) -> str:
    """The id of an ASGI request, which stays the same once it has been asked for."""
    if REQUEST_ID not in scope:
        given = [
            value for name, value in scope['headers'] if name.lower() == HEADER.lower().encode()
        ]
        scope[REQUEST_ID] = request_id([value.decode('latin-1') for value in given])
    return scope[REQUEST_ID]
