"""Published models on Hugging Face's hub."""

from __future__ import annotations

from pathlib import Path

from ovmlv.errors import ConfigError
from ovmlv.hub_files import Repository, fetch_file, fetch_files, list_files, push_files
from ovmlv.models.clip.architecture import HUB

from .model_folder import CONFIG, INDEX, ModelFolder, read_index
from .safe_content import refuse_programs


def fetch_model(name: str) -> ModelFolder:
    """A published model of the hub, from the cache where it is there already.

    The files are those of one commit, which is looked up once; ``owner/name@commit`` always is the
    same model. Files that the index of the model does not name are not fetched.

    Args:
        name: ``owner/name``, or ``owner/name@revision``.

    Raises:
        ConfigError: There is no such repository, it holds no published model, or neither the hub
            nor the cache has it.
        DataError: The repository holds a program, or a file was altered; see :class:`ModelFolder`.
    """
    repository = Repository.parse(name)
    try:
        index, commit = fetch_file(repository, [INDEX])
    except ConfigError as error:
        raise ConfigError(
            f'{error} (no folder or architecture is named {name}, and a CLIP of open_clip on the '
            f'hub is named {HUB}{name})'
        ) from None
    content = read_index(index)
    pinned = Repository(repository.name, commit)
    refuse_programs(str(pinned), list_files(pinned), content['files'])
    folder = fetch_files(pinned, [INDEX, *content['files']])
    return ModelFolder.open(folder)


def push_model(
    folder: str | Path, name: str, private: bool = False, message: str | None = None
) -> str:
    """Send a published folder to Hugging Face's hub, in one commit.

    The folder is checked as if it were opened. What else was in the repository is removed from its
    newest state; earlier commits keep it.

    Args:
        folder: What :func:`~ovmlv.apis.publish_model` wrote.
        name: ``owner/name``, which is made if it is not there; ``owner/name@branch`` for a branch.
        private: Whether a repository that has to be made is private.
        message: Of the commit; by default it names the model.

    Returns:
        ``owner/name@commit``, which :func:`~ovmlv.apis.open_model` opens wherever it is called.

    Raises:
        ConfigError: The name is none of a repository.
        DataError: The folder is no published model, or was altered.
        OutputError: The hub does not take it.

    Examples:
        With a repository of yours, this prints its name with the commit:

        >>> import tempfile
        >>> from ovmlv.apis import open_model, publish_model
        >>> model = open_model('motionshapes', device='cpu')
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = publish_model(model, f'{folder}/shapes', check=False)
        ...     try:
        ...         print(push_model(path, 'shapes'))
        ...     except ConfigError as error:
        ...         print(error)
        'shapes' is no repository of the hub; write owner/name, or owner/name@revision
    """
    repository = Repository.parse(name)
    found = ModelFolder.open(folder)
    needs = found.index.get('modules')
    if needs:
        raise ConfigError(
            f'{folder} needs modules of your own ({", ".join(needs)}), which nobody else has; '
            'publish a model of registered classes of ovmlv'
        )
    names = [INDEX, *found.index['files']]
    assert CONFIG in names  # the index says so
    commit = push_files(
        found.path, names, repository, message or f'Publish {found.index.get("name")}', private
    )
    return str(Repository(repository.name, commit))
