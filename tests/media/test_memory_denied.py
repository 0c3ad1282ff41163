"""A recording that needs more memory than it may have is refused, and not called damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numbered_sessions as made
import pytest
from decoding import decode_all
from generated_recordings import joined_ts

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind
from ah_ray.media.caged.log import LibavLog

THEORA = ("-c:v", "libtheora", "-q:v", "4")
VORBIS = ("-c:a", "libvorbis")
KINDS = {
    "H.264": ("mp4", made.H264, made.AAC),
    "H.264 with B-pictures": ("mp4", made.H264_B, made.AAC),
    "HEVC": ("mp4", made.HEVC, made.AAC),
    "VP9": ("webm", made.VP9, made.OPUS),
    "MPEG-4": ("mp4", made.MPEG4, made.AAC),
    "FFV1": ("mkv", ("-c:v", "ffv1"), made.PCM),
    "Theora": ("ogv", THEORA, VORBIS),
}


def large(folder: Path, name: str) -> Path:
    """Return six pictures of 3840×2160 and a second of sound."""
    ending, video, sound = KINDS[name]
    return made.session(
        folder, ending, seconds=1.2, fps="5", size_px=(3840, 2160), video=video, sound=sound
    )


def check(path: Path, megabytes: range) -> None:
    """Decode a recording within several limits: it is right, or it is refused for memory."""
    for most in megabytes:
        facts = decode_all(path, limits=Limits(max_memory_bytes=most << 20, timeout_s=120)).facts
        if facts.error_kind is not None:
            assert facts.error_kind is ErrorKind.REFUSED, f"{most} MiB: {facts.error}"
            assert "--max-memory-bytes" in facts.error
        else:
            assert facts.sound_is_silent is False


def test_a_decoder_that_is_denied_memory_when_it_opens(tmp_path):
    check(large(tmp_path, "Theora"), range(8, 40, 10))


@pytest.mark.heavy
@pytest.mark.parametrize("name", KINDS)
def test_a_decoder_that_is_denied_memory_anywhere(tmp_path, name):
    check(large(tmp_path, name), range(2, 100, 2))


GRAPHS = """
import resource, sys
import subprocess
import sys
from pathlib import Path
from av.filter import Graph
from ah_ray.media.caged.log import LibavLog

graphs = [Graph() for _ in range(2000)]
for graph in graphs[:5]:
    graph.add("scale", "64:64")
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (4 << 20), used + (4 << 20)))
with LibavLog() as log:
    try:
        with log.report_failed_allocations():
            for graph in graphs:
                graph.add("scale", "64:64")
    except MemoryError:
        sys.exit(3)
    except RuntimeError:
        sys.exit(4)
"""


def test_an_allocation_that_fails_in_pyav_is_missing_memory():
    """PyAV raises a RuntimeError where a filter cannot be allocated."""
    assert subprocess.run([sys.executable, "-c", GRAPHS], check=False).returncode == 3


def test_another_runtime_error_is_none_of_memory():
    with LibavLog() as log, pytest.raises(RuntimeError), log.report_failed_allocations():
        raise RuntimeError("something else")
    assert not log.is_out_of_memory


def test_pictures_that_grow_over_the_limit_are_refused_for_their_size(tmp_path):
    path = joined_ts(tmp_path, parts=[(0, {}), (6, {"size_px": (640, 360)})])
    decoded = decode_all(path, limits=Limits(max_pixels=320 * 240))
    assert decoded.kinds[0] is None
    assert decoded.kinds[-1] is ErrorKind.REFUSED and "640×360" in decoded.facts.error
