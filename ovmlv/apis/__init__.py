"""Entry points for users' own programs."""

from ovmlv.compat import apply as _apply

_apply()

from ovmlv.label_bank import LabelBank, LabelIndex
from ovmlv.results import LabelScore, TagResult, Timings, Window

from .encoded_video import EncodedVideo
from .hub_models import push_model
from .init_recognizer import init_recognizer
from .loaded_model import LoadedModel
from .model_publishing import publish_model
from .open_model import load_model, open_model
from .ovmlv_inferencer import OVMLVInferencer
from .video_files import find_videos

__all__ = [
    'EncodedVideo',
    'LabelBank',
    'LabelIndex',
    'LabelScore',
    'LoadedModel',
    'OVMLVInferencer',
    'TagResult',
    'Timings',
    'Window',
    'find_videos',
    'init_recognizer',
    'load_model',
    'open_model',
    'publish_model',
    'push_model',
]
