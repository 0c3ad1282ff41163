"""What the distribution costs: clips/s of the whole job with a free scorer, against decode alone.

    python benchmarks/pipeline.py [--videos 60] [--seconds 30] [--rounds 2] [--decoders 2]

Both ways decode the same videos with the same number of processes, in turn. The job is the real
one but for its replica, which answers 0.5 at once: Ray Data, Arrow, reducers, atomic rows. It runs
over all videos and over a quarter of them: what the others took more is its rate, the rest is the
start of its actors. Ray itself is up already, as on a cluster.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from decode import make_case
from memory import Memory, watched
from rich.console import Console

from ah_ray import cluster, storage
from ah_ray.config import Limits, Windows, score_settings
from ah_ray.media.decode import decode
from ah_ray.media.libav_version import libav_version
from ah_ray.output.row import Provenance, ah_ray_version
from ah_ray.output.spool import Spool
from ah_ray.pipeline import graph, passes
from ah_ray.pipeline.actors.blocks import clips_of, scores_table
from ah_ray.pipeline.reporting.progress import Progress
from ah_ray.pipeline.reporting.tally import Tally
from ah_ray.pipeline.resolve import resolve
from ah_ray.pipeline.stages import clip_bytes, stages_of
from ah_ray.pipeline.work import WriteRow
from ah_ray.profile import load_profile
from ah_ray.records import Clip, ClipScore, Video

PROFILE = "seed-448"


class FreeReplica:
    """A scorer that costs nothing: it does not even look at the frames."""

    def __init__(self, _settings: object):
        pass

    def __call__(self, frames: pa.Table) -> pa.Table:
        scores = [
            ClipScore(clip_index=c.clip_index, start_s=c.start_s, end_s=c.end_s, p_ah=0.5)
            for c in clips_of(frames)
        ]
        return scores_table(frames, scores)


def make_videos(folder: Path, n_videos: int, seconds: float) -> list[Path]:
    """One soft 720p25 video of about 1.3 Mbit/s, under several names."""
    first = make_case(folder, seconds, load_profile(PROFILE)).path
    paths = [folder / f"{n:02}.mp4" for n in range(n_videos)]
    for path in paths:
        shutil.copy(first, path)
    first.unlink()
    return paths


def decode_some(paths: Sequence[Path]) -> int:
    settings = {"profile": load_profile(PROFILE), "windows": Windows(), "limits": Limits()}
    return sum(isinstance(part, Clip) for path in paths for part in decode(path, **settings))


def decode_alone(paths: Sequence[Path], n_processes: int) -> float:
    """Clips per second of bare processes, each with its share of the videos; they start first."""
    shares = [paths[n::n_processes] for n in range(n_processes)]
    with multiprocessing.get_context("spawn").Pool(n_processes) as pool:
        pool.map(time.sleep, [0.5] * n_processes)
        started = time.monotonic()
        n_clips = sum(pool.map(decode_some, shares, chunksize=1))
        return n_clips / (time.monotonic() - started)


def whole_job(paths: Sequence[Path], n_decoders: int, out: Path) -> tuple[int, float]:
    """Clips of one pass over the videos, and its seconds."""
    settings = score_settings(videos=str(paths[0].parent), out=str(out), model="tiny",
                              profile=PROFILE, decoders=n_decoders)  # fmt: skip
    resolved = resolve(settings)
    provenance = Provenance(
        run_id="benchmark", ah_ray_version=ah_ray_version(), ffmpeg_version=libav_version()
    )
    pools = graph.Pools(
        min_decoders=n_decoders, max_decoders=n_decoders, min_replicas=1, max_replicas=1,
        replica_cpus=0, replica_gpus=0, clips_per_batch=8,
    )  # fmt: skip
    write_row = WriteRow(out=str(out), resolved=resolved, provenance=provenance)
    stages = stages_of(resolved, pools, write_row, replica_class=FreeReplica)
    graph.configure(clip_bytes(resolved))
    tally = Tally(total=len(paths))
    started = time.monotonic()
    with Progress(Console(quiet=True), tally) as progress:
        videos = [video_of(path) for path in paths]
        with Spool() as spool:
            result = passes.run_pass(videos, stages, progress, spool, lambda: None)
    assert len(result.committed) == len(paths), result
    return tally.n_clips, time.monotonic() - started


def video_of(path: Path) -> Video:
    entry = storage.stat(str(path))
    return Video(video_id=path.stem, uri=entry.uri, etag=entry.etag,
                 size_bytes=entry.size_bytes, last_modified=entry.last_modified)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--decoders", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    memory, rounds = Memory(), []
    with tempfile.TemporaryDirectory() as name, cluster.connected():
        paths = make_videos(Path(name), arguments.videos, arguments.seconds)
        for n in range(arguments.rounds):
            alone = decode_alone(paths, arguments.decoders)
            with watched(memory):
                few_clips, few_s = whole_job(
                    paths[: len(paths) // 4], arguments.decoders, Path(name) / f"few-{n}"
                )
                clips, seconds = whole_job(paths, arguments.decoders, Path(name) / f"all-{n}")
            rate = (clips - few_clips) / (seconds - few_s)
            rounds.append((alone, rate, clips / seconds, seconds - clips / rate))
    alone, rate, whole, start_s = (statistics.median(some) for some in zip(*rounds, strict=True))
    share = statistics.median(job / bare for bare, job, _, _ in rounds)
    print(
        f"{arguments.videos} videos of {arguments.seconds:g} s, 720p25, profile {PROFILE}, "
        f"{arguments.decoders} decoders; medians of {arguments.rounds} rounds, in turn\n"
    )
    print("| way | clips/s | of decode alone |\n| --- | --- | --- |")
    print(f"| decode alone | {alone:.2f} | 1 |")
    print(f"| whole job, free scorer | {rate:.2f} | {share:.2f} |")
    print(f"| the same with the start of its actors, {start_s:.1f} s | {whole:.2f} | "
          f"{whole / alone:.2f} |\n")  # fmt: skip
    print("| process | peak private memory, MB |\n| --- | --- |")
    for process, peak in sorted(memory.peaks().items()):
        print(f"| {process} | {peak / 1e6:.0f} |")


if __name__ == "__main__":
    main()
