"""What size costs beside decoding and scoring, measured; and what a cohort costs, calculated.

    python benchmarks/scale.py                     a million videos, then the table of costs
    python benchmarks/scale.py --videos 20000      a small trial of the same
    python benchmarks/scale.py --model             only the table, with your own inputs:
        --clips-per-gpu-s 44 --gpu-hour 4 --core-hour 0.04 --within-h 8 …

Each part runs in a process of its own, so that its memory is its own. Listings are invented page by
page (invented_bucket.py); all above them is the job's own code. S3 is moto's server.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import boto3
import pyarrow as pa
from conftest import free_port, wait_for_port
from cost_model import Constants, estimate, gpus_for
from invented_bucket import CLIPS_EACH, InventedBucket
from invented_rows import row, scored

from ah_ray import storage
from ah_ray.config import Reduction, score_settings
from ah_ray.records import VERDICT, Clip, Scored
from ah_ray.results.commit import commit
from ah_ray.results.outputs import claim
from ah_ray.results.row import Provenance, verdict_row
from ah_ray.results.spool import Spool
from ah_ray.results.table_files import CLIPS_FILE, VERDICTS_FILE
from ah_ray.storage import s3

N_NEW = 2_000
TABLES = (VERDICTS_FILE, CLIPS_FILE)
HOURS = (10_000, 100_000, 1_000_000, 10_000_000)
SETTINGS = {"videos": "s3://study/recordings", "out": "s3://study/scores", "model": "tiny"}


def peak_mb() -> int:
    """Of this process alone: ru_maxrss would count the one that started it, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1000 for line in lines if line.startswith("VmHWM:"))


def measured(action: Callable[[], object]) -> tuple[object, dict[str, float]]:
    began, cpu = time.monotonic(), time.process_time()
    result = action()
    return result, {
        "wall_s": round(time.monotonic() - began, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "peak_mb": peak_mb(),
    }


def resolved():
    from ah_ray.pipeline.resolve import resolve

    return resolve(score_settings(**SETTINGS))


def fingerprint() -> str:
    return resolved().scoring.fingerprint


def plan_part(n_videos: int) -> dict:
    """Listing and planning a cohort of which all but N_NEW are done."""
    from ah_ray.cohort import State, committed_names, open_cohort, plan

    bucket = InventedBucket(n_videos, n_videos - N_NEW, fingerprint())
    s3.call = bucket.call

    def action():
        cohort = open_cohort(SETTINGS["videos"])
        committed = committed_names(SETTINGS["out"])
        return plan(cohort, committed, {}, config_fingerprint=bucket.fingerprint)

    made, figures = measured(action)
    assert made.counts == {State.DONE: n_videos - N_NEW, State.NEW: N_NEW}, made.counts
    return {"planning": figures}


def tables_part(n_videos: int) -> dict:
    """A night's tables: N_NEW new rows, all others taken over; and reading them."""
    from ah_ray.results import tables
    from ah_ray.results.read import read_clips, read_verdicts

    out, n_done = SETTINGS["out"], n_videos - N_NEW
    bucket = _last_night(n_videos, n_done)
    new = list(_new_rows(bucket, n_done))
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(partial(commit, out), new))
    fresh = [storage.join(out, "videos", bucket.row(n)) for n in range(n_done, n_videos)]
    _list_also(fresh)
    before = {name: storage.read_bytes(storage.join(out, name)) for name in TABLES}

    counts, opening = measured(lambda: tables.write_tables(out, bucket.rows()))
    assert (counts.n_missing, counts.n_rows) == (0, n_videos), counts
    for name, content in before.items():
        storage.write_whole(storage.join(out, name), content)
    del before
    with Spool() as spool:
        spool.add(pa.Table.from_pylist(new, schema=VERDICT))
        counts, writing = measured(lambda: tables.write_tables(out, bucket.rows(), spool))
    assert (counts.n_missing, counts.n_rows) == (0, n_videos), counts
    verdicts, reading = measured(lambda: read_verdicts(out))
    assert verdicts.num_rows == n_videos
    del verdicts
    clips, timelines = measured(lambda: read_clips(out, ["video_id", "p_ah"]))
    assert clips.num_rows > 5 * n_videos
    return {
        "writing both tables": writing,
        "the same, where no run has kept its new rows": opening,
        "reading verdicts": reading,
        "reading clips": timelines,
    }


def _new_rows(bucket: InventedBucket, first: int) -> Iterator[dict]:
    like = row("x", [0.3] * CLIPS_EACH) | {"config_fingerprint": bucket.fingerprint}
    for n in range(first, bucket.n_videos):
        yield like | {"video_id": bucket.row(n).rpartition("-")[0], "etag": bucket.etag(n)}


def _list_also(uris: Sequence[str]) -> None:
    """From here on listings of rows hold these too, as they are."""
    listing, entries = storage.list_pages, [storage.stat(uri) for uri in sorted(uris)]

    def pages(prefix: str) -> Iterator[list[storage.Entry]]:
        yield from listing(prefix)
        if prefix.endswith("/videos"):
            yield entries

    storage.list_pages = pages


def _last_night(n_videos: int, n_done: int) -> InventedBucket:
    bucket = InventedBucket(n_videos, n_done, fingerprint())
    with tempfile.TemporaryDirectory() as folder:
        claim(SETTINGS["out"], resolved().scoring, Reduction())
        bucket.write_tables(Path(folder), row("x", [0.3] * 6, error=""))
        for path in Path(folder).iterdir():
            storage.write_file(storage.join(SETTINGS["out"], path.name), path)
    s3.call = bucket.call
    return bucket


def idle_part(n_videos: int) -> dict:
    """A whole run on a night on which nothing is pending: all the CPU of its process."""
    from rich.console import Console

    from ah_ray.pipeline.run import score

    _last_night(n_videos, n_videos)
    before = sum(os.times()[:2])
    outcome, figures = measured(lambda: score(score_settings(**SETTINGS), Console(quiet=True)))
    assert (outcome.summary.videos_done, int(outcome.summary.exit_status)) == (0, 0)
    figures["cpu_s"] = round(sum(os.times()[:2]) - before, 2)
    return {"a run with nothing pending": figures}


class Commit:
    """Writes a row below a local folder: a bucket of moto would be the slower side."""

    def __init__(self, out: str):
        self._out = out
        self._how = {
            "reduction": Reduction(),
            "scoring": resolved().scoring,
            "provenance": Provenance(run_id="r", ah_ray_version="0", ffmpeg_version="0"),
        }

    def __call__(self, video: Scored) -> dict:
        made = verdict_row(video, **self._how)
        commit(self._out, made)
        return made


def reduce_part(n_videos: int) -> dict:
    """Reducers under load: SCORES tables of 64 clips, as replicas send them; a row per video."""
    import ray
    from rich.console import Console

    from ah_ray.pipeline import blocks
    from ah_ray.pipeline.passes import PassResult, ReducerPool
    from ah_ray.pipeline.progress import Progress
    from ah_ray.pipeline.stages import Stages
    from ah_ray.pipeline.tally import Tally

    n_videos = min(n_videos, 4_000)
    environment = {"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path[:3])}}
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False,
             logging_level=logging.ERROR, runtime_env=environment)  # fmt: skip
    with tempfile.TemporaryDirectory(dir="/dev/shm") as out, Spool() as spool:  # a disk would wait
        stages = Stages(decode=None, replicas=(), pools=None, commit=Commit(out), n_reducers=2)
        result, tally = PassResult(), Tally(total=n_videos)
        pool = ReducerPool(stages, result, Progress(Console(quiet=True), tally), spool)
        sent = list(_score_tables(n_videos, blocks))
        pool.send(sent[0].slice(0, 0))
        ray.get([reducer.add.remote(sent[0].slice(0, 1)) for reducer in pool._reducers])  # are up

        def action() -> None:
            for table in sent:
                pool.send(table)
            pool._collect(until=0)

        _, figures = measured(action)
        pool.flush()
    n_clips = n_videos * CLIPS_EACH
    assert len(result.committed) == n_videos, (len(result.committed), n_videos)
    return {"reducing": figures | {"clips_per_s": round(n_clips / figures["wall_s"])}}


def _score_tables(n_videos: int, blocks) -> Iterator[pa.Table]:
    """Clips of several videos side by side, as they come from replicas."""
    frames = []
    for n in range(n_videos):
        video = scored(f"{n:016x}", [0.3] * CLIPS_EACH)
        for clip in video.clips:
            bare = Clip(
                clip_index=clip.clip_index, start_s=clip.start_s, end_s=clip.end_s, frames=None,
                samples=None,
            )  # fmt: skip
            frames.append((blocks.clip_frames(video.video, bare), clip))
        frames.append((blocks.video_frames(video.video, video.facts), None))
    for start in range(0, len(frames), 64):
        tables, clips = zip(*frames[start : start + 64], strict=True)
        scores = [clip for clip in clips if clip is not None]
        yield blocks.scores_table(pa.concat_tables(tables), scores)


PARTS = {"plan": plan_part, "tables": tables_part, "idle": idle_part, "reduce": reduce_part}


@contextmanager
def bucket_server() -> Iterator[dict[str, str]]:
    """moto's server with the bucket `study`; what a process needs to know of it."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, server)
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        }  # fmt: skip
        client = boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"],
                              aws_access_key_id="test", aws_secret_access_key="test",
                              region_name="us-east-1")  # fmt: skip
        client.create_bucket(Bucket="study")
        yield environment
    finally:
        server.terminate()
        server.wait(timeout=10)


def run_part(name: str, n_videos: int) -> dict:
    """In a process, and with a bucket, of its own."""
    with bucket_server() as environment:
        done = subprocess.run(
            [sys.executable, __file__, "--part", name, "--videos", str(n_videos)],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def print_measured(n_videos: int) -> None:
    print(f"{n_videos:,} videos, {N_NEW:,} of them new; the run with nothing pending has "
          f"{min(n_videos, 100_000):,}.\n")  # fmt: skip
    print("| step | wall s | CPU s | peak MB | |\n| --- | ---: | ---: | ---: | --- |")
    for name in PARTS:
        size = min(n_videos, 100_000) if name == "idle" else n_videos
        for step, figures in run_part(name, size).items():
            rate = f"{figures['clips_per_s']:,} clips/s" if "clips_per_s" in figures else ""
            print(f"| {step} | {figures['wall_s']:.1f} | {figures['cpu_s']:.1f} | "
                  f"{figures['peak_mb']:,} | {rate} |", flush=True)  # fmt: skip


def print_model(constants: Constants, within_h: float) -> None:
    c = constants
    print(f"At {c.clips_per_gpu_s:g} clips/s a GPU, {c.decode_cpu_s_per_min:g} CPU-s to decode a "
          f"minute, {c.gpu_hour:g} a GPU hour and {c.core_hour:g} a core hour; recordings of "
          f"{c.video_s:g} s; as many GPUs as it takes for {within_h:g} hours.\n")  # fmt: skip
    print("| hours of video | videos | clips | GPUs | cores | wall h | GPU h | core h | planning "
          "min | tables min | dollars | storage, $ a month |")  # fmt: skip
    print("| ---: " * 12 + "|")
    for hours in HOURS:
        gpus = gpus_for(hours, within_h, c)
        if not gpus:
            print(f"| {hours:,} | no number of GPUs does it in {within_h:g} h |" + " |" * 10)
            continue
        e = estimate(hours, gpus, c)
        cells = (
            f"{hours:,}", f"{e.videos:,.0f}", f"{e.clips:,.0f}", f"{e.gpus:,}", f"{e.cores:,}",
            f"{e.wall_h:.1f}", f"{e.gpu_h:,.0f}", f"{e.core_h:,.0f}", f"{e.plan_min:.1f}",
            f"{e.tables_min:.1f}", f"{e.dollars:,.0f}", f"{e.storage_dollars_month:,.0f}",
        )  # fmt: skip
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=1_000_000)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--model", action="store_true", help="only the table of costs")
    parser.add_argument("--within-h", type=float, default=8.0, help="a cohort at once: a night")
    for constant in fields(Constants):
        parser.add_argument(f"--{constant.name.replace('_', '-')}", type=float,
                            default=constant.default)  # fmt: skip
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(PARTS[arguments.part](arguments.videos)))
        return
    if not arguments.model:
        print_measured(arguments.videos)
        print()
    print_model(
        Constants(**{c.name: getattr(arguments, c.name) for c in fields(Constants)}),
        arguments.within_h,
    )


if __name__ == "__main__":
    main()
