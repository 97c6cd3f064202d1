"""Text of any origin on a terminal."""

import pytest

from ovmlv.plain_text import display_width, message_line, visible


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('a \x1b[31mred\x1b[0m dog', r'a \x1b[31mred\x1b[0m dog'),
        ('two\nlines\tand\r', r'two\nlines\tand\r'),
        ('\x00\x07\x7f\x9b2J', r'\x00\x07\x7f\x9b2J'),
        ('a\u2028b \u202egpj.exe', r'a\u2028b \u202egpj.exe'),
        ('caf\udce9', r'caf\udce9'),
        ('café 猫 👨‍👩‍👧 नमस्ते', 'café 猫 👨‍👩‍👧 नमस्ते'),
    ],
)
def test_controls_are_shown(text, shown):
    """FAULTS D17: control characters in tables."""
    assert visible(text) == shown
    assert visible(shown) == shown
    assert visible('a\nb\x1b', keep='\n') == 'a\nb\\x1b'


def test_long_messages_keep_culprit_and_mend():
    """FAULTS D17: over-long error lines."""
    line = message_line(f'words.txt: label {"x" * 100000!r} is too long;\n  remove it')
    assert len(line) <= 600
    assert line.startswith('words.txt: label') and line.endswith('; remove it')
    assert message_line('short\nenough') == 'short enough'


def test_display_width():
    assert [display_width(text) for text in ('abc', '猫', 'e\u0301')] == [3, 2, 1]
