"""The content of requests and answers; the API page is made from it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Span(BaseModel):
    """A part of a video."""

    start: float = Field(description='Seconds')
    end: float = Field(description='Seconds')


class Video(BaseModel):
    """A video that was looked at. Its file is gone."""

    id: str = Field(description='Names the video in other requests; who has it can use it')
    name: str = Field(description='As the client called it')
    duration: float = Field(description='Seconds')
    windows: list[Span] = Field(description='Parts that get probabilities of their own')
    frames: int = Field(description='Frames that are kept as small pictures')
    keep_seconds: float = Field(description='How long it is kept after its last use')


class TagRequest(BaseModel):
    """Labels to score: either ``labels`` or ``bank``; neither means the default labels."""

    model_config = ConfigDict(extra='forbid', strict=True)

    labels: list[str] | None = Field(
        None, description='Any texts', examples=[['a dog', 'opening a door']]
    )
    bank: str | None = Field(None, description='Name of a bank that the server offers')
    top_k: int | None = Field(
        None, ge=1, description='How many of the best labels; by default all, of a bank 20'
    )


class Tag(BaseModel):
    """A label of a video."""

    label: str
    probability: float = Field(description='Each label has its own; they do not add up to one')
    threshold: float | None = Field(description='Of the calibration, where there is one')
    timeline: list[float] = Field(description='Probability in each window')


class Tags(BaseModel):
    """Labels of a video, the most probable first."""

    id: str
    name: str
    duration: float
    num_labels: int = Field(description='Labels that were scored')
    tags: list[Tag]
    windows: list[Span]


class Frame(BaseModel):
    """A frame that speaks for a label."""

    number: int
    time: float = Field(description='Seconds')
    probability: float = Field(description='Of the label, for this frame alone')
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
    videos: int = Field(description='Videos that are kept now')
    videos_decoded: int = Field(description='Videos that were decoded since the start')
    queue: Waiting
    banks: list[Bank]
    default_labels: list[str]
    limits: dict[str, float]


class ErrorDetail(BaseModel):
    """Why a request was refused."""

    code: str = Field(description='For programs')
    message: str = Field(description='For people')


class Error(BaseModel):
    """The answer to a request that was refused."""

    error: ErrorDetail
