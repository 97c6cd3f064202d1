"""What the processes of the distributed tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import torch


def share(batch: dict, rank: int, world: int) -> dict:
    """The part of a batch that a process gets."""
    return {k: v[rank * len(v) // world : (rank + 1) * len(v) // world] for k, v in batch.items()}


def main(step: Callable[[dict, int, int], dict]) -> None:
    """Be one of two processes, ``RANK FOLDER PORT``; FOLDER has the config and gets the result."""
    rank, folder, port = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    torch.distributed.init_process_group('gloo', rank=rank, world_size=2)
    config = torch.load(f'{folder}/config.pt', weights_only=True)
    torch.save(step(config, rank, 2), f'{folder}/{rank}.pt')
    torch.distributed.destroy_process_group()
