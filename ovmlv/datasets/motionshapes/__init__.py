"""MotionShapes: a generated data set of real video files, small enough for two cores."""

from .generate import generate
from .scene import Actor, Scene, render_clip, render_image, sample_scene
from .world import Label, all_labels

__all__ = [
    'Actor', 'Label', 'Scene', 'all_labels', 'generate', 'render_clip', 'render_image',
    'sample_scene',
]  # fmt: skip
