"""How a command ends: one line for what a user can mend, a traceback for faults of the program."""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from collections.abc import Callable

from ovmlv.errors import OvmlvError
from ovmlv.files import split_lines
from ovmlv.plain_text import message_line

from .terminal import lenient

# What a file or its place can bring about, with what to do. Others are faults of the program.
_MENDS = {
    errno.ENOSPC: 'make room, or give another place',
    errno.EDQUOT: 'make room, or give another place',
    errno.EFBIG: 'give a place that takes large files',
    errno.EROFS: 'give another place',
    errno.EACCES: 'change its permissions, or give another',
    errno.EPERM: 'change its permissions, or give another',
    errno.EEXIST: 'remove it, or give another',
    errno.ENOTDIR: 'a part of the path is a file; correct the path',
    errno.EISDIR: 'name a file',
    errno.ENOTEMPTY: 'give another',
    errno.ENAMETOOLONG: 'give a shorter name',
    errno.ELOOP: 'its links lead in a circle; correct the path',
    errno.EIO: 'check the disk',
    errno.ENXIO: 'nothing is at its other end; name a file',
    errno.EBUSY: 'it is in use; give another',
    errno.ETXTBSY: 'it is in use; give another',
    errno.EMFILE: 'too many files are open; raise "ulimit -n"',
    errno.ENFILE: 'too many files are open; try again',
}
# Libraries that write files by themselves and hide the system's error in their own.
_FAILED_WRITE = re.compile(r'PytorchStreamWriter failed|unexpected pos \d+ vs|IoError|I/O error')


def run_tool(main: Callable[[argparse.Namespace], int | None], args: argparse.Namespace) -> int:
    """Run a tool's ``main``; a user's mistake becomes one line on stderr and exit status 2.

    Args:
        main: Function that takes the parsed arguments and returns an exit status or None.
        args: Parsed arguments; ``args.debug`` or ``OVMLV_DEBUG=1`` lets tracebacks through.
    """
    try:
        with lenient(sys.stdout, sys.stderr):
            return main(args) or 0
    except Exception as error:
        debug = getattr(args, 'debug', False) or os.environ.get('OVMLV_DEBUG', '0') not in ('', '0')
        if debug or not is_user_error(error):
            raise
        rank = os.environ.get('RANK')
        prefix = 'error' if rank in (None, '0') else f'[rank {rank}] error'
        print(f'{prefix}: {one_line(error)}', file=sys.stderr, flush=True)
        return 2
    finally:
        distributed = sys.modules.get('torch.distributed')
        if distributed and distributed.is_available() and distributed.is_initialized():
            distributed.destroy_process_group()


def is_user_error(error: BaseException) -> bool:
    """Whether a user can mend an error, rather than it being a fault in the code.

    That is an :class:`~ovmlv.errors.OvmlvError`, or a file or an argument that the system cannot
    read or write where or as it is.
    """
    if isinstance(error, (OvmlvError, FileNotFoundError)) or _is_failed_write(error):
        return True
    if isinstance(error, OSError):
        return error.errno in _MENDS
    return isinstance(error, UnicodeEncodeError) and 'surrogates' in error.reason


def one_line(error: BaseException) -> str:
    """The message of an error in one line, without the quotes of KeyError and worker tracebacks."""
    if isinstance(error, OvmlvError):
        text = str(error)
    elif isinstance(error, FileNotFoundError) and error.filename is not None:
        text = f'{error.filename}: {error.strerror or "no such file"}'
    elif isinstance(error, OSError) and error.strerror and error.errno in _MENDS:
        where = '' if error.filename is None else f'{error.filename}: '
        text = f'{where}{error.strerror}; {_MENDS[error.errno]}'
    elif isinstance(error, UnicodeEncodeError):
        near = ascii(error.object[max(0, error.start - 20) : error.end + 20])
        text = f'{near} holds bytes that are no text in UTF-8; give it in UTF-8'
    elif isinstance(error, KeyError) and len(error.args) == 1:
        text = str(error.args[0])
    elif _is_failed_write(error):
        first = split_lines(str(error).strip())[0]
        text = f'a file cannot be written, perhaps the disk is full; make room ({first})'
    else:
        text = str(error)
    if 'Original Traceback' in text:  # a worker of a DataLoader: the cause is its last line
        text = re.sub(r'^[\w.]+(Error|Exception): ', '', split_lines(text.strip())[-1])
    return message_line(text) or type(error).__name__


def _is_failed_write(error: BaseException) -> bool:
    kinds = (RuntimeError, OSError)
    named = type(error).__name__ == 'SafetensorError' or isinstance(error, kinds)
    return named and _FAILED_WRITE.search(str(error)) is not None
