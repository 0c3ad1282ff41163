import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from invented_rows import name_of, row

from ah_ray import storage
from ah_ray.errors import ErrorKind
from ah_ray.output.row_files import commit_row, read_row_files
from ah_ray.records import VERDICT


def read(path) -> pa.Table:
    return pq.ParquetFile(path).read()


def names_in(out):
    return sorted(path.name for path in (out / "videos").iterdir())


def test_a_row_is_a_file_with_the_whole_schema(tmp_path):
    name = commit_row(str(tmp_path), row("v", ErrorKind.MISSING, etag=None), stale=())
    assert names_in(tmp_path) == [name]
    found = read(tmp_path / "videos" / name)
    assert found.schema == VERDICT  # the columns that are all null, too
    assert found.num_rows == 1
    assert found["p_ah"].null_count == 1


def test_the_same_content_replaces_its_row(tmp_path):
    first = commit_row(str(tmp_path), row("v", ErrorKind.TIMEOUT), stale=())
    second = commit_row(str(tmp_path), row("v", [0.9], attempts=1), stale=[first])
    assert first == second == name_of(row("v", [0.9]))
    assert read(tmp_path / "videos" / first)["attempts"].to_pylist() == [2]


def test_older_content_goes(tmp_path):
    old = [commit_row(str(tmp_path), row("v", [0.1], etag=f"old-{i}"), stale=()) for i in range(3)]
    other = commit_row(str(tmp_path), row("w", [0.1]), stale=())
    new = commit_row(str(tmp_path), row("v", [0.1], etag="new"), stale=old)
    assert names_in(tmp_path) == sorted([new, other])


def test_on_s3(bucket, s3_client):
    out = f"s3://{bucket}/a b%20#/out"
    old = commit_row(out, row("v", [0.1], etag="old"), stale=())
    new = commit_row(out, row("v", [0.2], etag="new"), stale=[old])
    listed = s3_client.list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == [f"a b%20#/out/videos/{new}"]
    ((name, found),) = read_row_files(out, [new])
    assert name == new
    assert found["p_ah"].to_pylist() == [0.2]


def test_what_is_no_row_reads_as_none(tmp_path):
    good = commit_row(str(tmp_path), row("v", [0.1]), stale=())
    (tmp_path / "videos" / "w-01234567.parquet").write_bytes(b"PAR1 not at all")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "videos" / "x-01234567.parquet")
    names = ["gone-01234567.parquet", good, "w-01234567.parquet", "x-01234567.parquet"]
    found = dict(read_row_files(str(tmp_path), names))
    assert list(found) == names
    assert [row is not None for row in found.values()] == [False, True, False, False]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("video_id", pa.array([b"v"])),
        ("etag", pa.array([b"etag-1"])),
        ("etag", pa.array([["etag-1"]])),
        ("etag", pa.array([7])),
        ("config_fingerprint", pa.array([1.5])),
        ("schema_version", pa.array(["1"])),
        ("schema_version", pa.array([None], pa.null())),
        ("clips", pa.array(["none"])),
    ],
)
def test_a_row_of_odd_types_is_none(tmp_path, column, values):
    name = commit_row(str(tmp_path), row("v", [0.1]))
    path = tmp_path / "videos" / name
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.schema.names.index(column), column, values), path)
    ((_, found),) = read_row_files(str(tmp_path), [name])
    assert found is None


def test_a_bug_of_ours_is_not_taken_for_damage(tmp_path, monkeypatch):
    name = commit_row(str(tmp_path), row("v", [0.1]))

    def wrong(*_: object) -> str:
        raise TypeError("a bug")

    monkeypatch.setattr("ah_ray.output.row_files.row_name", wrong)
    with pytest.raises(TypeError, match="a bug"):
        list(read_row_files(str(tmp_path), [name]))


def test_damage_is_seen(tmp_path):
    """Reading goes on after a hit on any byte; a page that is hit is noticed by its checksum."""
    name = commit_row(str(tmp_path), row("v", [0.1, 0.2]), stale=())
    path = tmp_path / "videos" / name
    whole = path.read_bytes()
    n_pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")  # then comes the footer
    ((_, before),) = read_row_files(str(tmp_path), [name])
    chance = random.Random(0)
    seen = 0
    for _ in range(400):
        at = chance.randrange(len(whole))
        damaged = bytearray(whole)
        damaged[at] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        ((_, found),) = read_row_files(str(tmp_path), [name])
        seen += found is None
        assert at >= n_pages or found is None or found == before, f"byte {at} of {n_pages}"
    assert seen > 100


WRITER = """
import sys
sys.path[:0] = sys.argv[2:]
from ah_ray.output.row_files import commit_row
from invented_rows import row
commit_row(sys.argv[1], row("v", [0.1] * 200), stale=())
print("ready", flush=True)
while True:
    commit_row(sys.argv[1], row("v", [0.1] * 200), stale=())
"""


def test_a_killed_writer_leaves_no_torn_row(tmp_path):
    tests = str(Path(__file__).parents[1])
    path = tmp_path / "videos" / name_of(row("v", [0.1]))
    whole = 0
    for n_round in range(2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), tests], stdout=subprocess.PIPE
        )
        assert writer.stdout.readline() == b"ready\n"
        until, enough = time.monotonic() + 0.15 + 0.03 * n_round, whole + 8
        while time.monotonic() < until or whole < enough:
            whole += _check_whole(path)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        whole += _check_whole(path)
    assert whole > 14
    listed = [entry.key for page in storage.list_pages(str(path.parent)) for entry in page]
    assert path.name in listed


def _check_whole(path) -> int:
    """1 if the row is there, and then it is complete."""
    if not path.exists():
        return 0
    found = read(path)
    assert found.schema == VERDICT
    assert found["n_clips"].to_pylist() == [200]
    return 1
