"""Helpers that belong to no single registry."""

from .register_all_modules import register_all_modules

__all__ = ['register_all_modules']
