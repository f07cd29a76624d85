"""Random numbers by position instead of by state.

Every step draws from a generator that is seeded anew from the run's seed and the step's place
in the schedule. A checkpoint therefore needs no generator state, and a resumed run draws what
the uninterrupted one would have drawn.
"""

from __future__ import annotations

import hashlib

import torch


def derive(seed: int, *position: str | int) -> int:
    """A 63-bit seed for one purpose and place, e.g. ``derive(0, "pairs", epoch, step)``."""
    text = ":".join(str(part) for part in (seed, *position))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(device: torch.device, seed: int, *position: str | int) -> torch.Generator:
    """A generator on `device`, seeded for `position`."""
    return torch.Generator(device).manual_seed(derive(seed, *position))
