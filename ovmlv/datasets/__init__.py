"""Video data sets with multi-label annotations, and their transforms."""

from ovmlv.compat import apply as _apply

_apply()

from .activity_net_dataset import ActivityNetDataset
from .animal_kingdom_dataset import AnimalKingdomDataset
from .ava_dataset import AVADataset
from .base_segment_dataset import BaseSegmentDataset
from .base_video_dataset import BaseVideoDataset
from .charades_dataset import CharadesDataset
from .epic_kitchens_dataset import EPICKitchensDataset
from .hmdb51_dataset import HMDB51Dataset
from .hvu_dataset import HVUDataset
from .kinetics_dataset import KineticsDataset
from .moments_dataset import MomentsDataset
from .multi_thumos_dataset import MultiTHUMOSDataset
from .multilabel_video_dataset import MultilabelVideoDataset
from .packed_collate import packed_collate
from .rare_act_dataset import RareActDataset
from .segments import Segment, Timeline, label_matrix, sliding_windows
from .ssv2_dataset import SSv2Dataset
from .thumos14_dataset import THUMOS14Dataset
from .transforms import (
    PackMultilabelInputs,
    ResizeFrames,
    SampleSegmentFrames,
    VideoDecode,
    VideoInit,
)
from .ucf101_dataset import UCF101Dataset
from .youtube8m_dataset import YouTube8MDataset

__all__ = [
    'AVADataset',
    'ActivityNetDataset',
    'AnimalKingdomDataset',
    'BaseSegmentDataset',
    'BaseVideoDataset',
    'CharadesDataset',
    'EPICKitchensDataset',
    'HMDB51Dataset',
    'HVUDataset',
    'KineticsDataset',
    'MomentsDataset',
    'MultiTHUMOSDataset',
    'MultilabelVideoDataset',
    'PackMultilabelInputs',
    'RareActDataset',
    'ResizeFrames',
    'SSv2Dataset',
    'SampleSegmentFrames',
    'Segment',
    'THUMOS14Dataset',
    'Timeline',
    'UCF101Dataset',
    'VideoDecode',
    'VideoInit',
    'YouTube8MDataset',
    'label_matrix',
    'packed_collate',
    'sliding_windows',
]
