"""Repairs for today's versions of the libraries underneath; each is a no-op where not needed."""

import importlib.util
import sys

_applied = False
_libraries = []  # torch.library registrations live as long as these objects


def apply() -> None:
    """Apply all repairs once; must run before torchvision, open_clip or transformers are imported."""
    global _applied
    if _applied:
        return
    _applied = True
    declare_torchvision_ops()


def declare_torchvision_ops() -> None:
    """PyPI's torchvision beside a CPU build of torch cannot load its operators and fails on
    import with "operator torchvision::nms does not exist" (pytorch/vision#8985)."""
    if 'torchvision' in sys.modules or importlib.util.find_spec('torchvision') is None:
        return
    import torch

    for schema in (
        'nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
        'qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
    ):
        name = schema.split('(')[0]
        if not torch._C._dispatch_has_kernel(f'torchvision::{name}') and not _has_schema(name):
            library = torch.library.Library('torchvision', 'FRAGMENT')
            library.define(schema)
            _libraries.append(library)


def _has_schema(name: str) -> bool:
    import torch

    return bool(torch._C._jit_get_schemas_for_operator(f'torchvision::{name}'))
