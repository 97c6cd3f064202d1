"""The one place that opens files of weights: nothing in them is run, and damage is detected.

It reads safetensors, files of ``torch.save`` (tensors and plain data), folders of either in several
files (transformers' shards), and the TorchScript archives that OpenAI published.
"""

from __future__ import annotations

import functools
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from safetensors.torch import load_file
from torch import Tensor

from ovmlv.compat import apply
from ovmlv.errors import CheckpointError, quoted, reason_of
from ovmlv.files import file_digest, read_json

#: Keys of state dicts in checkpoints: mmengine's and most projects', PySlowFast's, others'.
STATE_KEYS = ('state_dict', 'model_state', 'model')
#: A folder's file of weights, the safer first; with ``.index.json`` behind, a list of several.
FOLDER_FILES = (
    'open_clip_model.safetensors',
    'model.safetensors',
    'open_clip_pytorch_model.bin',
    'pytorch_model.bin',
)
# ViFi-CLIP's and X-CLIP's trainers save their yacs settings too: read as plain dicts.
_SETTINGS = (OrderedDict, 'yacs.config.CfgNode')
_ZIP = b'PK\x03\x04'


def read_weight_file(source: str | Path, mmap: bool = True) -> Any:
    """The content of a file of weights; tensors are on the CPU.

    Args:
        source: A file, or an ``https://`` address of one, which is kept in torch's cache.
        mmap: Whether to leave tensors in the file until they are used, if its format allows it. Do
            not use it for tensors that are still needed after the file may have been written again.

    Raises:
        CheckpointError: The file is damaged, or holds more than tensors and plain data.
    """
    apply()  # what mmengine's own checkpoints hold is known from then on
    path = _download(str(source)) if '://' in str(source) else Path(source)
    try:
        if path.exists() and not path.is_file():
            raise CheckpointError(f'{path} is no regular file; name a file of weights')
        if path.suffix == '.safetensors':
            return load_file(path)
        with open(path, 'rb') as file:
            is_archive = file.read(len(_ZIP)) == _ZIP
        if is_archive and _check_archive(path):
            return _read_torchscript(path)
        with torch.serialization.safe_globals([_SETTINGS]):
            return torch.load(path, map_location='cpu', weights_only=True, mmap=mmap and is_archive)
    except (FileNotFoundError, CheckpointError):
        raise
    except pickle.UnpicklingError as error:
        found = re.search(r'GLOBAL (\S+)', str(error))
        what = f'the object {quoted(found[1])}' if found else 'other things'
        raise CheckpointError(
            f'{path} is no readable weight file and refused: beside tensors and plain data it '
            f'holds {what}, and reading that may run code; save a state_dict alone'
        ) from None
    except Exception as error:  # of torch, zipfile and safetensors, whatever bytes lead them to
        raise CheckpointError(
            f'{path} cannot be read as a checkpoint ({reason_of(error)}); it may be cut short: '
            'take an earlier one, or download or convert it again'
        ) from error


def read_weight_folder(folder: Path) -> tuple[Path, Any]:
    """The weights in a folder, in one file or in several, and the file that leads to them.

    Raises:
        FileNotFoundError: There are no weights.
        CheckpointError: See :func:`read_weight_file`; or one of several files is missing or is in
            another place.
    """
    for name in FOLDER_FILES:
        if (folder / name).is_file():
            return folder / name, read_weight_file(folder / name)
        index = folder / f'{name}.index.json'
        if index.is_file():
            return index, _read_shards(index)
    raise FileNotFoundError(
        f'pretrained: {folder} holds none of {", ".join(FOLDER_FILES)}; name the file'
    )


def state_dict_of(content: Any, source: str | Path) -> dict[str, Any]:
    """The state dict inside the content of a file; it may have plain data beside its tensors.

    Raises:
        CheckpointError: There is no state dict.
    """
    found = content
    for key in STATE_KEYS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    tensors = (
        [value for value in found.values() if isinstance(value, Tensor)]
        if isinstance(found, Mapping)
        else []
    )
    if not tensors or not all(isinstance(key, str) for key in found):
        raise CheckpointError(f'{source} holds no state dict; save model.state_dict() to it')
    if any(value.layout != torch.strided or value.device.type != 'cpu' for value in tensors):
        raise CheckpointError(f'{source} holds tensors without numbers; save plain dense ones')
    return dict(found)


def _read_shards(index: Path) -> dict[str, Tensor]:
    content = read_json(index, 'index of weights')
    files = content.get('weight_map') if isinstance(content, dict) else None
    if not isinstance(files, dict) or not all(isinstance(name, str) for name in files.values()):
        raise CheckpointError(f'{index} is no index of weights; download the folder again')
    state: dict[str, Any] = {}
    for name in sorted(set(files.values())):
        path = index.parent / name
        if Path(name).name != name:
            raise CheckpointError(f'{index} names {name!r} outside its folder; do not use it')
        if not path.is_file():
            raise CheckpointError(f'{path} of {index.name} is missing; copy the whole folder')
        state.update(state_dict_of(read_weight_file(path), path))
    missing = sorted(files.keys() - state.keys())
    if missing:
        raise CheckpointError(f'{index} names {missing[0]}, which is in none of its files')
    return state


def _check_archive(path: Path) -> bool:
    """Compare an archive of torch with its checksums (1 s a gigabyte), which torch does not do.

    Returns:
        Whether it is a TorchScript archive, which is a program.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.filename.rpartition('/')[2] == 'constants.pkl' for entry in entries):
            return True
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise CheckpointError(f'{path} is refused: torch compresses nothing; save it again')
        if sum(entry.file_size for entry in entries) > Path(path).stat().st_size:
            raise CheckpointError(f'{path} is refused: its parts overlap; save it again')
        # All are 0 where torch.serialization.set_crc32_options(False) left them out.
        damaged = archive.testzip() if any(entry.CRC for entry in entries) else None
    if damaged is not None:
        raise CheckpointError(
            f'{path} was altered after it was written (the checksum of {damaged} differs); take '
            'an earlier one, or copy it again'
        )
    return False


def _read_torchscript(path: Path) -> dict[str, Tensor]:
    """Weights of a known archive; loading an unknown one would run what its author wrote."""
    if file_digest(path) not in _known_archives():
        raise CheckpointError(
            f'{path} is refused: a TorchScript archive is a program, and it is none of those that '
            'OpenAI published; save its state_dict() by torch.save'
        )
    return torch.jit.load(str(path), map_location='cpu').state_dict()


@functools.cache
def _known_archives() -> frozenset[str]:
    """SHA-256 of OpenAI's files, as open_clip has them in their addresses."""
    import open_clip

    addresses = (
        open_clip.get_pretrained_cfg(*names).get('url') or ''
        for names in open_clip.list_pretrained()
    )
    parts = (part for url in addresses if 'openaipublic' in url for part in url.split('/'))
    return frozenset(part for part in parts if re.fullmatch('[0-9a-f]{64}', part))


def _download(address: str) -> Path:
    if urlparse(address).scheme not in ('http', 'https'):
        raise CheckpointError(f'{address} is no https:// address; download it and name the file')
    name = Path(urlparse(address).path).name
    path = Path(torch.hub.get_dir()) / 'checkpoints' / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(address, str(path), progress=False)
        except Exception as error:  # of several libraries
            raise CheckpointError(
                f'{address} cannot be downloaded ({reason_of(error)}); fetch it on another machine '
                'and name the file'
            ) from error
    return path
