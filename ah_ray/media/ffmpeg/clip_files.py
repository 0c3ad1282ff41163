"""A window of a video as files of its own: an mp4 and a 16 kHz mono wav, for other trainers.

Encoded as the published code encodes (x264 at crf 18, `veryfast`, AAC). This project itself never
needs such files: it decodes windows from the video they lie in.
"""

from __future__ import annotations

import time
import wave
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from ah_ray.config import Limits
from ah_ray.media.ffmpeg.ffmpeg_process import Stream, file_output, recording_input, run_ffmpeg
from ah_ray.media.file_check import check_file
from ah_ray.media.probe import probe
from ah_ray.media.sandbox.open_files import open_source, overwrite
from ah_ray.profile import SOUND_HZ

MAX_FILE_BYTES = 512 << 20  # a clip of 5 s has some megabytes; of 8K, some more
_NO_METADATA = {"map_metadata": -1, "map_chapters": -1}
"""The metadata of a recording may tell who, when and where."""

_EVEN_FROM_ZERO = "crop=trunc(iw/2)*2:trunc(ih/2)*2,setpts=PTS-STARTPTS"
"""x264 needs even sizes. A window that begins between two pictures would begin without one, and
end a picture late."""
_X264 = {"vf": _EVEN_FROM_ZERO, "pix_fmt": "yuv420p", "c:v": "libx264", "crf": 18,
         "preset": "veryfast", "threads": 1}  # fmt: skip


def write_clip(
    source: Path | BinaryIO,
    *,
    start_s: float,
    end_s: float,
    mp4: Path | BinaryIO,
    wav: Path | BinaryIO | None = None,
    limits: Limits,
) -> None:
    """Cut one window of a recording into files of its own; each file is a path or is open.

    Times count from the first picture. The wav is as long as the window, with silence where there
    is no sound. None of the recording's metadata goes along. Raise VideoError if the window cannot
    be decoded.
    """
    seconds = end_s - start_s
    with ExitStack() as files:
        recording = files.enter_context(open_source(source))
        timeout_s = limits.timeout_for(check_file(recording, limits).size_bytes)
        deadline = time.monotonic() + timeout_s
        mp4_file = files.enter_context(overwrite(mp4))
        written = [mp4_file]
        found = probe(recording, limits=limits, deadline=deadline)
        cut = recording_input(recording, limits, start_s=found.first_s + start_s, seconds=seconds)
        sound = None if found.sound_track is None else cut[str(found.sound_track)]
        encoding = _X264 if sound is None else {**_X264, "c:a": "aac"}
        outputs = [mp4_output(cut[str(found.picture_track)], sound, mp4_file, **encoding)]
        if wav is not None:
            wav_file = files.enter_context(overwrite(wav))
            if sound is None:
                _write_silence(wav_file, seconds)
            else:
                written.append(wav_file)
                outputs.append(_wav_output(sound, wav_file, seconds))
        run_ffmpeg(
            *outputs,
            files=[recording, *written],
            limits=limits,
            deadline=deadline,
            max_file_bytes=MAX_FILE_BYTES,
            reread=mp4_file,
        )
        # A damaged stretch may leave no picture at all.
        probe(mp4_file, limits=limits, deadline=deadline)


def mp4_output(picture: Stream, sound: Stream | None, file: BinaryIO, **options: Any) -> Stream:
    """Return an mp4 of the picture and the sound, playable while it is fetched."""
    streams = [picture] if sound is None else [picture, sound]
    return file_output(
        *streams, file=file, f="mp4", movflags="+faststart", **_NO_METADATA, **options
    )


def _wav_output(sound: Stream, file: BinaryIO, seconds: float) -> Stream:
    return file_output(
        sound,
        file=file,
        f="wav",
        af=f"aresample={SOUND_HZ}:async=1:first_pts=0,apad",
        t=f"{seconds:.6f}",
        ac=1,
        **{"c:a": "pcm_s16le"},
        **_NO_METADATA,
    )


def _write_silence(file: BinaryIO, seconds: float) -> None:
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(SOUND_HZ)
        written.writeframes(bytes(2 * round(seconds * SOUND_HZ)))
    file.flush()
