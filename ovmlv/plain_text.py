"""Text of any origin, made fit for one line of a terminal."""

from __future__ import annotations

import re
import unicodedata

#: Longer messages are cut in their middle: the culprit stands first and the mend last.
LONGEST_LINE = 600
_CUT = ' [...] '
# Controls (with ESC, by which a label could recolour or clear a terminal), line separators, the
# signs that turn the direction of all that follows, and halves of surrogate pairs.
_INVISIBLE = re.compile(
    '[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]'
)
_NAMES = {'\n': r'\n', '\r': r'\r', '\t': r'\t'}


def visible(text: str, keep: str = '') -> str:
    r"""The text with escapes such as ``\x1b`` in place of what a terminal would act on.

    Args:
        text: A label, a file name, a line.
        keep: Characters that stay unchanged, such as a line end.
    """

    def escape(match: re.Match[str]) -> str:
        char = match[0]
        if char in keep:
            return char
        code = ord(char)
        return _NAMES.get(char) or (f'\\x{code:02x}' if code < 256 else f'\\u{code:04x}')

    return _INVISIBLE.sub(escape, text)


def message_line(text: str, longest: int = LONGEST_LINE) -> str:
    """A message as one line that a person can read to its end.

    White space is folded, control characters are made visible, and a long message loses its middle.
    """
    line = visible(' '.join(text.split()))
    if len(line) <= longest:
        return line
    end = longest // 3
    return line[: longest - end - len(_CUT)] + _CUT + line[-end:]


def display_width(text: str) -> int:
    """Columns of a terminal that a text takes; East Asian characters take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in 'WF' else 1
        for c in text
    )
