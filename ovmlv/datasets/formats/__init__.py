"""Formats of annotation files: text in, rows and classes out, each with its file and line."""
