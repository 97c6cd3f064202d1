"""The command ``ovmlv``, see docs/command_line.md.

A subcommand is a module of its name with a docstring for ``--help``, ``add_arguments(parser)`` and
``run(args, out)``. What they import at the top is light: ``--help`` is there at once.
"""

from .app import main

__all__ = ['main']
