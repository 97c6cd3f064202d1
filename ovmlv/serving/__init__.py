"""A web page and an HTTP API that tag videos."""

from .access_log import AccessLog
from .limits import ServingLimits
from .server import create_app, serve

__all__ = ['AccessLog', 'ServingLimits', 'create_app', 'serve']
