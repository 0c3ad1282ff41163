import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_rows import from_manifest, name_of, row

from ah_ray import cohort, storage
from ah_ray.errors import ConfigError, ErrorKind, OutputBusy, StorageError
from ah_ray.output import tables
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.output.row_files import commit_row
from ah_ray.output.stream import stream_rows
from ah_ray.output.table_files import CLIPS_FILE, VERDICTS_FILE
from ah_ray.output.tables import write_tables
from ah_ray.records import CLIPS, FROM_MANIFEST, VERDICTS
from ah_ray.results.failures import read_failures

VIDEOS = {
    "b": [0.1, 0.7, 0.2],
    "a.b": [0.1, ErrorKind.DECODE],
    "a-b": ErrorKind.UNREADABLE,
    "a": [ErrorKind.SCORING],
    "C": [0.4],
}


SCHEMAS = {VERDICTS_FILE: VERDICTS, CLIPS_FILE: CLIPS}


def put(out, rows):
    return [commit_row(str(out), made, stale=()) for made in rows]


def rows_of(videos, **fields):
    return [row(video_id, p_ah, **fields) for video_id, p_ah in videos.items()]


def both(out):
    return read_verdicts(str(out)), read_clips(str(out))


def backdate(out, seconds):
    """As if all rows so far had been written earlier."""
    for path in (out / "videos").iterdir():
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))


def test_both_tables(tmp_path):
    counts = write_tables(str(tmp_path), put(tmp_path, rows_of(VIDEOS)))
    verdicts, clips = both(tmp_path)
    assert (verdicts.schema, clips.schema) == (VERDICTS, CLIPS)
    assert verdicts["video_id"].to_pylist() == sorted(VIDEOS) == ["C", "a", "a-b", "a.b", "b"]
    assert verdicts["status"].to_pylist() == ["ok", "failed", "failed", "partial", "ok"]
    assert clips["video_id"].to_pylist() == ["C", "a", "a.b", "a.b", "b", "b", "b"]
    assert clips["clip_index"].to_pylist() == [0, 0, 0, 1, 0, 1, 2]
    assert clips["p_ah"].to_pylist() == [0.4, None, 0.1, None, 0.1, 0.7, 0.2]
    assert (counts.n_videos, counts.n_rows, counts.n_clips, counts.n_missing) == (5, 5, 7, 0)
    assert counts.by_status == {"ok": 2, "partial": 1, "failed": 2}
    assert counts.failed_by_kind == {"unreadable": 1, "scoring": 1}
    assert counts.partial_by_kind == {"decode": 1}
    assert counts.duration_s == 5 * 7


def test_types_are_kept_where_all_is_null(tmp_path):
    write_tables(str(tmp_path), put(tmp_path, [row("v", ErrorKind.MISSING, etag=None)]))
    verdicts, clips = both(tmp_path)
    assert verdicts.schema == VERDICTS
    assert clips.schema == CLIPS
    assert clips.num_rows == 0


def test_nothing_at_all(tmp_path):
    counts = write_tables(str(tmp_path), ["v-01234567.parquet"])
    assert (counts.n_rows, counts.n_missing) == (0, 1)
    assert both(tmp_path)[0].schema == VERDICTS


def test_incremental_is_as_from_scratch(tmp_path):
    old = rows_of(VIDEOS)
    write_tables(str(tmp_path), put(tmp_path, old))
    changed = rows_of({"b": [0.9], "C": ErrorKind.CRASH}, etag="etag-2", run_id="run-2")
    new = rows_of({"Z": [0.3], "ab": [0.6] * 3}, run_id="run-2")
    now = changed + new + [made for made in old if made["video_id"] in ("a", "a.b")]  # a-b left
    put(tmp_path, changed + new)
    counts = write_tables(str(tmp_path), map(name_of, now))
    found = both(tmp_path)

    scratch = tmp_path / "scratch"
    assert write_tables(str(scratch), put(scratch, now)) == counts
    assert counts.n_removed == 1
    assert found == both(scratch)
    assert found[0]["video_id"].to_pylist() == ["C", "Z", "a", "a.b", "ab", "b"]


def test_old_rows_are_not_opened_again(tmp_path, monkeypatch):
    names = put(tmp_path, rows_of(VIDEOS))
    names += put(tmp_path, rows_of({"new": [0.1]}))
    write_tables(str(tmp_path), names)
    before = both(tmp_path)
    opened = []
    reading = tables.read_row_files
    monkeypatch.setattr(
        tables, "read_row_files", lambda out, names: opened.extend(names) or reading(out, names)
    )
    write_tables(str(tmp_path), names)
    assert both(tmp_path) == before
    assert opened == []
    names[-1:] = put(tmp_path, rows_of({"new": [0.2]}))
    write_tables(str(tmp_path), names)
    assert opened == names[-1:]


def test_a_row_rewritten_under_the_same_name_is_seen(tmp_path):
    names = put(tmp_path, rows_of({"v": ErrorKind.TIMEOUT, "w": [0.2]}))
    write_tables(str(tmp_path), names)
    put(tmp_path, [row("v", [0.8], attempts=1)])
    write_tables(str(tmp_path), names)
    assert both(tmp_path)[0]["p_ah"].to_pylist() == [0.8, 0.2]
    assert both(tmp_path)[1]["p_ah"].to_pylist() == [0.8, 0.2]


def test_a_video_that_left_and_came_back(tmp_path):
    names = put(tmp_path, rows_of(VIDEOS))
    backdate(tmp_path, 100)
    write_tables(str(tmp_path), names)
    before = both(tmp_path)
    write_tables(str(tmp_path), names[1:])
    assert "b" not in both(tmp_path)[0]["video_id"].to_pylist()
    assert "b" not in both(tmp_path)[1]["video_id"].to_pylist()
    write_tables(str(tmp_path), names)
    assert both(tmp_path) == before


@pytest.mark.parametrize("lost", [VERDICTS_FILE, CLIPS_FILE])
def test_killed_between_the_two_writes(tmp_path, lost):
    """Then one table is of the run before; neither is believed."""
    names = put(tmp_path, rows_of(VIDEOS))
    backdate(tmp_path, 100)
    write_tables(str(tmp_path), names[:2])
    older = (tmp_path / lost).read_bytes()
    write_tables(str(tmp_path), names)
    before = both(tmp_path)
    (tmp_path / lost).write_bytes(older)
    write_tables(str(tmp_path), names)
    assert both(tmp_path) == before


@pytest.mark.parametrize("damage", ["cut", "page"])
@pytest.mark.parametrize("name", [VERDICTS_FILE, CLIPS_FILE])
def test_a_damaged_table_is_written_again(tmp_path, name, damage):
    names = put(tmp_path, rows_of(VIDEOS))
    backdate(tmp_path, 100)
    write_tables(str(tmp_path), names)
    before = both(tmp_path)
    failures = read_failures(str(tmp_path), cohort.committed_names(str(tmp_path)))
    content = bytearray((tmp_path / name).read_bytes())
    ids = (
        pq.read_metadata(tmp_path / name)
        .row_group(0)
        .column(SCHEMAS[name].get_field_index("video_id"))
    )
    content[ids.dictionary_page_offset + ids.total_compressed_size - 1] ^= 255  # in its last page
    (tmp_path / name).write_bytes(content if damage == "page" else content[:-100])
    read = read_verdicts if name == VERDICTS_FILE else read_clips
    with pytest.raises(ConfigError, match=r"is damaged .*next run of score.py writes it again"):
        read(str(tmp_path))
    assert read_failures(str(tmp_path), cohort.committed_names(str(tmp_path))) == failures
    write_tables(str(tmp_path), names)
    assert both(tmp_path) == before


def test_a_row_file_that_is_none_counts_as_missing(tmp_path):
    names = put(tmp_path, rows_of(VIDEOS))
    (tmp_path / "videos" / names[0]).write_bytes(b"")
    counts = write_tables(str(tmp_path), names)
    assert (counts.n_rows, counts.n_missing) == (4, 1)
    failures = read_failures(str(tmp_path), cohort.committed_names(str(tmp_path)))
    assert failures[names[0]] == (ErrorKind.CRASH, 0)  # so that it is scored again


def test_a_row_file_that_holds_another_row_is_ignored_and_told(tmp_path):
    names = put(tmp_path, rows_of(VIDEOS))
    write_tables(str(tmp_path), names)
    folder = tmp_path / "videos"
    (folder / names[0]).write_bytes((folder / names[1]).read_bytes())
    (folder / "b-01234567.parquet").write_bytes((folder / names[0]).read_bytes())
    counts = write_tables(str(tmp_path), names)
    assert (counts.n_rows, counts.n_missing) == (4, 1)
    assert "b" not in both(tmp_path)[0]["video_id"].to_pylist()
    said = []
    failures = read_failures(str(tmp_path), cohort.committed_names(str(tmp_path)), said.append)
    assert failures[names[0]] == (ErrorKind.CRASH, 0)
    assert len(said) == 1 and said[0].startswith("2 files in ") and "cannot be used" in said[0]


def test_a_link_loop_in_place_of_the_rows_is_an_error(tmp_path):
    (tmp_path / "videos").symlink_to("videos")
    with pytest.raises(StorageError, match="Too many levels of symbolic links"):
        cohort.committed_names(str(tmp_path))


def test_across_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "GROUP_ROWS", 7)
    videos = {f"v{n:03d}": [n / 100] * (n % 4) or ErrorKind.NO_VIDEO for n in range(60)}
    rows = rows_of(videos)
    names = put(tmp_path, rows[::2])
    backdate(tmp_path, 100)
    write_tables(str(tmp_path), names)
    names += put(tmp_path, rows[1::2])
    counts = write_tables(str(tmp_path), names[3:])
    verdicts, clips = both(tmp_path)
    expected = sorted({made["video_id"] for made in rows} - {"v000", "v002", "v004"})
    assert verdicts["video_id"].to_pylist() == expected
    assert clips["video_id"].to_pylist() == [v for v in expected for _ in range(int(v[1:]) % 4)]
    assert pc.sum(verdicts["n_clips"]).as_py() == clips.num_rows == counts.n_clips


@settings(max_examples=12)
@given(st.data())
def test_any_history_ends_as_from_scratch(tmp_path_factory, data):
    """Nights on which videos come, change, go, come back and are retried, in any order."""
    out = tmp_path_factory.mktemp("out")
    (out / "videos").mkdir()
    content = st.sampled_from([[0.2], [0.7, 0.1], ErrorKind.TIMEOUT, [ErrorKind.DECODE, 0.4]])
    nights = data.draw(
        st.lists(
            st.dictionaries(st.sampled_from("abcdef"), st.tuples(content, st.integers(1, 2))),
            min_size=1,
            max_size=4,
        )
    )
    before: set[str] = set()
    for night in nights:
        now = [row(v, p_ah, etag=f"etag-{n}") for v, (p_ah, n) in night.items()]
        counts = write_tables(str(out), put(out, now))
        assert counts.n_removed == len(before - night.keys())
        before = set(night)
        backdate(out, 10)
    scratch = tmp_path_factory.mktemp("scratch")
    assert write_tables(str(scratch), put(scratch, now)) == counts
    assert both(out) == both(scratch)


def test_on_s3(bucket):
    out = f"s3://{bucket}/out"
    names = put(out, rows_of(VIDEOS))
    assert write_tables(out, names).n_rows == 5
    put(out, [row("b", [0.9], attempts=1)])  # within the same second, as S3 tells it
    write_tables(out, names[:3])
    assert read_verdicts(out, ["video_id", "p_ah"]).to_pylist() == [
        {"video_id": "a-b", "p_ah": None},
        {"video_id": "a.b", "p_ah": 0.1},
        {"video_id": "b", "p_ah": 0.9},
    ]
    assert read_failures(out, cohort.committed_names(out)).keys() == {names[2], names[3]}


class TestKnownFailures:
    def failures_in(self, out):
        return read_failures(str(out), cohort.committed_names(str(out)))

    def test_without_tables(self, tmp_path):
        names = put(tmp_path, rows_of(VIDEOS, attempts=1))
        assert self.failures_in(tmp_path) == {
            names[2]: (ErrorKind.UNREADABLE, 2),
            names[3]: (ErrorKind.SCORING, 2),
        }

    def test_nothing_there(self, tmp_path):
        assert self.failures_in(tmp_path) == {}

    def test_what_the_table_calls_scored_is_not_opened(self, tmp_path):
        names = put(tmp_path, rows_of(VIDEOS))
        write_tables(str(tmp_path), names)
        before = self.failures_in(tmp_path)
        for name in (names[0], names[1], names[4]):
            (tmp_path / "videos" / name).write_bytes(b"never read")
        assert self.failures_in(tmp_path) == before

    def test_what_was_retried_after_the_table_was_written(self, tmp_path):
        names = put(tmp_path, rows_of({"v": ErrorKind.TIMEOUT, "w": ErrorKind.TIMEOUT}))
        write_tables(str(tmp_path), names)
        put(tmp_path, [row("v", [0.3], attempts=1), row("w", ErrorKind.CRASH, attempts=1)])
        assert self.failures_in(tmp_path) == {names[1]: (ErrorKind.CRASH, 2)}


def test_newer_tables_are_not_overwritten(tmp_path, monkeypatch):
    names = put(tmp_path, rows_of(VIDEOS))
    monkeypatch.setattr("ah_ray.output.table_files.SCHEMA_VERSION", 99)
    write_tables(str(tmp_path), names)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match=r"schema version 99.*upgrade ah_ray"):
        write_tables(str(tmp_path), names)


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_a_row_rewritten_by_a_host_with_another_clock_is_seen(tmp_path, days):
    names = put(tmp_path, rows_of({"v": ErrorKind.TIMEOUT, "w": [0.2]}))
    write_tables(str(tmp_path), names)
    put(tmp_path, [row("v", [0.8], attempts=1)])
    backdate(tmp_path, -days * 86_400)
    write_tables(str(tmp_path), names)
    assert both(tmp_path)[0]["p_ah"].to_pylist() == [0.8, 0.2]
    put(tmp_path, [row("w", [0.9], attempts=1)])  # by a clock that is right again
    write_tables(str(tmp_path), names)
    assert both(tmp_path)[0]["p_ah"].to_pylist() == [0.8, 0.9]


def test_tables_of_an_older_version_are_taken_for_what_they_are(tmp_path):
    """They say nothing of the rows' versions, so each row is opened once."""
    names = put(tmp_path, rows_of(VIDEOS))
    write_tables(str(tmp_path), names)
    before = both(tmp_path)
    old = pq.read_table(tmp_path / VERDICTS_FILE)
    pq.write_table(old, tmp_path / VERDICTS_FILE)  # keeps the marks of the schema, not the footer's
    put(tmp_path, [row("b", [0.9], attempts=1)])
    write_tables(str(tmp_path), names)
    assert both(tmp_path)[0]["p_ah"].to_pylist()[-1] == 0.9
    assert both(tmp_path)[0]["video_id"] == before[0]["video_id"]


def test_a_table_that_storage_took_and_lost_is_noticed(bucket, proxy, s3_client):
    out = f"s3://{bucket}/out"
    names = put(out, rows_of(VIDEOS))
    write_tables(out, names)

    def rule(method: str, path: str, _count: int) -> object:
        return "forgotten" if method == "PUT" and path.endswith(VERDICTS_FILE) else None

    proxy.rule = rule
    with pytest.raises(StorageError, match=r"verdicts\.parquet is not the table that storage has"):
        write_tables(out, names)


def test_a_full_temporary_disk_is_one_sentence(tmp_path, monkeypatch):
    names = put(tmp_path, rows_of(VIDEOS))

    def full(*_arguments, **_settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ah_ray.output.tables.tempfile.TemporaryFile", full)
    with pytest.raises(StorageError, match=r"are made in .*, which failed: No space left .*TMPDIR"):
        write_tables(str(tmp_path), names)


def test_a_temporary_disk_that_is_really_full_is_one_sentence(tmp_path, full_disk, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(full_disk))
    out = str(tmp_path / "out")
    names = put(out, rows_of(VIDEOS))
    with pytest.raises(StorageError, match=r"are made in .*, which failed: No space left .*TMPDIR"):
        write_tables(out, names)
    assert not storage.exists(f"{out}/{VERDICTS_FILE}")


@pytest.mark.parametrize("place", ["local", "s3"])
@pytest.mark.parametrize("name", [VERDICTS_FILE, CLIPS_FILE])
def test_the_table_of_a_run_that_took_over_is_not_written_over(
    place, name, tmp_path, request, monkeypatch
):
    """The run was stopped between its last look at the lease and the write."""
    out = str(tmp_path) if place == "local" else f"s3://{request.getfixturevalue('bucket')}/out"
    names = put(out, rows_of(VIDEOS))
    write_tables(out, names)
    replace_file, stalled = storage.replace_file, []

    def stall(uri, path, etag):
        if uri.endswith(name) and not stalled:
            stalled.append(uri)
            write_tables(out, names[1:])
        return replace_file(uri, path, etag)

    def confirm():
        if stalled:
            raise OutputBusy("another run has taken it")

    monkeypatch.setattr(storage, "replace_file", stall)
    with pytest.raises(OutputBusy):
        write_tables(out, names, confirm=confirm)
    assert "b" not in both(out)[0]["video_id"].to_pylist()
    assert "b" not in both(out)[1]["video_id"].to_pylist()


def test_the_clock_of_this_machine_does_not_matter(tmp_path):
    names = put(tmp_path, rows_of(VIDEOS))
    future = datetime.now(UTC) + timedelta(days=400)
    for path in (tmp_path / "videos").iterdir():
        os.utime(path, (future.timestamp(), future.timestamp()))
    write_tables(str(tmp_path), names)
    put(tmp_path, [row("Z", [0.1])])
    counts = write_tables(str(tmp_path), [*names, name_of(row("Z", [0.1]))])
    assert counts.n_rows == 6


def test_no_temporary_files_are_left(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    Path(tmp_path / "temporary").mkdir()
    write_tables(str(tmp_path / "out"), put(tmp_path / "out", rows_of(VIDEOS)))
    assert list((tmp_path / "temporary").iterdir()) == []
    assert pq.read_metadata(tmp_path / "out" / VERDICTS_FILE).num_rows == 5


def said_of(**of_videos):
    """What a manifest says: video_id → (participant, site)."""
    return from_manifest(
        {
            video_id: {"participant": who, "groups": site and [("site", site)]}
            for video_id, (who, site) in of_videos.items()
        }
    )


@pytest.mark.parametrize("group_rows", [1, 2, 100])
def test_the_tables_say_what_the_manifest_says_now(tmp_path, monkeypatch, group_rows):
    monkeypatch.setattr(tables, "GROUP_ROWS", group_rows)
    out = str(tmp_path)
    names = put(tmp_path, rows_of({"b": [0.1], "a": [0.2], "c": [0.3], "d": [0.4]}))
    files = {path.name: path.read_bytes() for path in (tmp_path / "videos").iterdir()}
    write_tables(out, names, from_manifest=said_of(c=("P-1", "x"), a=("P-1", None), z=("P-9", "y")))
    found = read_verdicts(out, ["video_id", "participant", "groups", "p_ah"]).to_pylist()
    assert [(one["video_id"], one["participant"], one["p_ah"]) for one in found] == [
        ("a", "P-1", 0.2),
        ("b", None, 0.1),
        ("c", "P-1", 0.3),
        ("d", None, 0.4),
    ]
    assert [one["groups"] for one in found] == [None, None, [("site", "x")], None]
    write_tables(out, names, from_manifest=said_of(b=("P-2", None)))
    assert read_verdicts(out)["participant"].to_pylist() == [None, "P-2", None, None]
    write_tables(out, names)
    assert read_verdicts(out)["participant"].to_pylist() == [None, "P-2", None, None], "kept"
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "videos").iterdir()}


def test_tables_and_rows_of_an_earlier_version_are_read(tmp_path, monkeypatch):
    older = [name for name in VERDICTS.names if name not in FROM_MANIFEST]
    names = put(tmp_path, rows_of({"a": [0.1], "b": [0.2]}))
    write_tables(str(tmp_path), names)
    for path in [tmp_path / VERDICTS_FILE, *(tmp_path / "videos").iterdir()]:
        was = pq.read_table(path)
        kept = [name for name in was.column_names if name in (*older, "clips")]
        pq.write_table(was.select(kept), path)
    assert [found["participant"] for found in stream_rows(str(tmp_path))] == [None, None]
    write_tables(str(tmp_path), names, from_manifest=said_of(a=("P-1", None)))
    verdicts = read_verdicts(str(tmp_path))
    assert verdicts["participant"].to_pylist() == ["P-1", None]
    assert verdicts["p_ah"].to_pylist() == [0.1, 0.2]
    pq.write_table(pq.read_table(tmp_path / VERDICTS_FILE).drop(["etag"]), tmp_path / VERDICTS_FILE)
    with pytest.raises(ConfigError, match="are not of one run"):
        list(stream_rows(str(tmp_path)))
