"""The version of ovmlv."""

__version__ = '0.1.0'
