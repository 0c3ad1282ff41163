"""The copy of a run's rows, and that tables made from it are those made from the rows' files."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invented_rows import name_of, row

from ah_ray.errors import ErrorKind
from ah_ray.output import spool as spools
from ah_ray.output import tables
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.output.row_files import commit_row
from ah_ray.output.spool import Spool
from ah_ray.output.tables import write_tables
from ah_ray.records import VERDICT

VIDEOS = {"b": [0.1, 0.7], "a": [0.4], "c": ErrorKind.UNREADABLE, "d": [ErrorKind.DECODE, 0.2]}


def table_of(*rows: dict) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=VERDICT)


def put(out: str, rows: list[dict]) -> list[str]:
    for made in rows:
        commit_row(out, made)
    return [name_of(made) for made in rows]


def both(out: str) -> tuple[pa.Table, pa.Table]:
    return read_verdicts(out), read_clips(out)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from(sorted(VIDEOS))))
def test_tables_do_not_depend_on_what_was_kept(tmp_path_factory, kept):
    out = str(tmp_path_factory.mktemp("out"))
    rows = [row(video_id, p_ah) for video_id, p_ah in VIDEOS.items()]
    names = put(out, rows)
    write_tables(out, names)
    expected = both(out)
    with Spool() as spool:
        for made in rows:
            if made["video_id"] in kept:
                spool.add(table_of(made))
        counts = write_tables(out, names, spool)
    assert both(out) == expected
    assert (counts.n_rows, counts.n_failed) == (4, 1)


def test_what_is_kept_is_not_opened(tmp_path, monkeypatch):
    out, rows = str(tmp_path), [row(video_id, p_ah) for video_id, p_ah in VIDEOS.items()]
    names = put(out, rows)
    opened = []
    reading = tables.read_row_files
    monkeypatch.setattr(
        tables, "read_row_files", lambda out, names: opened.extend(names) or reading(out, names)
    )
    with Spool() as spool:
        spool.add(table_of(*rows[:3]))
        write_tables(out, names, spool)
    assert opened == names[3:]


def test_only_rows_that_are_in_out_get_into_its_tables(tmp_path):
    here, gone = row("a", [0.4]), row("b", [0.9])
    names = put(str(tmp_path), [here])
    with Spool() as spool:
        spool.add(table_of(here, gone))
        counts = write_tables(str(tmp_path), [*names, name_of(gone)], spool)
    assert read_verdicts(str(tmp_path))["video_id"].to_pylist() == ["a"]
    assert counts.n_missing == 1


def test_of_a_row_that_came_twice_the_last_counts(tmp_path):
    first, second = row("a", [0.4], run_id="run-1"), row("a", [0.4], run_id="run-2")
    names = put(str(tmp_path), [first, second])
    with Spool() as spool:
        spool.add(table_of(first))
        spool.add(table_of(second))
        write_tables(str(tmp_path), names, spool)
    assert read_verdicts(str(tmp_path))["run_id"].to_pylist() == ["run-2"]


def test_a_full_disk_costs_the_copy_alone(tmp_path, monkeypatch):
    names = put(str(tmp_path), [row("a", [0.4])])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spools.pa.ipc, "new_stream", full)
    with Spool() as spool:
        spool.add(table_of(row("a", [0.4])))
        assert write_tables(str(tmp_path), names, spool).n_rows == 1


@pytest.mark.parametrize("n", [1, 5_000])
def test_a_disk_that_is_really_full_costs_the_copy_alone(tmp_path, full_disk, monkeypatch, n):
    """Whether it is met at a row, at the end of the file, or when that is closed."""
    out = str(tmp_path / "out")
    names = put(out, [row("a", [0.4])])
    monkeypatch.setattr("tempfile.tempdir", str(full_disk))
    with Spool() as spool:
        for _ in range(n):
            spool.add(table_of(row("a", [0.4])))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert write_tables(out, names, spool).n_rows == 1


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Spool() as spool:
        spool.add(table_of(row("a", [0.4])))
        spool.seal()
        assert spool.find([name_of(row("a", [0.4])), "b"])[1] == ["b"]
        assert not list(tmp_path.iterdir()), "not even while it is used: no kill leaves a row"
    assert not list(tmp_path.iterdir())


def test_more_rows_than_one_group_of_the_tables(tmp_path):
    """The spool holds nothing, all, and some of a group."""
    out, n = str(tmp_path), 17_000
    like = table_of(row("x", [0.4], etag="etag-1")).to_pylist()[0]
    rows = [like | {"video_id": f"v{i:05}"} for i in range(n)]
    folder = tmp_path / "videos"
    folder.mkdir()
    for made in rows:
        (folder / name_of(made)).write_bytes(b"")  # read from the spool, never opened
    names = [name_of(made) for made in rows]
    with Spool() as spool:
        spool.add(pa.Table.from_pylist(rows, schema=VERDICT))
        assert write_tables(out, names, spool).n_rows == n
    assert read_verdicts(out).num_rows == n
    late = like | {"video_id": "v99999"}
    (folder / name_of(late)).write_bytes(b"")
    with Spool() as spool:  # holds no row of the first group
        spool.add(table_of(late))
        assert write_tables(out, [*names, name_of(late)], spool).n_rows == n + 1
    assert read_clips(out).num_rows == n + 1
