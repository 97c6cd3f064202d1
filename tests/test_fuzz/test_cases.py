"""The long part is as long as it is said to be."""

from tests.test_fuzz import test_annotation_files, test_videos, test_weights
from tests.test_fuzz.cases import COUNTS


def test_five_thousand():
    sets = len(test_annotation_files.MINIATURES)
    total = {
        'annotation': sets,
        'junk': sets - 3,
        'generic': len(test_annotation_files.GENERIC),
        'video': len(test_videos.SOURCES),
        'weights': len(test_weights.FORMATS),
        'bank': 1,
        'folder': 2,
        'request': 3,
    }
    assert sum(COUNTS[door][1] * targets for door, targets in total.items()) >= 5000
