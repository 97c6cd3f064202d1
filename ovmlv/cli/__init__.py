"""The command ``ovmlv``, see docs/command_line.md.

A subcommand is a module of its name with a docstring for ``--help``, ``add_arguments(parser)`` and
``run(args, out)``. These modules import only light things at the top, so that ``--help`` appears at
once.
"""

from .app import main

__all__ = ['main']
