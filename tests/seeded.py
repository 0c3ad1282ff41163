"""The tiny model before it was taught: its probabilities are far from 0 and 1, so that a fault in
the arithmetic shows in them."""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from ah_ray.omni.make_tiny import make_tiny


@cache
def seeded_tiny() -> Path:
    """A directory called `tiny`; made once in a process, and gone with it."""
    folder = Path(mkdtemp(prefix="ah_ray-tiny-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    make_tiny(folder / "tiny")
    return folder / "tiny"
