import pytest
from invented_rows import make_output, row

from ah_ray.errors import ConfigError
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.output.row_files import commit_row
from ah_ray.records import CLIPS, VERDICTS


def test_tables_and_columns(tmp_path):
    make_output(str(tmp_path), {"a": [0.1, 0.2], "b": [0.9]})
    assert read_verdicts(str(tmp_path)).schema == VERDICTS
    assert read_clips(str(tmp_path)).schema == CLIPS
    assert read_verdicts(str(tmp_path)).schema.metadata is None
    assert read_verdicts(str(tmp_path), ["p_ah", "video_id"]).to_pydict() == {
        "p_ah": [0.2, 0.9],
        "video_id": ["a", "b"],
    }
    assert read_clips(str(tmp_path), columns=["p_ah"]).to_pydict() == {"p_ah": [0.1, 0.2, 0.9]}


def test_single_rows_are_not_opened(tmp_path):
    make_output(str(tmp_path), {"a": [0.1, 0.2]})
    for path in (tmp_path / "videos").iterdir():
        path.unlink()
    assert read_verdicts(str(tmp_path)).num_rows == 1


def test_relative_paths_and_file_urls(tmp_path, monkeypatch):
    make_output(str(tmp_path / "out"), {"a": [0.1]})
    monkeypatch.chdir(tmp_path)
    assert read_verdicts("out") == read_verdicts(f"file://{tmp_path}/out")


@pytest.mark.parametrize("read", [read_verdicts, read_clips])
def test_no_output(tmp_path, read, bucket):
    for place in (str(tmp_path / "none"), str(tmp_path), f"s3://{bucket}/none"):
        with pytest.raises(ConfigError, match="is no output of ah_ray"):
            read(place)


def test_a_run_that_has_not_ended(tmp_path):
    commit_row(str(tmp_path), row("v", [0.1]), stale=())
    with pytest.raises(ConfigError, match=r"no tables yet.*run the same score.py again"):
        read_verdicts(str(tmp_path))


def test_no_such_column(tmp_path):
    make_output(str(tmp_path), {"a": [0.1]})
    with pytest.raises(ConfigError, match=r"no column pah; it has schema_version, video_id"):
        read_verdicts(str(tmp_path), ["video_id", "pah"])


@pytest.mark.parametrize("read", [read_verdicts, read_clips])
def test_a_newer_schema(tmp_path, monkeypatch, read):
    monkeypatch.setattr("ah_ray.output.table_files.SCHEMA_VERSION", 7)
    make_output(str(tmp_path), {"a": [0.1]})
    monkeypatch.undo()
    with pytest.raises(ConfigError, match=r"schema version 7.*upgrade ah_ray"):
        read(str(tmp_path))


def test_on_s3(bucket):
    make_output(f"s3://{bucket}/out", {"a": [0.1], "b": [0.2]})
    assert read_verdicts(f"s3://{bucket}/out")["p_ah"].to_pylist() == [0.1, 0.2]
