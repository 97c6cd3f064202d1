"""The version of ovmlv."""

__version__ = '0.2.0.dev0'
