"""Drawings of results."""

from ovmlv.compat import apply as _apply

_apply()

from .contact_sheet import SheetLabel, SheetRow, contact_sheet

__all__ = ['SheetLabel', 'SheetRow', 'contact_sheet']
