"""The steps of a run whose cost grows with the cohort, each measured by itself.

Listings are invented page by page (invented_bucket.py); all above them is the job's own code. S3 is
moto's server, which scale.py starts for each part.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import pyarrow as pa
from invented_bucket import CLIPS_EACH, InventedBucket
from invented_rows import row, scored

from ah_ray import storage
from ah_ray.config import Reduction, score_settings
from ah_ray.output.config import claim_output
from ah_ray.output.row import Provenance, verdict_row
from ah_ray.output.row_files import commit_row
from ah_ray.output.spool import Spool
from ah_ray.output.table_files import CLIPS_FILE, VERDICTS_FILE
from ah_ray.records import VERDICT, Clip, Scored
from ah_ray.storage.s3 import store

N_NEW = 2_000
TABLES = (VERDICTS_FILE, CLIPS_FILE)
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
    """List and plan a cohort in which all but N_NEW videos are done."""
    from ah_ray.cohort import State, committed_names, make_plan, open_cohort

    bucket = InventedBucket(n_videos, n_videos - N_NEW, fingerprint())
    store.send_request = bucket.call

    def action():
        cohort = open_cohort(SETTINGS["videos"])
        committed = committed_names(SETTINGS["out"])
        return make_plan(cohort, committed, {}, config_fingerprint=bucket.fingerprint)

    made, figures = measured(action)
    assert made.counts == {State.DONE: n_videos - N_NEW, State.NEW: N_NEW}, made.counts
    return {"planning": figures}


def tables_part(n_videos: int) -> dict:
    """A night's tables: N_NEW new rows, all others taken over; and reading them."""
    from ah_ray.output import tables
    from ah_ray.output.read import read_clips, read_verdicts

    out, n_done = SETTINGS["out"], n_videos - N_NEW
    bucket = _last_night(n_videos, n_done)
    new = list(_new_rows(bucket, n_done))
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(partial(commit_row, out), new))
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


def first_part(n_videos: int) -> dict:
    """The tables of a first night, after which all rows are new, and kept beside the run."""
    from ah_ray.output import tables

    bucket = InventedBucket(n_videos, n_videos, fingerprint())
    store.send_request = bucket.call
    with Spool() as spool:
        new = _new_rows(bucket, 0)
        while rows := list(islice(new, 1_000)):
            spool.add(pa.Table.from_pylist(rows, schema=VERDICT))
        writing = partial(tables.write_tables, SETTINGS["out"], bucket.rows(), spool)
        counts, figures = measured(writing)
    assert (counts.n_missing, counts.n_rows) == (0, n_videos), counts
    return {"tables of a first night": figures}


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
        claim_output(SETTINGS["out"], resolved().scoring, Reduction())
        bucket.write_tables(Path(folder), row("x", [0.3] * 6, error=""))
        for path in Path(folder).iterdir():
            storage.write_file(storage.join(SETTINGS["out"], path.name), path)
    store.send_request = bucket.call
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
        commit_row(self._out, made)
        return made


def reduce_part(n_videos: int) -> dict:
    """Reducers under load: SCORES tables of 64 clips, as replicas send them; a row per video."""
    import ray
    from rich.console import Console

    from ah_ray.pipeline.actors import blocks
    from ah_ray.pipeline.passes import PassResult, ReducerPool
    from ah_ray.pipeline.reporting.progress import Progress
    from ah_ray.pipeline.reporting.tally import Tally
    from ah_ray.pipeline.stages import Stages

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


PARTS = {"plan": plan_part, "tables": tables_part, "first": first_part, "idle": idle_part,
         "reduce": reduce_part}  # fmt: skip
