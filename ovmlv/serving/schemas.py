"""The content of requests and answers; the API page is made from it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Span(BaseModel):
    """A part of a video."""

    start: float = Field(description='Seconds from the start of the video')
    end: float = Field(description='Seconds from the start of the video')


class Video(BaseModel):
    """A video that was looked at. Its file is gone."""

    id: str = Field(
        description='Id of the video for other requests; whoever has it can use the video'
    )
    name: str = Field(description='Name that the client gave')
    duration: float = Field(description='Length in seconds')
    windows: list[Span] = Field(description='Parts that get probabilities of their own')
    frames: int = Field(description='Number of frames that are kept as small pictures')
    keep_seconds: float = Field(description='Seconds for which it is kept after its last use')


class TagRequest(BaseModel):
    """Labels to score: either ``labels`` or ``bank``; neither means the default labels."""

    model_config = ConfigDict(extra='forbid', strict=True)

    labels: list[str] | None = Field(
        None, description='Any texts', examples=[['a dog', 'opening a door']]
    )
    bank: str | None = Field(None, description='Name of a bank that the server offers')
    top_k: int | None = Field(
        None, ge=1, description='Number of the best labels; by default all, or 20 of a bank'
    )


class Tag(BaseModel):
    """A label of a video."""

    label: str
    probability: float = Field(
        description='Probability of this label; those of all labels do not add up to one'
    )
    threshold: float | None = Field(description='Threshold of the calibration, if there is one')
    timeline: list[float] = Field(description='Probability in each window')


class Tags(BaseModel):
    """Labels of a video, the most probable first."""

    id: str
    name: str
    duration: float
    num_labels: int = Field(description='Number of labels that were scored')
    tags: list[Tag]
    windows: list[Span]


class Frame(BaseModel):
    """A frame that speaks for a label."""

    number: int
    time: float = Field(description='Seconds from the start of the video')
    probability: float = Field(description='Probability of the label for this frame alone')
    picture: str = Field(description='Address of its JPEG file, relative to the server')


class Frames(BaseModel):
    """Frames of a video that speak for a label, the best first."""

    label: str
    frames: list[Frame]


class Bank(BaseModel):
    """Labels that the server knows."""

    name: str
    labels: int


class Waiting(BaseModel):
    """Requests that wait or are worked on."""

    videos: int
    labels: int


class Status(BaseModel):
    """What the server is and does."""

    version: str
    model: str
    videos: int = Field(description='Number of videos that are kept now')
    videos_decoded: int = Field(description='Number of videos that were decoded since the start')
    queue: Waiting
    banks: list[Bank]
    default_labels: list[str]
    index: bool = Field(description='Whether there is a video index')
    samples: list[str] = Field(description='Names of the sample videos')
    limits: dict[str, float]


class Index(BaseModel):
    """A video index."""

    videos: int = Field(description='Number of videos that can be found')
    windows: int = Field(description='Number of their parts, each with a probability of its own')
    seconds: float = Field(description='Length of all videos together')
    unread: int = Field(description='Number of files that could not be read')
    window: float | None = Field(description='Seconds of a part; null: videos are wholes')
    calibrated: bool = Field(description='Whether labels have thresholds of their own')


class IndexQuery(BaseModel):
    """What to find; see ``ovmlv index find``."""

    model_config = ConfigDict(extra='forbid', strict=True)

    query: str = Field(
        max_length=10_000,
        description='A label, or labels with AND, OR, NOT and parentheses',
        examples=['a dog AND NOT (indoors OR night)'],
    )
    negative: list[str] = Field([], description='Labels that must not be there')
    top: int = Field(60, ge=1, le=1_000_000, description='Number of hits, up to the limit hits')
    threshold: float | None = Field(
        None, ge=0, le=1, description='Least calibrated probability of a hit'
    )
    present: bool = Field(
        False,
        description='Whether each label must reach its threshold of the calibration instead',
    )
    per: Literal['video', 'window'] = Field(
        'video', description='Each video once, with its best part; or all parts'
    )
    after: float | None = Field(
        None, allow_inf_nan=False, description='Only parts that end after this second'
    )
    before: float | None = Field(
        None, allow_inf_nan=False, description='Only parts that begin before this second'
    )
    within: str | None = Field(
        None, max_length=1000, description='A folder, or a pattern of paths such as *holiday*'
    )


class IndexHit(BaseModel):
    """A part of a video that was found."""

    video: str = Field(description='Path of the video on the server, for people')
    start: float | None = Field(description='Seconds from the start of the video')
    end: float | None = Field(description='Seconds from the start of the video')
    probability: float = Field(description='Calibrated probability of the whole query')
    labels: dict[str, float] = Field(description='Probability of each label of the query')
    id: str = Field(description='Id of the video for other requests, until the server ends')
    number: int = Field(description='Number of the part in its video')
    name: str = Field(description='Name of the file')
    file: str = Field(description='Address of the file, relative to the server')
    picture: str | None = Field(description='Address of a JPEG file, relative to the server')
    csv: str = Field(description='The line of ovmlv index find --format csv')
    jsonl: str = Field(description='The line of ovmlv index find --format jsonl')


class IndexHits(BaseModel):
    """What was found, the most probable first."""

    query: str = Field(description='The query as it was understood')
    labels: list[str] = Field(description='The labels in it')
    videos: int = Field(description='Number of videos that were asked')
    windows: int = Field(description='Number of their parts')
    hits: list[IndexHit]


class ErrorDetail(BaseModel):
    """Why a request was refused."""

    code: str = Field(description='Code for programs')
    message: str = Field(description='Sentence for people')


class Error(BaseModel):
    """The answer to a request that was refused."""

    error: ErrorDetail
