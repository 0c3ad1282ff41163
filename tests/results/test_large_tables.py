"""The tables of a large cohort: time and memory. The listing is invented at the page level."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

NIGHT = '''
import json, sys, time
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray import cohort, storage
from ah_ray.records import CLIPS, VERDICTS
from ah_ray.results import tables
from ah_ray.results.commit import commit
from ah_ray.results.read import read_clips, read_verdicts
from ah_ray.results.table_files import CLIPS_FILE, VERDICTS_FILE, Marks
from invented_rows import name_of, row, scoring

out, n_old, n_new, clips_each = sys.argv[1], *map(int, sys.argv[2:5])
OLD = datetime(2026, 1, 1, tzinfo=UTC)
print_of = scoring().fingerprint
video_id = lambda n: f"{n:016x}"
etag = lambda n: f"{n * 7919:032x}"


def write_last_night():
    """Both tables, of n_old videos, as the run before left them."""
    like = {k: v for k, v in row("x", [0.1]).items() if k != "clips"}
    metadata = Marks(writing="w", newest_row=OLD).metadata()
    rng = np.random.default_rng(0)
    files = [pq.ParquetWriter(f"{out}/{name}", schema.with_metadata(metadata), compression="zstd")
             for name, schema in ((VERDICTS_FILE, VERDICTS), (CLIPS_FILE, CLIPS))]
    for start in range(0, n_old, 50_000):
        here = range(start, min(n_old, start + 50_000))
        columns = {f.name: pa.repeat(pa.scalar(like[f.name], f.type), len(here)) for f in VERDICTS}
        columns["video_id"] = pa.array(map(video_id, here))
        columns["etag"] = pa.array(map(etag, here))
        columns["uri"] = pa.array([f"s3://study/cohort/{n:08d} visit.mp4" for n in here])
        columns["p_ah"] = pa.array(rng.random(len(here)))
        failed = np.arange(len(here)) % 50 == 0
        columns["status"] = pa.array(np.where(failed, "failed", "ok"), pa.string())
        columns["error_kind"] = pa.array(["timeout" if f else None for f in failed], pa.string())
        columns["n_clips"] = pa.repeat(pa.scalar(clips_each, pa.int32()), len(here))
        files[0].write_table(pa.table(columns, schema=VERDICTS))
        n = len(here) * clips_each
        index = np.tile(np.arange(clips_each, dtype=np.int32), len(here))
        clips = {f.name: pa.nulls(n, f.type) for f in CLIPS} | {
            "video_id": pa.array(np.repeat(columns["video_id"], clips_each), pa.string()),
            "clip_index": pa.array(index), "start_s": pa.array(index * 5.0),
            "end_s": pa.array(index * 5.0 + 5), "p_ah": pa.array(rng.random(n)),
        }
        files[1].write_table(pa.table(clips, schema=CLIPS))
    for file in files:
        file.close()


def names():
    return (cohort.row_name(video_id(n), etag(n), print_of) for n in range(n_old + n_new))


listing = storage.list_pages


def pages(prefix):
    if not prefix.endswith("/videos"):
        yield from listing(prefix)
        return
    page = []
    for n, name in enumerate(names()):
        page.append(storage.Entry(uri=f"{prefix}/{name}", key=name, size_bytes=1, etag="e",
                                  last_modified=OLD - timedelta(days=1) if n < n_old
                                  else OLD + timedelta(days=1)))
        if len(page) == 1000:
            yield page
            page = []
    yield page


def peak_kb():  # of this program: ru_maxrss would count the process that started it too
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1])


def measured(action):
    began, cpu = time.monotonic(), time.process_time()
    result = action()
    return result, {"wall_s": round(time.monotonic() - began, 1),
                    "cpu_s": round(time.process_time() - cpu, 1),
                    "peak_mb": peak_kb() // 1000}


write_last_night()
for n in range(n_old, n_old + n_new):
    commit(out, row(video_id(n), [0.3] * clips_each, etag=etag(n)), stale=())
found = {"before": measured(lambda: None)[1]}
storage.list_pages = pages
counts, found["write"] = measured(lambda: tables.write_tables(out, names()))
assert (counts.n_missing, counts.n_failed) == (0, -(-n_old // 50)), counts
table, found["read_verdicts"] = measured(lambda: read_verdicts(out))
assert table.num_rows == n_old + n_new
assert table["video_id"].to_pylist() == sorted(table["video_id"].to_pylist())
table, found["read_clips"] = measured(lambda: read_clips(out, ["video_id", "p_ah"]))
assert table.num_rows == (n_old + n_new) * clips_each
print(json.dumps(found))
'''


def night(out, n_old, n_new, clips_each=6):
    """A night of n_new videos after n_old: seconds and peak memory of each step."""
    arguments = [str(out), str(n_old), str(n_new), str(clips_each)]
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(TESTS)!r})\n{NIGHT}"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_hundred_thousand(tmp_path):
    found = night(tmp_path, 100_000, 200)
    assert found["write"]["cpu_s"] < 15, found
    assert found["write"]["peak_mb"] < 1_000, found
    assert found["read_verdicts"]["cpu_s"] < 5, found


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_a_million(tmp_path):
    found = night(tmp_path, 1_000_000, 2_000)
    print(json.dumps(found, indent=1))
    assert found["write"]["cpu_s"] < 120, found
    assert found["write"]["peak_mb"] < 1_500, found
    assert found["read_verdicts"]["cpu_s"] < 30, found
