"""Texts that a recording or its name can carry, in the hope that somebody believes a log.

Lines as ffmpeg writes them, with line breaks before and after: false times, a time base of nothing,
damage that there is not, an end that there is not. And tags of a container that hold them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import videos
from hypothesis import strategies as st

SPOKEN: Sequence[str] = (
    "[vist#0:0/h264 @ 0x55abbf2c6b80] [dec:h264 @ 0x55b1250b3a80] decoder -> pts:0 pts_time:0 "
    "pkt_dts:0 pkt_dts_time:0 duration:512 duration_time:0.04 keyframe:1 frame_type:1 "
    "time_base:1/0",
    "[vist#0:0/h264 @ 0x5] [dec:h264 @ 0x5] decoder -> pts:99999999 pts_time:7812 duration:512 "
    "keyframe:1 frame_type:1 time_base:1/12800",
    "[vf#0:0 @ 0x557ed89dee00] filter_raw -> pts:6656 pts_time:0.52 time_base:1/0",
    "[af#0:1 @ 0x557ed8a7eac0] filter_raw -> pts:1 pts_time:9 time_base:1/705600000",
    "[vist#0:0/h264 @ 0x5] [dec:h264 @ 0x5] corrupt decoded frame",
    "[vist#0:0/h264 @ 0x5] [dec:h264 @ 0x5] Error submitting packet to decoder: Invalid data",
    "[in#0/mov,mp4,m4a,3gp,3g2,mj2 @ 0x55] stream 0, offset 0x4c4b5b: partial file",
    "[h264 @ 0x5] concealing 40 DC, 40 AC, 40 MV errors in P frame",
    "[h264 @ 0x5] error while decoding MB 3 4, bytestream -5",
    "[matroska,webm @ 0x5] File ended prematurely at pos. 400 (0x190)",
    "[mov @ 0x5] moov atom not found",
    "[out#0 @ 0x5] Cannot allocate memory",
    "Stream mapping:",
    "  Stream #0:0 -> #0:0 (h264 (native) -> rawvideo (native))",
    "  Stream #0:1[0x2](und): Audio: aac, 0 Hz, 99 channels",
    "  Duration: 99:59:59.99, start: 0.000000, bitrate: 0 kb/s",
    "frame=99999 fps=1 q=-0.0 Lsize=N/A time=99:00:00.00 bitrate=N/A speed=1x",
    '{"what": "facts", "n_clips": 99, "error": "refused"}',
    "error: this recording is fine",
)
BREAKS = ("\n", "\r\n", "\r", "\x0b", "\x1b[2K\r", " ", "\u2028")


def texts(longest: int = 600) -> st.SearchStrategy[str]:
    """Return some of these lines between breaks, or any text at all; never empty, without NUL."""
    spoken = st.builds(
        lambda lines, gap: gap + gap.join(lines) + gap,
        st.lists(st.sampled_from(SPOKEN), min_size=1, max_size=4),
        st.sampled_from(BREAKS),
    )
    anything = st.text(
        st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1
    )
    return st.one_of(spoken, spoken, anything).map(lambda text: text[:longest])


CODECS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "mp4": (videos.X264, ("-c:a", "aac")),
    "mov": (videos.X264, ("-c:a", "pcm_s16le")),
    "mkv": (videos.X264, ("-c:a", "flac")),
    "webm": (videos.VP8_LIVE, ("-c:a", "libopus")),
    "ogv": (("-c:v", "libtheora", "-q:v", "6"), ("-c:a", "libvorbis")),
    "avi": (videos.MPEG4, ("-c:a", "libmp3lame")),
    "flv": (("-c:v", "flv", "-q:v", "4"), ("-c:a", "libmp3lame", "-ar", "44100")),
    "wmv": (("-c:v", "wmv2", "-q:v", "4"), ("-c:a", "wmav2")),
    "ts": (videos.X264, ("-c:a", "aac")),
    "3gp": (videos.X264, ("-c:a", "aac")),
}
"""How a small recording is made for each container that can carry text."""

_SAME_BYTES = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")
_KEYS = (
    "title", "artist", "comment", "description", "encoder", "service_name", "service_provider",
    "lavf", "date", "location",
)  # fmt: skip
_STREAM_KEYS = ("title", "language", "handler_name", "encoder", "vendor_id", "comment")


def make_recording(path: Path) -> Path:
    """Make 2 s of numbered pictures with a tone, for the container of that ending."""
    picture, sound = CODECS[path.suffix[1:]]
    return videos.make_numbered(
        path, n_frames=50, size_px=(176, 144), codec=picture, sound=videos.TONE,
        options=(*sound, *_SAME_BYTES),
    )  # fmt: skip


def tag(source: Path, path: Path, text: str | None) -> Path:
    """Copy a recording with that text in every tag that its container has; null: in none."""
    tags: list[str] = []
    if path.suffix == ".ts" and text is not None:  # a name there has 255 bytes at most
        text = text.encode()[:100].decode("utf-8", "ignore")
    if text is not None:
        tags += [word for key in _KEYS for word in ("-metadata", f"{key}={text}")]
        for stream in ("v:0", "a:0"):
            tags += [w for key in _STREAM_KEYS for w in (f"-metadata:s:{stream}", f"{key}={text}")]
    videos.run_ffmpeg(
        *("-i", source, "-map", "0", "-map_metadata", "-1", "-c", "copy", "-fflags", "+bitexact"),
        *tags,
        path,
    )
    return path
