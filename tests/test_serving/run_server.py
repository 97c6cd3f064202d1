"""A server in a process of its own: ``run_server.py '{"upload_bytes": 1000000}' [VIDEOS]``."""

import json
import os
import sys
from pathlib import Path

from ovmlv.apis import LabelBank, OVMLVInferencer
from ovmlv.serving import AccessLog, ServingLimits, serve

COLORS = ('red', 'green', 'blue', 'yellow', 'white', 'black', 'purple', 'orange')
SHAPES = ('circle', 'square', 'triangle', 'star', 'heart', 'cross')

if __name__ == '__main__':
    inferencer = OVMLVInferencer('motionshapes', device='cpu')
    bank = LabelBank.build(inferencer.model, [f'{c} {s}' for c in COLORS for s in SHAPES])
    limits = ServingLimits(**json.loads(sys.argv[1]))
    index, samples = None, []
    if len(sys.argv) > 2:
        from ovmlv.index import VideoIndex

        videos = Path(sys.argv[2])
        index = VideoIndex.create(videos / 'index', inferencer, window=1.0)
        index.add(videos)
        samples = [videos / 'red circle.mp4', videos / 'both.mp4']
    log = AccessLog(os.environ['ACCESS_LOG'])
    serve(
        inferencer, port=0, limits=limits, banks={'shapes': bank}, access_log=log, index=index,
        samples=samples,
    )  # fmt: skip
