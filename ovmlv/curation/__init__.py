"""Care for data sets: scans of videos, splits of labels, leaks, smaller copies."""

from ovmlv.compat import apply as _apply

_apply()

from .dataset_check import DatasetReport, check_dataset
from .label_leaks import LeakReport, find_leaks
from .resize import resize_video
from .splits import balanced_split, count_labels
from .supervised import Failure, run_supervised
from .video_probe import probe_video
from .video_scan import scan_videos

__all__ = [
    'DatasetReport',
    'Failure',
    'LeakReport',
    'balanced_split',
    'check_dataset',
    'count_labels',
    'find_leaks',
    'probe_video',
    'resize_video',
    'run_supervised',
    'scan_videos',
]
