"""What the tests of decoding share."""

from __future__ import annotations

from pathlib import Path

import pytest
import videos


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s of 25 fps H.264 in MP4, with a tone."""
    path = tmp_path_factory.mktemp("numbered") / "numbered.mp4"
    return videos.make_numbered(path, sound=videos.TONE)
