"""Writing a folder with all that `ovmlv.runtime` needs."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.export import ExportedProgram

from ovmlv.apis.video_reader import find_test_pipeline
from ovmlv.errors import ConfigError, DependencyError
from ovmlv.evaluation.score_calibration import Calibration
from ovmlv.label_bank.bank import LabelBank
from ovmlv.labels import unique_labels
from ovmlv.models.contracts import Recognizer
from ovmlv.models.utils.frozen import fingerprint
from ovmlv.runtime.encoder_meta import EncoderMeta
from ovmlv.runtime.label_set import LabelSet
from ovmlv.runtime.video_tagger import ENCODER, LABELS, META, VideoTagger
from ovmlv.version import __version__

from .exportable_encoder import ExportableEncoder, capture, first_line, fixed_frames

OPSET = 18
_OUTPUT = 'embedding'
TOLERANCE = 1e-4
#: Labels that are compared; a bank may have a million.
_CHECKED = 1000
#: A protobuf holds 2 GiB; larger weights go into a file beside it.
_SELF_CONTAINED = 1_900_000_000


def export_model(
    model: Recognizer,
    labels: Sequence[str] | LabelBank,
    folder: str | Path,
    input_type: str = 'uint8',
    opset: int = OPSET,
    torch_program: bool = False,
    check: bool = True,
    calibration: Calibration | None = None,
) -> float | None:
    """Write a folder that `ovmlv.runtime.VideoTagger` opens.

    Args:
        model: A model from :func:`ovmlv.apis.open_model`.
        labels: Any texts, without duplicates; or a bank of labels that were encoded before.
        folder: Folder to write. It is made if missing; files of an earlier export are replaced.
        input_type: Type of the pixels: ``uint8`` (0 to 255) or ``float32`` (0 to 1).
        opset: Version of ONNX's operators.
        torch_program: Whether to write ``video_encoder.pt2`` too, for `torch.export.load`.
        check: Whether to compare with the model, on random frames in several shapes.
        calibration: See :func:`make_label_set`.

    Returns:
        The largest difference of a probability that the check found; None without a check.

    Raises:
        ConfigError: The model cannot be exported, or the check found more than `TOLERANCE`.
        DependencyError: onnx, onnxscript or onnxruntime is not installed.
    """
    _require_packages(check)
    folder = Path(folder)
    encoder = ExportableEncoder(model, input_type)
    label_set = make_label_set(model, labels, calibration=calibration)
    program = capture(encoder)
    meta = meta_of(model, encoder, label_set)
    _check_frames(program, meta)
    folder.mkdir(parents=True, exist_ok=True)
    if torch_program:
        torch.export.save(program, folder / ENCODER.replace('.onnx', '.pt2'))
    _write_onnx(program, folder / ENCODER, opset)
    meta.save(folder / META)
    label_set.save(folder / LABELS)
    if not check:
        return None
    found = largest_difference(model, folder, input_type, calibration)
    if not found <= TOLERANCE:
        raise ConfigError(
            f'{folder}: probabilities differ from the model by {found:.2g} (at most {TOLERANCE:g} '
            'was expected); do not use this export, and report it with the config'
        )
    return found


def _check_frames(program: ExportedProgram, meta: EncoderMeta) -> None:
    """Refuse a pipeline of other frames than the only ones that the graph takes."""
    fixed = fixed_frames(program)
    if fixed is not None and fixed != meta.num_frames:
        raise ConfigError(
            f'this video encoder is exported for its {fixed} frames alone, and the test pipeline '
            f'samples {meta.num_frames}; set backbone.num_frames={meta.num_frames}, or clip_len of '
            'SampleSegmentFrames'
        )


def _write_onnx(program: ExportedProgram, path: Path, opset: int) -> None:
    weights = sum(t.numel() * t.element_size() for t in program.state_dict.values())
    for name in ('torch.onnx', 'onnxscript', 'onnx_ir'):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of the exporter's own libraries
        try:
            found = torch.onnx.export(
                program,
                input_names=['frames'],
                output_names=[_OUTPUT],
                opset_version=opset,
                dynamo=True,
                verbose=False,
            )
            assert found is not None  # without a file it is given back
            _rename_inner(found.model.graph)
            found.save(str(path), external_data=weights > _SELF_CONTAINED)
        except torch.onnx.errors.OnnxExporterError as error:
            raise ConfigError(
                f'torch.onnx cannot translate this video encoder ({first_line(error)}); '
                'docs/deployment.md lists the image towers that were tried'
            ) from error


def _rename_inner(graph: Any) -> None:
    """Give inner values that have the output's name another one.

    torch calls what is looked up in a table ``embedding``, too, and onnxruntime refuses two values
    of one name. Where places are known, such as those of patches, the look-up is done already.
    """
    other = f'{_OUTPUT}_of_table'
    for node in graph:
        for value in node.outputs:
            if value.name == _OUTPUT and value not in graph.outputs:
                value.name = other
    if _OUTPUT in graph.initializers:
        value = graph.initializers.pop(_OUTPUT)
        value.name = value.const_value.name = other
        graph.register_initializer(value)


@torch.no_grad()
def make_label_set(
    model: Recognizer,
    labels: Sequence[str] | LabelBank,
    embeddings: Tensor | None = None,
    calibration: Calibration | None = None,
) -> LabelSet:
    """Labels embedded by a model, with its scorer's scale and biases.

    Args:
        model: A recognizer.
        labels: Any texts, without duplicates; or a bank of labels that were encoded before.
        embeddings: Embeddings ``(C, E)``, if they were computed before.
        calibration: Calibration that is then applied to probabilities, with its thresholds.
    """
    if isinstance(labels, LabelBank):
        labels.check(model)
        names, embeddings = unique_labels(labels.labels), labels.embeddings()
    else:
        names = unique_labels(labels)
    rows = model.label_parts.complete(names)
    text = model.label_parts.embed(names, model.encode_labels, embeddings).float().cpu()
    scorer = model.scorer
    if scorer.scale is None or scorer.bias is None:
        raise ConfigError(
            f'model.scorer of type {type(scorer).__name__} has no scale and bias to export; use a '
            'SigmoidScorer'
        )
    per_label = torch.zeros(len(rows))
    if scorer.label_bias is not None:
        per_label = text @ scorer.label_bias.detach().float().cpu()
    of_calibration: dict[str, Any] = {}
    if calibration is not None:
        of_calibration.update(
            temperature=calibration.temperature, calibration_bias=calibration.bias
        )
        of_calibration.update(thresholds=calibration.thresholds_of(names))
    return LabelSet(
        names,
        text.numpy(),
        float(scorer.scale),
        float(scorer.bias),
        per_label.numpy(),
        model_fingerprint(model),
        model.head.template,
        parts=model.label_parts.of(names),
        hidden=tuple(rows[len(names) :]),
        **of_calibration,
    )


def model_fingerprint(model: Recognizer) -> str:
    """Short hash of what label files depend on: weights of the label encoder and the scorer.

    The video encoder is not part of it. It is trained together with these, or it is CLIP's, whose
    new modules are random and have no effect yet.
    """
    parts = dict(head=model.head, scorer=model.scorer)
    return fingerprint(nn.ModuleDict(cast('dict[str, nn.Module]', parts)))


def meta_of(model: Recognizer, encoder: ExportableEncoder, labels: LabelSet) -> EncoderMeta:
    """The content of ``meta.json``."""
    return EncoderMeta(
        fingerprint=labels.fingerprint,
        embed_dim=labels.embeddings.shape[1],
        image_size=encoder.image_size,
        average_views=model.average_views,
        input_type=encoder.input_type,
        mean=tuple(encoder.mean.tolist()),
        std=tuple(encoder.std.tolist()),
        template=labels.template,
        made_by=f'ovmlv {__version__}, torch {torch.__version__}',
        **_sampling(model.cfg, model.backbone.num_frames),
    )


def _sampling(cfg: Config | None, num_frames: int) -> dict[str, Any]:
    """How the config's test pipeline samples, resizes and crops."""
    found: dict[str, Any] = dict(num_frames=num_frames)
    try:
        steps = [] if cfg is None else find_test_pipeline(cfg)
    except ConfigError:
        return found
    for step in steps:
        if not isinstance(step, Mapping):
            continue
        name = str(step.get('type')).split('.')[-1]
        if 'clip_len' in step:
            found.update(num_frames=step['clip_len'], num_clips=step.get('num_clips', 1))
        scale = step.get('scale')
        if name == 'Resize' and isinstance(scale, (tuple, list)) and scale[0] == -1:
            found['short_side'] = int(scale[1])
        if name == 'ResizeFrames':
            found['squash'] = True
        if name == 'ThreeCrop':
            found['num_crops'] = 3
    return found


@torch.no_grad()
def largest_difference(
    model: Recognizer,
    folder: str | Path,
    input_type: str = 'uint8',
    calibration: Calibration | None = None,
) -> float:
    """The largest difference of a probability between a model and its export, on random frames."""
    tagger = VideoTagger(folder)
    device = next(model.backbone.parameters()).device
    names, worst = tagger.labels.labels[:_CHECKED], 0.0
    tagger.use_labels(tagger.labels.select(names))
    generator = np.random.default_rng(0)
    usual, fixed = tagger.meta.num_frames, tagger.fixed_frames
    for batch, views, time in ((1, 1, 1), (2, 1, usual), (1, 3, 5)):
        num_frames = time if fixed is None else fixed
        shape = (batch, views, num_frames, *tagger.meta.image_size, 3)
        frames = generator.integers(0, 256, shape, dtype=np.uint8)
        inputs = torch.from_numpy(frames).permute(0, 1, 5, 2, 3, 4).to(device)
        expected = model.predict_labels(inputs, names).float().cpu()
        if calibration is not None:
            expected = calibration.apply(expected)
        given = frames if input_type == 'uint8' else frames.astype(np.float32) / 255
        worst = max(worst, float(np.abs(tagger.predict(given) - expected.numpy()).max()))
    return worst


def _require_packages(check: bool) -> None:
    names = ['onnx', 'onnxscript'] + ['onnxruntime'] * check
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise DependencyError(
            f'the ONNX export needs {", ".join(missing)}; pip install {" ".join(missing)}'
        )
