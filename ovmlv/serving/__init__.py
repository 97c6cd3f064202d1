"""A web page and an HTTP API that tag videos."""

from .limits import ServingLimits
from .server import create_app, serve

__all__ = ['ServingLimits', 'create_app', 'serve']
