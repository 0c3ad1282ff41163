"""A window of a video as files of its own: an mp4 and a 16 kHz mono wav, for other trainers.

Encoded as the published code encodes (x264 at crf 18, `veryfast`, AAC). This project itself never
needs such files: it decodes windows from the video they lie in.
"""

from __future__ import annotations

import time
import wave
from pathlib import Path

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.child import Child
from ah_ray.media.ffmpeg import input_options
from ah_ray.media.probe import probe
from ah_ray.media.refuse import check_file
from ah_ray.media.sound import RATE_HZ

NO_METADATA = ("-map_metadata", "-1", "-map_chapters", "-1")
_EVEN_FROM_ZERO = "crop=trunc(iw/2)*2:trunc(ih/2)*2,setpts=PTS-STARTPTS"
"""x264 needs even sizes. A window that begins between two pictures would begin without one, and
end a picture late."""
_PICTURE = (
    *("-map", "0:V:0", "-vf", _EVEN_FROM_ZERO, "-pix_fmt", "yuv420p"),
    *("-c:v", "libx264", "-crf", "18", "-preset", "veryfast"),
)
_LAST_WORDS = 300
_MAX_FILE_BYTES = 512 << 20  # a clip of 5 s has some megabytes; of 8K, some more


def write_clip(
    source: Path,
    *,
    start_s: float,
    end_s: float,
    mp4: Path,
    wav: Path | None = None,
    limits: Limits,
) -> None:
    """Cuts one window; times count from the first picture.

    The wav is as long as the window, with silence where there is no sound. Nothing of the video's
    metadata goes along: it may tell who, when and where. Raises VideoError if the window cannot be
    decoded.
    """
    deadline = time.monotonic() + limits.timeout_for(check_file(source, limits))
    found = probe(source, limits=limits, deadline=deadline)
    audio = found.audio_stream
    seconds = end_s - start_s
    sounds = () if audio is None else ("-map", f"0:{audio}", "-c:a", "aac")
    command = [
        *input_options(source, limits, start_s=found.first_s + start_s, seconds=seconds),
        *("-y", "-loglevel", "error"),
        *(*_PICTURE, *sounds, *NO_METADATA, "-threads", "1"),
        *("-movflags", "+faststart", "-f", "mp4", f"file:{mp4}"),
    ]
    if wav is not None and audio is not None:
        command += [
            *("-map", f"0:{audio}", "-af", f"aresample={RATE_HZ}:async=1:first_pts=0,apad"),
            *("-t", f"{seconds:.6f}", "-ac", "1", "-c:a", "pcm_s16le", *NO_METADATA),
            *("-f", "wav", f"file:{wav}"),
        ]
    run_ffmpeg(command, limits, deadline)
    probe(mp4, limits=limits, deadline=deadline)  # a damaged stretch may leave no picture at all
    if wav is not None and audio is None:
        _write_silence(wav, seconds)


def run_ffmpeg(command: list[str], limits: Limits, deadline: float) -> None:
    """Runs a command that writes files of clips. Raises VideoError with what ffmpeg said."""
    said = bytearray()
    with Child(
        lambda _: command, limits=limits, deadline=deadline, max_file_bytes=_MAX_FILE_BYTES
    ) as child:
        for _, chunk in child.chunks():
            said += chunk
        if child.exit_status:
            last = " ".join(said.decode("utf-8", "replace").split())[-_LAST_WORDS:]
            raise VideoError(ErrorKind.DECODE, f"ffmpeg could not cut it: {last}")


def _write_silence(path: Path, seconds: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(bytes(2 * round(seconds * RATE_HZ)))
