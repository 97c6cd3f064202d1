"""From a batch of the data loader to the model's inputs."""

from .video_data_preprocessor import VideoDataPreprocessor

__all__ = ['VideoDataPreprocessor']
