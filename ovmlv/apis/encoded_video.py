"""An encoded video, which can be scored against any labels without decoding it again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ovmlv.results import Timings, Window


@dataclass(frozen=True, eq=False)
class EncodedVideo:
    """Embeddings of a video or of its windows.

    Attributes:
        video: Path or name.
        embeddings: Unit vectors, float32 ``(N, M, E)``: N windows (1 without windows) of M views.
        windows: N parts of the video; none if it was encoded as a whole.
        duration: Length in seconds; None if the pipeline does not give it.
        fps: Frames a second, on average; None if the pipeline does not give them.
        timings: Seconds that it took.

    Examples:
        >>> import numpy as np
        >>> from ovmlv.apis import OVMLVInferencer
        >>> inferencer = OVMLVInferencer('motionshapes', device='cpu')
        >>> encoded = inferencer.encode(np.zeros((8, 64, 64, 3), np.uint8))
        >>> encoded.embeddings.shape
        (1, 1, 128)
        >>> inferencer.score(encoded, labels=['red circle', 'blue square']).labels
        ('red circle', 'blue square')
    """

    video: str
    embeddings: np.ndarray
    windows: tuple[Window, ...] = ()
    duration: float | None = None
    fps: float | None = None
    timings: Timings | None = None

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 3 or len(self.embeddings) != (len(self.windows) or 1):
            raise ValueError(
                f'{self.video}: embeddings of shape {self.embeddings.shape} for '
                f'{len(self.windows)} windows; give (windows, views, E)'
            )

    @property
    def nbytes(self) -> int:
        """Memory that the embeddings take."""
        return self.embeddings.nbytes
