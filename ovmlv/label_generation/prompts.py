"""The prompts for the models.

Small models follow examples better than instructions, so the prompts for text are examples to
continue. If a word of the examples comes back, it is taken for a copy and dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

from ovmlv.errors import ConfigError
from ovmlv.files import read_lines


@dataclass(frozen=True)
class Prompt:
    """A text to continue, with ``{}`` where the source goes.

    Attributes:
        text: The prompt.
        examples: Labels in it that do not count as answers.
    """

    text: str
    examples: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.text.count('{}') != 1:
            raise ConfigError(
                f'the prompt {self.text[:40]!r} has {self.text.count("{}")} places for the source; '
                'write one {}'
            )

    def fill(self, source: str) -> str:
        """The prompt for a source."""
        return self.text.replace('{}', source)


def _with_examples(head: str, name: str, examples: dict[str, str]) -> Prompt:
    lines = [f'{name}: {source}\nLabels: {labels}\n' for source, labels in examples.items()]
    labels = frozenset(label for text in examples.values() for label in text.split(', '))
    return Prompt('\n'.join([head, '', *lines, name + ': {}\nLabels:']), labels)


PROMPTS = {
    'labels': _with_examples(
        'Other labels for the same thing in a video: other words for it, and what kind of thing or '
        'activity it is.',
        'Label',
        {
            'puppy': 'young dog, pet, animal',
            'riding a bicycle': 'cycling, exercise, travel by bike',
            'silver car': 'grey automobile, vehicle, means of transport',
            'sobbing': 'weeping, crying, showing sadness',
        },
    ),
    'captions': _with_examples(
        'Labels for things, people, places and activities in a video.',
        'Video',
        {
            'a man is slicing onions in a kitchen': 'man, kitchen, onion, slicing, cooking',
            'two kids run after a ball on the grass': 'children, running, ball, grass, playing',
        },
    ),
    'frames': Prompt(
        'These are frames of one video. List up to eight short labels for what is to be seen and '
        'what is going on, separated by commas, and nothing else.{}'
    ),
}


def load_prompt(task: str, path: str | None = None) -> Prompt:
    """The prompt of a task, or one from a text file.

    Args:
        task: One of :data:`PROMPTS`.
        path: File with a prompt of your own.
    """
    if path is None:
        return PROMPTS[task]
    return Prompt('\n'.join(read_lines(path, '--prompt: file')).rstrip('\n'))
