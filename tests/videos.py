"""Makes the videos that tests decode, with the real ffmpeg: sound, odd, damaged and hostile ones.

In a numbered video each frame shows its own number as twelve black or white blocks, which survive
compression, scaling and a change of colour format: `read_number` reads it back from the pixels.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ah_ray.media.ffmpeg.program import ffmpeg_path

_ROWS, _COLUMNS = 3, 4
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-bf", "2")
VP8_LIVE = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "500k")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "800k")
AV1 = ("-c:v", "libsvtav1", "-preset", "10", "-svtav1-params", "lp=1:enable-tf=0")
MPEG4 = ("-c:v", "mpeg4", "-bf", "2", "-q:v", "3")
TONE = "0.5*sin(2*PI*440*t)"


def run_ffmpeg(*arguments: str | Path, stdin: bytes = b"", stdout: Path | None = None) -> None:
    """Runs ffmpeg and raises with what it said if it fails."""
    command = [ffmpeg_path(), "-hide_banner", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode("utf-8", "replace"))
    if stdout is not None:
        stdout.write_bytes(done.stdout)


def numbered_frame(number: int, width_px: int, height_px: int) -> np.ndarray:
    """`[H, W] uint8`: the number's bits as blocks, the highest at the top left."""
    bits = [(number >> shift) & 1 for shift in reversed(range(_ROWS * _COLUMNS))]
    blocks = np.array(bits, np.uint8).reshape(_ROWS, _COLUMNS) * 200 + 28
    rows = np.arange(height_px) * _ROWS // height_px
    columns = np.arange(width_px) * _COLUMNS // width_px
    return blocks[rows][:, columns]


def read_number(frame: np.ndarray) -> int:
    """The number that a decoded `[H, W, 3] uint8` frame shows."""
    height_px, width_px, _ = frame.shape
    number = 0
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            y, x = (2 * row + 1) * height_px // 6, (2 * column + 1) * width_px // 8
            number = 2 * number + int(frame[y - 4 : y + 4, x - 4 : x + 4].mean() > 128)
    return number


def make_numbered(
    path: Path,
    *,
    n_frames: int = 300,
    fps: str = "25",
    size_px: tuple[int, int] = (320, 240),
    codec: Sequence[str] = X264,
    pixel_format: str = "yuv420p",
    pts_ms: str | None = None,
    sound: str | None = None,
    sound_s: float | None = None,
    sound_starts_s: float = 0.0,
    options: Sequence[str] = (),
    live: bool = False,
) -> Path:
    """A numbered video. `pts_ms`: an ffmpeg expression in N, for a variable rate.

    `sound` is an expression in t for ffmpeg's `aevalsrc`; its second 0 is at `sound_starts_s`.
    `live` writes through a pipe, as a browser does, so the container cannot go back to say how
    long it is.
    """
    pictures = [numbered_frame(number, *size_px).tobytes() for number in range(n_frames)]
    inputs = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{size_px[0]}x{size_px[1]}"]
    inputs += ["-r", fps, "-i", "pipe:0"]
    if sound:
        seconds = sound_s if sound_s is not None else n_frames / rate_fps(fps)
        inputs += ["-itsoffset", f"{sound_starts_s}", "-f", "lavfi"]
        inputs += ["-i", f"aevalsrc='{sound}':s=48000:d={seconds}"]
    timing = []
    if pts_ms:
        timing = ["-vf", f"settb=1/1000,setpts='{pts_ms}'", "-fps_mode", "passthrough"]
        timing += ["-enc_time_base", "1:1000"]
    run_ffmpeg(
        *inputs,
        *timing,
        *codec,
        *("-pix_fmt", pixel_format),
        *options,
        *(("-f", "webm", "-live", "1", "pipe:1") if live else (path,)),
        stdin=b"".join(pictures),
        stdout=path if live else None,
    )
    return path


def make_late_start(path: Path, *, offset_s: float = 100.0, **settings: object) -> Path:
    """An MPEG-TS whose clock does not start at zero."""
    return make_numbered(path, options=("-output_ts_offset", f"{offset_s}"), **settings)


def make_trimmed(path: Path, source: Path, *, start_s: float) -> Path:
    """An MP4 cut without re-encoding: an edit list hides the frames before the cut."""
    run_ffmpeg("-ss", f"{start_s}", "-i", source, "-c", "copy", path)
    return path


def make_rotated(path: Path, source: Path, *, degrees: int) -> Path:
    """The same pictures with rotation metadata, as phones write it."""
    run_ffmpeg("-display_rotation:v", f"{degrees}", "-i", source, "-c", "copy", path)
    return path


def make_sound_only(path: Path, *, seconds: float = 4.0, cover: bool = False) -> Path:
    """A sound file; with `cover`, one that has a picture attached."""
    inputs = ["-f", "lavfi", "-i", f"aevalsrc='{TONE}':s=48000:d={seconds}"]
    picture = []
    if cover:
        inputs += ["-f", "lavfi", "-i", "color=red:s=64x64:d=0.04"]
        picture = ["-map", "0:a", "-map", "1:v", "-c:v", "mjpeg", "-frames:v", "1"]
        picture += ["-disposition:v", "attached_pic"]
    run_ffmpeg(*inputs, *picture, path)
    return path


def make_two_tracks(path: Path, *, default: int, n_frames: int = 150) -> Path:
    """A video with two sound tracks, 0.1 and 0.8 loud; track `default` is the flagged one."""
    pictures = b"".join(numbered_frame(n, 320, 240).tobytes() for n in range(n_frames))
    flags = [("-disposition:a:0", "0"), ("-disposition:a:1", "0")]
    flags[default] = (f"-disposition:a:{default}", "default")
    run_ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "gray", "-s", "320x240", "-r", "25", "-i", "pipe:0"),
        *("-f", "lavfi", "-i", "aevalsrc='0.1*sin(2*PI*440*t)':s=48000:d=6"),
        *("-f", "lavfi", "-i", "aevalsrc='0.8*sin(2*PI*440*t)':s=48000:d=6"),
        *("-map", "0:v", "-map", "1:a", "-map", "2:a"),
        *X264,
        *("-pix_fmt", "yuv420p"),
        *(word for flag in flags for word in flag),
        path,
        stdin=pictures,
    )
    return path


def make_plain(path: Path, picture: str, *, seconds: float, options: Sequence[str] = ()) -> Path:
    """A video of one of ffmpeg's own sources, such as `testsrc2=s=320x240:r=25`."""
    run_ffmpeg(
        *("-f", "lavfi", "-i", f"{picture}", "-t", f"{seconds}"),
        *X264,
        *("-pix_fmt", "yuv420p"),
        *options,
        path,
    )
    return path


def make_looped(path: Path, source: Path, *, times: int) -> Path:
    """The source again and again, without encoding: hours of video in a second."""
    run_ffmpeg("-stream_loop", f"{times - 1}", "-i", source, "-c", "copy", path)
    return path


def make_truncated(path: Path, source: Path, *, share: float, moov_first: bool = True) -> Path:
    """The first `share` of an MP4's bytes; its index leads or is lost."""
    whole = path.with_name(f"whole-{path.name}")
    flags = ("-movflags", "+faststart") if moov_first else ()
    run_ffmpeg("-i", source, "-c", "copy", *flags, whole)
    content = whole.read_bytes()
    whole.unlink()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def make_flipped(path: Path, source: Path, *, at: float = 0.5, n_bytes: int = 3000) -> Path:
    """The source with a stretch of its bytes inverted."""
    content = bytearray(source.read_bytes())
    start = int(len(content) * at)
    content[start : start + n_bytes] = bytes(b ^ 0xFF for b in content[start : start + n_bytes])
    path.write_bytes(content)
    return path


def make_garbage(path: Path, *, n_bytes: int = 50_000) -> Path:
    """Noise with the name of a video."""
    path.write_bytes(np.random.default_rng(7).bytes(n_bytes))
    return path


def make_empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def make_hls(path: Path, target: str) -> Path:
    """A playlist that names another resource."""
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{target}\n#EXT-X-ENDLIST\n")
    return path


def make_dash(path: Path, target: str) -> Path:
    path.write_text(
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        f'mediaPresentationDuration="PT5S"><Period><AdaptationSet mimeType="video/mp4">'
        f"<Representation id='1' bandwidth='1'><BaseURL>{target}</BaseURL></Representation>"
        "</AdaptationSet></Period></MPD>\n"
    )
    return path


def make_concat(path: Path, target: str) -> Path:
    path.write_text(f"ffconcat version 1.0\nfile '{target}'\n")
    return path


def make_sdp(path: Path) -> Path:
    path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    )
    return path


def make_external_mov(path: Path, source: Path) -> Path:
    """A movie whose data reference says that its samples lie in another file."""
    content = source.read_bytes()
    self_contained = b"url \0\0\0\1"
    if self_contained not in content:
        raise ValueError(f"{source} has no data reference to turn outwards")
    path.write_bytes(content.replace(self_contained, b"url \0\0\0\0"))
    return path


def rate_fps(fps: str) -> float:
    """Frames per second of a rate as ffmpeg takes it, such as "30000/1001"."""
    numerator, _, denominator = fps.partition("/")
    return float(numerator) / float(denominator or 1)
