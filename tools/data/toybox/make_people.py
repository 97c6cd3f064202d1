#!/usr/bin/env python
"""Render the acting people of Toybox from the motion-captured humanoid of pybullet.

    pip install pybullet==3.2.7        # wheels for Python 3.10 and 3.11
    python tools/data/toybox/make_people.py

Every motion that the package has of its humanoid is rendered from twelve sides, sixteen times a
second, by a camera that follows it over the ground (so that how far it moves is data, not pixels).
A pixel holds a part of the body and how it is lit; clothes get their colours when videos are made.

The tool writes ``people.png`` (a tile for each frame) and ``people.json`` (which tiles belong to a
motion and a side, and how the body moves over the ground, in metres).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
ASSETS = ROOT / 'ovmlv' / 'datasets' / 'toybox' / 'assets'
VERSION = '3.2.7'
SIZE, COLUMNS, SIDES, RATE = 96, 96, 12, 16
SPAN = 2.6  # metres that a tile shows
#: Joint -> part of the body. 0 is nothing; a pixel is ``32 * part + light`` with light in 0..31.
PARTS = ('skin', 'shirt', 'trousers', 'shoes')
SKIN, SHIRT, TROUSERS, SHOES = 1, 2, 3, 4
PART_OF = dict(chest=SHIRT, neck=SKIN, root=TROUSERS)
PART_OF |= {f'{s}_{j}': p for s in ('left', 'right') for j, p in (
    ('hip', TROUSERS), ('knee', TROUSERS), ('ankle', SHOES), ('shoulder', SHIRT), ('elbow', SKIN)
)}  # fmt: skip
JOINTS = (
    ('chest', 4), ('neck', 4), ('right_hip', 4), ('right_knee', 1), ('right_ankle', 4),
    ('right_shoulder', 4), ('right_elbow', 1), ('left_hip', 4), ('left_knee', 1),
    ('left_ankle', 4), ('left_shoulder', 4), ('left_elbow', 1),
)  # fmt: skip


class Humanoid:
    """The figure, and a camera that goes around it."""

    def __init__(self) -> None:
        import pybullet
        import pybullet_data

        self.p = pybullet
        self.p.connect(self.p.DIRECT)
        self.data = Path(pybullet_data.getDataPath())
        self.p.setAdditionalSearchPath(str(self.data))
        self.body = self.p.loadURDF(
            'humanoid/humanoid.urdf', [0, 0, 0.9], globalScaling=0.25, useFixedBase=True,
            flags=self.p.URDF_MAINTAIN_LINK_ORDER,
        )  # fmt: skip
        self.joints = {
            self.p.getJointInfo(self.body, i)[1].decode(): i
            for i in range(self.p.getNumJoints(self.body))
        }
        for link in range(-1, len(self.joints)):
            self.p.changeVisualShape(self.body, link, rgbaColor=[1, 1, 1, 1])
        self.part_of_link = np.zeros(len(self.joints) + 2, np.uint8)
        self.part_of_link[1] = TROUSERS  # the root
        for name, i in self.joints.items():
            self.part_of_link[i + 2] = PART_OF.get(name, SKIN)
        reach = 8.0
        angle = 2 * np.degrees(np.arctan(SPAN / 2 / reach))
        self.reach = reach
        self.lens = self.p.computeProjectionMatrixFOV(angle, 1, 1, 20)

    def motions(self) -> dict[str, dict[str, Any]]:
        """Name of a movement -> its file of poses."""
        files = sorted((self.data / 'data' / 'motions').glob('humanoid3d_*.txt'))
        return {f.stem.removeprefix('humanoid3d_'): json.loads(f.read_text()) for f in files}

    def pose(self, values: np.ndarray) -> np.ndarray:
        """Take a pose; where its root is, with z up."""
        place, turn = values[:3], values[[4, 5, 6, 3]]
        base, orientation = self.p.multiplyTransforms(
            [0, 0, 0], self.p.getQuaternionFromEuler([np.pi / 2, 0, 0]), place, turn
        )
        self.p.resetBasePositionAndOrientation(self.body, base, orientation)
        at = 7
        for name, size in JOINTS:
            value, at = values[at : at + size], at + size
            if size == 4:
                self.p.resetJointStateMultiDof(self.body, self.joints[name], value[[1, 2, 3, 0]])
            else:
                self.p.resetJointState(self.body, self.joints[name], value[0])
        return np.asarray(base)

    def picture(self, ground: np.ndarray, side: int) -> np.ndarray:
        """Parts and light ``(SIZE, SIZE)`` seen from a side, above a point of the ground."""
        angle = 2 * np.pi * side / SIDES
        target = [*ground, SPAN / 2 - 0.25]
        eye = [
            ground[0] + self.reach * np.cos(angle), ground[1] + self.reach * np.sin(angle), 2.2,
        ]  # fmt: skip
        view = self.p.computeViewMatrix(eye, target, [0, 0, 1])
        towards = [np.cos(angle + 0.7), np.sin(angle + 0.7), 1.2]
        _, _, colors, _, parts = self.p.getCameraImage(
            SIZE, SIZE, view, self.lens, shadow=0, renderer=self.p.ER_TINY_RENDERER,
            lightDirection=towards, flags=self.p.ER_SEGMENTATION_MASK_OBJECT_AND_LINKINDEX,
        )  # fmt: skip
        parts = np.reshape(parts, (SIZE, SIZE))
        link = np.where(parts >= 0, (parts >> 24) - 1, -2)
        light = np.reshape(colors, (SIZE, SIZE, 4))[..., :3].astype(float).mean(-1) / 255
        part = self.part_of_link[link + 2]
        return np.where(part > 0, 32 * part + np.clip(31 * light, 0, 31), 0).astype(np.uint8)


def resample(motion: dict[str, Any]) -> np.ndarray:
    """Poses sixteen times a second, the nearest in time."""
    frames = np.asarray(motion['Frames'], float)
    begins = np.cumsum(frames[:, 0]) - frames[:, 0]
    times = np.arange(0, begins[-1] + 1e-9, 1 / RATE)
    nearest = np.abs(begins[None] - times[:, None]).argmin(1)
    return frames[nearest, 1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=ASSETS)
    out = parser.parse_args().out
    figure, tiles, table = Humanoid(), [], {}
    for name, motion in figure.motions().items():
        poses = resample(motion)
        grounds = []
        for side in range(SIDES):
            for pose in poses:
                base = figure.pose(pose)
                grounds.append(base[:2])
                tiles.append(figure.picture(base[:2], side))
        path = np.asarray(grounds[: len(poses)])
        path -= path[0]
        table[name] = dict(
            first=len(tiles) - SIDES * len(poses),
            frames=len(poses),
            loops=motion.get('Loop') == 'wrap',
            path=np.round(path, 3).tolist(),
        )
    rows = -(-len(tiles) // COLUMNS)
    sheet = np.zeros((rows * COLUMNS, SIZE, SIZE), np.uint8)
    sheet[: len(tiles)] = tiles
    sheet = sheet.reshape(rows, COLUMNS, SIZE, SIZE).transpose(0, 2, 1, 3)
    args = dict(optimize=True)
    Image.fromarray(sheet.reshape(rows * SIZE, COLUMNS * SIZE)).save(out / 'people.png', **args)
    about = dict(
        size=SIZE, columns=COLUMNS, sides=SIDES, rate=RATE, metres=SPAN, parts=PARTS, motions=table
    )
    (out / 'people.json').write_text(json.dumps(about) + '\n', encoding='utf-8')
    size = (out / 'people.png').stat().st_size
    print(f'{len(table)} motions, {len(tiles)} frames, {size / 2**20:.1f} MB')


if __name__ == '__main__':
    main()
