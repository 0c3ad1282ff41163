"""What decoding a minute of 720p25 costs in CPU-seconds: ours, the bare decode, and the peers.

    python benchmarks/decode.py [--seconds 60] [--repeats 5] [--profile seed-448]

All ways run in turn, several times, on the same files, which this script makes: soft moving content
at about 1.3 Mbit/s with sound, as x264 encodes it by default (with B-pictures), as a phone or a
browser does (without), as HEVC and as VP9. Every way uses one thread. It prints medians and their
ratios as markdown tables, then where our time goes, and what a process of its own and the cage cost
a video.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import av
import numpy as np

from ah_ray.config import Limits, Windows
from ah_ray.media.caged.clip_maker import Plan, describe_recording, make_clips
from ah_ray.media.caged.log import LibavLog
from ah_ray.media.caged.pictures import PictureDecoder, ticks_of
from ah_ray.media.caged.recording import open_container
from ah_ray.media.caged.scaling import Scaler
from ah_ray.media.caged.sound import SoundReader
from ah_ray.media.caged.timing.survey import survey_recording
from ah_ray.media.decode import decode
from ah_ray.media.ffmpeg.program import ffmpeg_path, ffmpeg_version
from ah_ray.media.frames import frame_count, pick_times
from ah_ray.media.libav_version import libav_version
from ah_ray.media.probe import probe
from ah_ray.media.resize import shown_size
from ah_ray.media.windows import Regular, Window, plan
from ah_ray.profile import Profile, load_profile
from ah_ray.records import VideoFacts

X264_RATE = ("-b:v", "1300k", "-maxrate", "1500k", "-bufsize", "3000k")
CODECS = {
    "x264's default, with B-pictures": ("mp4", ("-c:v", "libx264", *X264_RATE, "-c:a", "aac")),
    "H.264 of a phone or browser, no B-pictures": (
        "mp4",
        ("-c:v", "libx264", "-preset", "veryfast", "-bf", "0", *X264_RATE, "-c:a", "aac"),
    ),
    "HEVC": (
        "mp4",
        ("-c:v", "libx265", "-preset", "fast", "-b:v", "1300k", "-x265-params", "log-level=error",
         "-c:a", "aac"),
    ),
    "VP9": (
        "webm",
        ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1300k",
         "-c:a", "libopus"),
    ),
}  # fmt: skip
OURS, BARE, DECORD = "**ours**, frames and samples of all clips", "bare decode", "decord2"
SHORT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The video, and what every way has to get out of it."""

    path: Path
    folder: Path
    profile: Profile
    windows: list[Window]
    size_px: tuple[int, int]

    @property
    def picked_s(self) -> np.ndarray:
        """When the picked pictures of all windows are shown, in seconds: `[P]`."""
        times_s = np.arange(round(self.windows[-1].end_s * 25)) / 25
        found = []
        for window in self.windows:
            n_wanted = frame_count(window.seconds, self.profile.fps, self.profile.min_frames)
            found.append(times_s[pick_times(times_s, window.start_s, window.end_s, n_wanted)])
        return np.unique(np.concatenate(found))


def make_case(
    folder: Path, seconds: float, profile: Profile, codec: str = next(iter(CODECS))
) -> Case:
    """Encode the content with a codec, x264 by default."""
    ending, options = CODECS[codec]
    path = folder / f"{list(CODECS).index(codec)}-{seconds:g}.{ending}"
    picture = f"testsrc2=s=1280x720:r=25:d={seconds},gblur=sigma=2,noise=alls=3:allf=t"
    sound = f"anoisesrc=d={seconds}:c=pink:a=0.3:r=48000"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, *options, "-pix_fmt",
           "yuv420p", path)  # fmt: skip
    return Case(
        path=path,
        folder=folder,
        profile=profile,
        windows=plan(seconds, Windows()),
        size_px=shown_size(1280, 720, profile),
    )


def ffmpeg(*arguments: str | Path) -> bytes:
    command = [ffmpeg_path(), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def cpu_s() -> float:
    """CPU-seconds of this process and of all its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def ours(case: Case) -> float:
    """Return the CPU-seconds of the decoding process, which is no child of this one."""
    *_, facts = decode(case.path, profile=case.profile, windows=Windows(), limits=Limits())
    assert isinstance(facts, VideoFacts) and facts.error is None, facts
    return facts.decode_cpu_s


def bare(case: Case) -> None:
    """Picture and sound decoded and thrown away."""
    ffmpeg("-threads", "1", "-i", case.path, "-f", "null", "-")


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
    """All pictures decoded in one pass, the picked ones scaled; all sound resampled."""
    width_px, height_px = case.size_px
    wanted = set(ticks_of(case.picked_s).tolist())
    with av.open(str(case.path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        for frame in container.decode(stream):
            if int(ticks_of(frame.time)) in wanted:
                frame.to_ndarray(width=width_px, height=height_px, format="rgb24")
    with av.open(str(case.path)) as container:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        for frame in container.decode(audio=0):
            for resampled in resampler.resample(frame):
                resampled.to_ndarray()


def decord(module: ModuleType, case: Case) -> None:
    """The picked pictures, and all sound, by index."""
    width_px, height_px = case.size_px
    reader = module.VideoReader(
        str(case.path), module.cpu(0), width=width_px, height=height_px, num_threads=1
    )
    reader.get_batch(np.round(case.picked_s * 25).astype(int).tolist()).asnumpy()
    module.AudioReader(str(case.path), module.cpu(0), sample_rate=16_000, mono=True)[:]


def daft(module: ModuleType, case: Case) -> None:
    """Pictures every half second; it reads no sound."""
    width_px, height_px = case.size_px
    module.read_video_frames(
        str(case.path), height_px, width_px, sample_interval_seconds=1 / case.profile.fps
    ).collect()


def peers() -> dict[str, Callable[[Case], None]]:
    """The ways of others that are installed."""
    ways: dict[str, Callable[[Case], None]] = {
        "PyAV in one pass": pyav,
        "published: cut, re-encode, wav, decode again": published,
    }
    for name, title, way in (("decord", DECORD, decord), ("daft", "Daft, no sound", daft)):
        try:
            module = import_module(name)
        except ImportError:
            print(f"{title} is left out: benchmarks/README.md says how it is installed\n")
            continue
        ways[title] = lambda case, way=way, module=module: way(module, case)
    return ways


def measure(case: Case, repeats: int) -> dict[str, list[float]]:
    """Return the CPU-seconds of every way, each repeat running all of them in turn."""
    ways = {BARE: bare, **peers()}
    found: dict[str, list[float]] = {OURS: [], **{name: [] for name in ways}}
    ours(case)  # the warm parent starts with the first video
    for _ in range(repeats):
        before = cpu_s()
        child_s = ours(case)
        found[OURS].append(cpu_s() - before + child_s)
        for name, way in ways.items():
            before = cpu_s()
            way(case)
            found[name].append(cpu_s() - before)
    return found


def print_ways(found: dict[str, list[float]], seconds: float) -> None:
    references = {"bare decode": BARE} | ({"decord2": DECORD} if DECORD in found else {})
    print("| way | CPU-s per minute |" + "".join(f" × {name} |" for name in references))
    print("| --- | ---: |" + " ---: |" * len(references))
    for name, spent in found.items():
        cells = [f"{statistics.median(spent) * 60 / seconds:.2f}"]
        for reference in references.values():
            pairs = zip(spent, found[reference], strict=True)
            cells.append(f"{statistics.median(one / other for one, other in pairs):.2f}")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()


def parts_of_ours(case: Case) -> dict[str, float]:
    """Return where our CPU-seconds go, each part run alone in this process."""
    limits, parts = Limits(), {}
    with case.path.open("rb") as file, LibavLog() as log:
        before = cpu_s()
        survey = survey_recording(file.fileno(), limits, log)
        parts["list of packets, timeline"] = cpu_s() - before
        wanted = set(ticks_of(case.picked_s).tolist())
        kept = []
        with closing(open_container(file.fileno(), limits.max_pixels)) as container:
            decoder = PictureDecoder(
                container, survey.tracks.picture, survey.scan, survey.timeline, log,
                max_pixels=limits.max_pixels,
            )  # fmt: skip
            before = cpu_s()
            kept = [frame for tick, frame in decoder.frames(wanted) if tick in wanted]
            parts["pictures decoded (others skipped where none refers to them)"] = cpu_s() - before
        scaler = Scaler(case.profile, pixel_aspect=1.0)
        before = cpu_s()
        for frame in kept:
            scaler.scale(frame)
        parts[f"{len(kept)} pictures scaled to RGB"] = cpu_s() - before
        with closing(open_container(file.fileno(), limits.max_pixels)) as container:
            sound = SoundReader(container, survey.tracks.sound, survey.timeline, log)
            before = cpu_s()
            for window in case.windows:
                sound.take(window.start_s, window.end_s)
                sound.drop_before(window.end_s)
            parts["sound decoded, mixed, resampled, placed"] = cpu_s() - before
    return parts


def print_parts(case: Case, whole_s: float) -> None:
    parts = parts_of_ours(case)
    parts["process, cage, messages, checks"] = whole_s - sum(parts.values())
    print("| where ours goes | CPU-s per minute |\n| --- | ---: |")
    for name, seconds in parts.items():
        print(f"| {name} | {seconds * 60 / case.windows[-1].end_s:.2f} |")
    print()


def milliseconds(call: Callable[[], object], n: int = 40) -> float:
    """Return the median wall time of a call."""
    spent = []
    for _ in range(n):
        started = time.perf_counter()
        call()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent) * 1000


def in_this_process(case: Case) -> None:
    """Make the clips without a process of their own and without the cage."""
    near, far = socket.socketpair()
    with near, far, case.path.open("rb") as file:
        reader = threading.Thread(target=_drain, args=(near,))
        reader.start()
        wanted = Plan(profile=case.profile, cut=Regular(Windows()), limits=Limits())
        make_clips(file.fileno(), far.fileno(), wanted)
        far.shutdown(socket.SHUT_WR)
        reader.join()


def _drain(connection: socket.socket) -> None:
    while connection.recv(1 << 20):
        pass


def plain_decode(case: Case) -> None:
    """Decode picture and sound in this process and throw them away."""
    for kind in ("video", "audio"):
        with av.open(str(case.path)) as container:
            stream = next(one for one in container.streams if one.type == kind)
            stream.codec_context.thread_count = 1
            for _ in container.decode(stream):
                pass


def print_overheads(case: Case) -> None:
    """What a video costs beside its decode: what counts for short ones."""
    limits = Limits()

    def described() -> None:
        near, far = socket.socketpair()
        with near, far, case.path.open("rb") as file:
            describe_recording(file.fileno(), far.fileno(), limits)

    inside = milliseconds(lambda: probe(case.path, limits=limits, deadline=time.monotonic() + 60))
    outside = milliseconds(described)
    whole = milliseconds(
        lambda: list(decode(case.path, profile=case.profile, windows=Windows(), limits=limits)),
        15,
    )
    here = milliseconds(lambda: in_this_process(case), 15)
    plain = milliseconds(lambda: plain_decode(case), 15)
    print(f"| a video of {SHORT_S:g} s, wall time, medians | ms |\n| --- | ---: |")
    print(f"| a process and a cage of its own | {inside - outside:.1f} |")
    print(f"| decoded whole, picture and sound, thrown away | {plain:.1f} |")
    print(f"| its clips, in this process | {here:.1f} |")
    print(f"| its clips, as the job makes them | {whole:.1f} |")
    print(f"| **more than its decode** | {whole - plain:.1f} |\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the videos")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--profile", default="seed-448")
    options = parser.parse_args()
    profile = load_profile(options.profile)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, codec in enumerate(CODECS):
            case = make_case(folder, options.seconds, profile, codec)
            if not number:
                print(
                    f"720p25, {options.seconds:g} s, profile {options.profile} "
                    f"({case.size_px[0]}×{case.size_px[1]} px), {options.repeats} repeats, one "
                    f"thread, libav {libav_version()}, ffmpeg {ffmpeg_version()}, "
                    f"{os.cpu_count()} shared CPU cores.\n"
                )
            print(f"### {codec}\n")
            found = measure(case, options.repeats)
            print_ways(found, options.seconds)
            print_parts(case, statistics.median(found[OURS]))
        print("### A short video\n")
        print_overheads(make_case(folder, SHORT_S, profile))


if __name__ == "__main__":
    main()
