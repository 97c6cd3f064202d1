"""The one place that reads from Hugging Face's hub and writes to it.

``huggingface_hub`` does it, so its cache, its token and its variables hold (``HF_HOME``,
``HF_TOKEN``, ``HF_ENDPOINT``, ``HF_HUB_OFFLINE``). All files of a repository are taken from one
commit, so that no push in between mixes two states.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import ConfigError, OutputError, OvmlvError, reason_of
from .files import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r'[A-Za-z0-9][\w.\-]*/[\w][\w.\-]*')
_REVISION = re.compile(r'[\w][\w.\-/]*')
_COMMIT = re.compile(r'[0-9a-f]{40}')
#: Ends of names that are no repositories, though they look like one: ``work/config.py``.
_LOCAL = re.compile(r'\.(py|json|ya?ml|txt|csv|pth?|ckpt|bin|safetensors|mp4|onnx|gguf)$')


class Repository(NamedTuple):
    """A repository of models.

    Attributes:
        name: ``owner/name``.
        revision: A branch, tag or commit; None is the default branch.
    """

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> Repository:
        """Read ``owner/name`` or ``owner/name@revision``.

        Raises:
            ConfigError: It is neither.

        Examples:
            >>> Repository.parse('owner/name@v1')
            Repository(name='owner/name', revision='v1')
        """
        name, at, revision = text.partition('@')
        if not _NAME.fullmatch(name) or (at and not _REVISION.fullmatch(revision)):
            raise ConfigError(
                f'{text[:100]!r} is no repository of the hub; write owner/name, or '
                'owner/name@revision'
            )
        return cls(name, revision or None)

    def __str__(self) -> str:
        return self.name if self.revision is None else f'{self.name}@{self.revision}'


def is_repository(text: str) -> bool:
    """Whether a text has the form of a repository's name and of no file's.

    Examples:
        >>> is_repository('owner/name'), is_repository('work/config.py'), is_repository('name')
        (True, False, False)
    """
    try:
        return not _LOCAL.search(Repository.parse(text).name)
    except ConfigError:
        return False


def fetch_file(repository: Repository, names: Sequence[str]) -> tuple[Path, str]:
    """The first of some files that a repository has, from the cache or the hub.

    Args:
        repository: Where to look.
        names: Paths in it, the best first.

    Returns:
        The file in the cache, and the commit that it is of.

    Raises:
        ConfigError: There is no such repository, revision or file, or it cannot be reached.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    unreachable: Exception | None = None
    for name in names:
        with _one_line(str(repository)):
            try:
                path = Path(hf_hub_download(repository.name, name, revision=repository.revision))
            except LocalEntryNotFoundError as error:
                unreachable = unreachable or error
                continue
            except EntryNotFoundError:
                continue
            # .../snapshots/COMMIT/NAME
            return path, path.parts[-1 - len(Path(name).parts)]
    what = ' or '.join(names)
    if unreachable is not None:
        raise ConfigError(
            f'{repository}: {what} is not in the cache of this machine, and {_hub()} cannot be '
            f'reached ({_why(unreachable)}); fetch it once with a connection'
        )
    raise ConfigError(f'{repository} on {_hub()} has no {what}; name another repository')


def fetch_files(repository: Repository, names: Iterable[str]) -> Path:
    """Files of one commit.

    Args:
        repository: With a commit as its revision.
        names: Paths of the files.

    Returns:
        The folder of the commit in the cache.

    Raises:
        ConfigError: A file is missing, or cannot be fetched.
    """
    folder = Path()
    for name in names:
        path, _ = fetch_file(repository, [name])
        folder = path.parents[len(Path(name).parts) - 1]
    return folder


def list_files(repository: Repository) -> list[str]:
    """Names of all files of a repository; none where the hub cannot be asked."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return HfApi().list_repo_files(repository.name, revision=repository.revision)
    except (HfHubHTTPError, OSError):  # OSError: offline, or of the connection
        return []
    except Exception as error:  # of the HTTP library, which versions of the hub's exchange
        if type(error).__module__.split('.')[0] not in ('httpx', 'httpx2', 'requests'):
            raise
        return []


def push_files(
    folder: Path, names: Sequence[str], repository: Repository, message: str, private: bool = False
) -> str:
    """Make files the content of a repository, in one commit; it is made if it is not there.

    Args:
        folder: Folder of the files.
        names: Paths of the files in it.
        repository: Where to; a revision is a branch.
        message: Of the commit.
        private: Whether a repository that has to be made is private.

    Returns:
        The commit.

    Raises:
        OutputError: The hub does not take them.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi()
    with _one_line(str(repository), OutputError):
        api.create_repo(repository.name, private=private or None, exist_ok=True)
        if repository.revision is not None:
            api.create_branch(repository.name, branch=repository.revision, exist_ok=True)
        old = set(list_files(repository))
        keep = {*names, '.gitattributes'}  # the latter is of the hub
        operations: list[Any] = [
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(folder / name))
            for name in names
        ]
        operations += [CommitOperationDelete(path_in_repo=name) for name in sorted(old - keep)]
        found = api.create_commit(
            repository.name, operations, commit_message=message, revision=repository.revision
        )
    return str(found.oid)


def pinned(repository: Repository) -> Repository:
    """The same repository at the commit that was fetched last, as the cache has it."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    revision = repository.revision or 'main'
    folder = repo_folder_name(repo_id=repository.name, repo_type='model')
    path = Path(constants.HF_HUB_CACHE) / folder / 'refs' / revision
    if _COMMIT.fullmatch(revision) or not path.is_file():
        return repository
    return Repository(repository.name, read_text(path).strip())


@contextmanager
def _one_line(what: str, kind: type[OvmlvError] = ConfigError) -> Iterator[None]:
    """Turn the errors of the hub's library, some a page long, into one line with a mend."""
    try:
        yield
    except OvmlvError:
        raise
    except Exception as error:  # of any of several libraries
        raise kind(f'{what}: {_explained(error)}') from None


def _explained(error: Exception) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):  # which is also a RepositoryNotFoundError
        return f'its owner asks for consent; give it on {_hub()}, then log in by "hf auth login"'
    if isinstance(error, RepositoryNotFoundError):
        return (
            f'there is no such repository on {_hub()}, or it is private; correct the name, or log '
            'in by "hf auth login"'
        )
    if isinstance(error, RevisionNotFoundError):
        return f'there is no such revision on {_hub()}; name a branch, tag or commit'
    if isinstance(error, OfflineModeIsEnabled):
        return f'{_hub()} cannot be reached ({_why(error)}); unset HF_HUB_OFFLINE'
    if isinstance(error, HFValidationError):
        return 'the hub allows no such name; write owner/name'
    status = getattr(getattr(error, 'response', None), 'status_code', None)
    if status in (401, 403):
        return f'{_hub()} does not allow it ({status}); log in by "hf auth login" as its owner'
    return f'{_hub()} does not do it ({_why(error)}); try again, or look at the connection'


def _why(error: Exception) -> str:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return 'HF_HUB_OFFLINE is set'
    return reason_of(error)[:120]


def _hub() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)
