"""What a minute of 720p25 H.264 costs in CPU-seconds: ours, the bare decode, and the other ways.

    python benchmarks/decode.py [--seconds 60] [--repeats 5] [--profile seed-448]

All ways run in turn, several times, on the same file, which this script makes: soft moving
content at about 1.3 Mbit/s with sound. It prints medians and their ratios as a markdown table.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ah_ray.config import Limits, Windows
from ah_ray.media.decode import decode
from ah_ray.media.ffmpeg import ffmpeg_path, ffmpeg_version
from ah_ray.media.frames import frame_count, linspace_picks
from ah_ray.media.resize import target_size
from ah_ray.media.windows import Window, plan
from ah_ray.profile import Profile, load_profile
from ah_ray.records import VideoFacts

try:
    import av
except ImportError:
    av = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The video, and what every way has to get out of it."""

    path: Path
    folder: Path
    profile: Profile
    windows: list[Window]
    size_px: tuple[int, int]


def make_case(folder: Path, seconds: float, profile: Profile) -> Case:
    path = folder / "soft.mp4"
    picture = f"testsrc2=s=1280x720:r=25:d={seconds},gblur=sigma=2,noise=alls=3:allf=t"
    sound = f"anoisesrc=d={seconds}:c=pink:a=0.3:r=48000"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libx264",
           "-b:v", "1300k", "-maxrate", "1500k", "-bufsize", "3000k", "-pix_fmt", "yuv420p",
           "-c:a", "aac", path)  # fmt: skip
    size_px = target_size(1280, 720, profile.min_pixels, profile.max_pixels)
    windows = plan(seconds, Windows())
    return Case(path=path, folder=folder, profile=profile, windows=windows, size_px=size_px)


def ffmpeg(*arguments: str | Path) -> bytes:
    command = [ffmpeg_path(), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def cpu_s() -> float:
    """CPU-seconds of this process and of all its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def bare(case: Case) -> None:
    """Picture and sound decoded and thrown away."""
    ffmpeg("-threads", "1", "-i", case.path, "-f", "null", "-")


def bare_picture(case: Case) -> None:
    """The picture alone decoded and thrown away."""
    ffmpeg("-threads", "1", "-i", case.path, "-map", "0:V:0", "-f", "null", "-")


def published(case: Case) -> None:
    """A re-encoded file and a wav for each clip, decoded again for its frames."""
    width_px, height_px = case.size_px
    for window in case.windows:
        clip, wav = case.folder / "clip.mp4", case.folder / "clip.wav"
        ffmpeg("-threads", "1", "-ss", f"{window.start_s}", "-t", f"{window.seconds}", "-i",
               case.path, "-threads", "1", "-c:v", "libx264", "-c:a", "aac", clip)  # fmt: skip
        ffmpeg("-i", clip, "-vn", "-ar", "16000", "-ac", "1", wav)
        ffmpeg("-threads", "1", "-i", clip, "-vf", f"fps=2,scale={width_px}:{height_px}",
               "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1")  # fmt: skip


def pyav(case: Case) -> None:
    """One container opened for each clip, and a seek to where it starts."""
    width_px, height_px = case.size_px
    for window in case.windows:
        with av.open(str(case.path)) as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            frames = list(_between(container, stream, window))
            n_wanted = frame_count(window.seconds, case.profile.fps, case.profile.min_frames)
            np.stack(
                [
                    frames[i].to_ndarray(width=width_px, height=height_px, format="rgb24")
                    for i in linspace_picks(len(frames), n_wanted)
                ]
            )
        with av.open(str(case.path)) as container:
            resampler = av.AudioResampler("flt", "mono", 16_000)
            for frame in _between(container, container.streams.audio[0], window):
                for resampled in resampler.resample(frame):
                    resampled.to_ndarray()


def _between(container, stream, window: Window):
    container.seek(int(window.start_s / stream.time_base), stream=stream)
    for frame in container.decode(stream):
        if frame.time >= window.end_s:
            return
        if frame.time >= window.start_s:
            yield frame


def measure(case: Case, repeats: int) -> dict[str, list[float]]:
    """CPU-seconds of every way, each repeat running all of them in turn."""
    ways: dict[str, Callable[[Case], None]] = {
        "`ffmpeg -f null`, picture and sound": bare,
        "`ffmpeg -f null`, picture only": bare_picture,
        "published: cut, re-encode, wav, decode again": published,
    }
    if av is None:
        print("PyAV is not installed and left out: pip install -e '.[bench]'\n")
    else:
        ways["PyAV, a seek per clip"] = pyav
    found: dict[str, list[float]] = {OURS: [], PROBE: [], **{name: [] for name in ways}}
    for _ in range(repeats):
        before = cpu_s()
        *_, facts = decode(case.path, profile=case.profile, windows=Windows(), limits=Limits())
        assert isinstance(facts, VideoFacts) and facts.error is None, facts
        found[OURS].append(cpu_s() - before - facts.probe_cpu_s)
        found[PROBE].append(facts.probe_cpu_s)
        for name, way in ways.items():
            before = cpu_s()
            way(case)
            found[name].append(cpu_s() - before)
    return found


OURS = "**ours**, frames and samples of all clips"
PROBE = "ours, the probe before it"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the video")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--profile", default="seed-448")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), options.seconds, load_profile(options.profile))
        kbit_s = case.path.stat().st_size * 8 / options.seconds / 1000
        found = measure(case, options.repeats)
    bare_s = found["`ffmpeg -f null`, picture and sound"]
    print(
        f"{options.seconds:g} s of 720p25 H.264 at {kbit_s:.0f} kbit/s, profile "
        f"{options.profile} ({case.size_px[0]}×{case.size_px[1]} px), {options.repeats} repeats, "
        f"one thread, ffmpeg {ffmpeg_version()}, {os.cpu_count()} shared CPU cores.\n"
    )
    print("| way | CPU-s per minute of video | × bare decode |\n| --- | ---: | ---: |")
    for name, seconds in found.items():
        per_minute = statistics.median(seconds) * 60 / options.seconds
        ratio = statistics.median(s / b for s, b in zip(seconds, bare_s, strict=True))
        print(f"| {name} | {per_minute:.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
