"""Toybox: a generated world of natural words, drawings by several hands, and human motion."""
