"""What a server counts: requests, bytes, and how long its work takes."""

from __future__ import annotations

from .tallies import Distribution, Tally

#: Bounds in seconds: of answers, of which an upload's may take minutes; of waiting for one's turn;
#: of reading and encoding a video; and of scoring, which takes milliseconds.
ANSWER = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
WAIT = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
WORK = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
SCORE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
#: And of the length of videos.
LENGTH = (1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 600, 1800, 3600)


class Monitor:
    """Counts of one server. All of it happens in the server's own process.

    The processes that decode are copies which end with their video, so nothing is counted there:
    the server measures how long it waits for them.

    Attributes:
        requests: Requests by method, route and status.
        errors: Errors by their code.
        received: Bytes of bodies that came, by route.
        sent: Bytes of bodies that went, by route.
        answer: Seconds from the head of a request to the end of its answer, by route.
        wait: Seconds in a queue before the work begins, by queue.
        decode: Seconds that a video's frames are waited for.
        encode: Seconds of the model with a video.
        score: Seconds of a question about labels.
        length: Lengths of videos in seconds.
        labels: Labels that were scored.
        in_progress: Requests that are worked on.
    """

    def __init__(self) -> None:
        self.requests, self.errors = Tally(), Tally()
        self.received, self.sent = Tally(), Tally()
        self.answer, self.wait = Distribution(ANSWER), Distribution(WAIT)
        self.decode, self.encode = Distribution(WORK), Distribution(WORK)
        self.score, self.length = Distribution(SCORE), Distribution(LENGTH)
        self.labels = Tally()
        self.in_progress = 0

    def looked(self, length: float, decode: float, encode: float) -> None:
        """Note a video that was read and encoded; all in seconds."""
        self.length.add(length)
        self.decode.add(decode)
        self.encode.add(encode)

    def scored(self, labels: int, seconds: float) -> None:
        """Note a question about labels."""
        self.labels.add(by=labels)
        self.score.add(seconds)
