import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_rows import make_output, row

from ah_ray.errors import ConfigError, ErrorKind
from ah_ray.output import stream, table_files
from ah_ray.output.row_files import commit_row
from ah_ray.output.stream import align_streams, stream_contents, stream_rows


def test_rows_come_back_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "_BATCH_ROWS", 3)
    monkeypatch.setattr(table_files, "_BATCH_ROWS", 4)
    videos = {f"v{n:02d}": [n / 20] * (n % 5) or ErrorKind.TIMEOUT for n in range(20)}
    rows = make_output(str(tmp_path), videos)
    assert list(stream_rows(str(tmp_path))) == sorted(rows, key=lambda made: made["video_id"])
    assert [content.video_id for content in stream_contents(str(tmp_path))] == sorted(videos)


def test_an_output_without_videos(tmp_path):
    make_output(str(tmp_path), {})
    assert list(stream_rows(str(tmp_path))) == []


@given(st.lists(st.sets(st.text("abAB.-", max_size=3)), min_size=1, max_size=4))
def test_side_by_side(sets):
    found = dict(align_streams([iter(sorted(ids)) for ids in sets], lambda video_id: video_id))
    assert list(found) == sorted(set().union(*sets))
    for video_id, places in found.items():
        assert places == [video_id if video_id in ids else None for ids in sets]


def test_tables_of_two_runs(tmp_path):
    make_output(str(tmp_path), {"a": [0.1]})
    older = (tmp_path / "clips.parquet").read_bytes()
    make_output(str(tmp_path), {"a": [0.1], "b": [0.2]})
    (tmp_path / "clips.parquet").write_bytes(older)
    with pytest.raises(ConfigError, match="not of one run"):
        list(stream_rows(str(tmp_path)))


def test_no_tables(tmp_path):
    commit_row(str(tmp_path), row("v", [0.1]), stale=())
    for read in (stream_rows, stream_contents):
        with pytest.raises(ConfigError, match="no tables yet"):
            list(read(str(tmp_path)))
