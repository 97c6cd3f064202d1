"""Benchmarks: rows of configs over seeds, their tables and the significance of differences."""

from .suite import Row, Suite, load_suite

__all__ = ['Row', 'Suite', 'load_suite']
