"""Benchmarks: rows of configs over seeds, their tables and the significance of differences.

The suites are in the folder ``benchmarks/`` of a checkout, and ``tools/benchmark.py`` runs them.
"""

from .suite import Row, Suite, load_suite

__all__ = ['Row', 'Suite', 'load_suite']
