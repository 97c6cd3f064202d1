"""Helpers that do not belong to a single registry."""

from .register_all_modules import register_all_modules

__all__ = ['register_all_modules']
