"""What the tools under ``tools/data`` do: scans of videos, splits of labels, leaks."""

from .dataset_check import DatasetReport, check_dataset
from .leaks import LeakReport, find_leaks
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
