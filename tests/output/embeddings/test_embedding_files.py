"""Embeddings are as current as the rows that they belong to, and go with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_rows import make_output, name_of, row, scored, scoring

import ah_ray
from ah_ray import storage
from ah_ray.config import Ensemble, Reduction
from ah_ray.errors import ConfigError, ErrorKind, LeaseLost
from ah_ray.output.embeddings.files import kept_names, make_table, remove_orphans, write_embeddings
from ah_ray.output.embeddings.read import as_matrix, read_embeddings, stream_embeddings
from ah_ray.output.lease import Lease
from ah_ray.output.lease_guard import LeaseGuard, make_guard
from ah_ray.output.row_files import commit_row, embeddings_folder
from ah_ray.output.tables import write_tables
from ah_ray.records import EMBEDDINGS
from ah_ray.results.purge import purge_videos
from ah_ray.results.reduce import reduce_outputs

D = 6
VIDEOS = {"a": [0.1, 0.9], "b": [0.5, ErrorKind.DECODE, 0.4]}


def vector(video_id: str, index: int) -> np.ndarray:
    seed = [ord(letter) for letter in video_id] + [index]
    return np.random.default_rng(seed).normal(size=D).astype(np.float16)


def keep(out: str, video_id: str, p_ah, **fields) -> dict:
    """Write the embeddings of a video's row, not the row itself; return the row."""
    made = row(video_id, p_ah, **fields)
    clips = [
        replace(clip, embedding=vector(video_id, clip.clip_index).tobytes())
        for clip in scored(video_id, p_ah).clips
        if clip.p_ah is not None
    ]
    write_embeddings(out, made, clips)
    return made


def make(out: str, **fields) -> list[dict]:
    for video_id, p_ah in VIDEOS.items():
        keep(out, video_id, p_ah, **fields)
    return make_output(out, VIDEOS, **fields)


@pytest.fixture
def here(tmp_path) -> str:
    make(str(tmp_path / "out"))
    return str(tmp_path / "out")


def test_each_scored_clip_has_its_embedding(here):
    table = ah_ray.read_embeddings(here)
    assert table.schema == EMBEDDINGS
    assert table["video_id"].to_pylist() == ["a", "a", "b", "b"]
    assert table["clip_index"].to_pylist() == [0, 1, 0, 2]
    assert set(table["config_fingerprint"].to_pylist()) == {scoring().fingerprint}
    expected = [vector("a", 0), vector("a", 1), vector("b", 0), vector("b", 2)]
    np.testing.assert_array_equal(as_matrix(table), np.stack(expected).astype(np.float32))
    assert read_embeddings(here, ["b"])["clip_index"].to_pylist() == [0, 2]


@settings(max_examples=15)
@given(
    st.lists(
        st.lists(st.floats(width=16, allow_nan=False), min_size=3, max_size=3).map(
            lambda numbers: np.array(numbers, np.float16)
        ),
        max_size=5,
    )
)
def test_any_numbers_survive(vectors):
    made = {"video_id": "v", "config_fingerprint": "c"}
    table = make_table(made, list(range(len(vectors))), vectors)
    assert [np.array(one, np.float16).tolist() for one in table["embedding"].to_pylist()] == [
        one.tolist() for one in vectors
    ]


def test_those_of_several_models_are_no_matrix():
    made = {"video_id": "v", "config_fingerprint": "c"}
    table = make_table(made, [0, 1], [np.zeros(3, np.float16), np.zeros(4, np.float16)])
    with pytest.raises(ConfigError, match="several models"):
        as_matrix(table)


def test_an_output_without_any_says_how_to_keep_them(tmp_path):
    out = str(tmp_path / "out")
    with pytest.raises(ConfigError, match="is no output"):
        read_embeddings(out)
    make_output(out, VIDEOS)
    with pytest.raises(ConfigError, match="--keep-embeddings"):
        read_embeddings(out)


def test_what_is_damaged_or_of_another_row_counts_as_missing(here):
    folder = embeddings_folder(here)
    a, b = (storage.join(folder, name_of(row(each, [0.5]))) for each in "ab")
    content = storage.read_bytes(a)
    storage.write_whole(b, content)  # a's, under the name of b's row
    assert read_embeddings(here)["video_id"].to_pylist() == ["a", "a"]
    storage.write_whole(a, content[: len(content) // 2])
    assert read_embeddings(here).num_rows == 0


def test_without_its_row_it_is_none_of_the_output_and_goes_at_the_end(here):
    """A run that was killed between the two writes leaves embeddings alone."""
    keep(here, "c", [0.3])
    assert len(kept_names(here)) == 3
    assert {table["video_id"][0].as_py() for table in stream_embeddings(here)} == {"a", "b"}
    asked = []
    remove_orphans(here, lambda: asked.append(1))
    assert kept_names(here) == {name_of(row(each, [0.5])) for each in "ab"}
    assert asked == [1], "only under the lease is anything removed"
    remove_orphans(here, lambda: asked.append(1))
    assert asked == [1], "there was nothing more to remove"


def test_other_content_takes_them_along(here):
    """A video that is scored again has one row, and the embeddings of that row."""
    old = row("a", VIDEOS["a"])
    new = keep(here, "a", [0.2], etag="etag-2")
    commit_row(here, new, stale=[name_of(old)])
    assert kept_names(here) == {name_of(new), name_of(row("b", [0.5]))}
    write_tables(here, kept_names(here))
    assert read_embeddings(here, ["a"])["clip_index"].to_pylist() == [0]


@pytest.mark.parametrize("store", ["local", "s3"])
def test_a_purge_leaves_none_of_them(store, request, tmp_path):
    s3 = store == "s3"
    out = f"s3://{request.getfixturevalue('bucket')}/out" if s3 else str(tmp_path / "out")
    make(out)
    keep(out, "c", [0.3])  # its row was never written: it is no less a trace
    manifest = tmp_path / "withdrawn.csv"
    manifest.write_text("uri,video_id\n/cohort/a.mp4,a\n/cohort/c.mp4,c\n")
    purge_videos(out, str(manifest))
    assert kept_names(out) == {name_of(row("b", [0.5]))}
    assert read_embeddings(out)["video_id"].to_pylist() == ["b", "b"]


def test_they_hold_no_names(tmp_path):
    out = str(tmp_path / "out")
    make(out, hide_uris=True)
    for page in storage.list_pages(embeddings_folder(out)):
        for entry in page:
            assert b"cohort" not in storage.read_bytes(entry.uri)


def test_who_lost_the_lease_writes_none(here):
    lease = Lease.acquire(here, "run-2")
    guard = make_guard(lease)
    assert isinstance(guard, LeaseGuard)
    lease.release()
    clips = [replace(scored("c", [0.3]).clips[0], embedding=vector("c", 0).tobytes())]
    with pytest.raises(LeaseLost):
        write_embeddings(here, row("c", [0.3]), clips, guard=guard)
    assert len(kept_names(here)) == 2


class TestReduced:
    @staticmethod
    def reduce(inputs: list[str], out: str, **how) -> None:
        reduce_outputs(inputs, out, reduction=Reduction(**how))

    def test_they_go_with_the_rows(self, here, tmp_path):
        out = str(tmp_path / "mean")
        self.reduce([here], out, reducer="mean")
        assert read_embeddings(out) == read_embeddings(here)

    def test_an_ensemble_has_those_of_the_first(self, here, tmp_path):
        other, out = str(tmp_path / "other"), str(tmp_path / "vote")
        make_output(other, VIDEOS, by=scoring("model-b"))
        self.reduce([here, other], out, ensemble=Ensemble.VOTE)
        found = read_embeddings(out)
        assert found["embedding"] == read_embeddings(here)["embedding"]
        verdicts = ah_ray.read_verdicts(out, ["config_fingerprint"])
        assert set(found["config_fingerprint"].to_pylist()) == set(verdicts[0].to_pylist())

    def test_those_that_come_later_are_taken_over(self, tmp_path):
        """The input was scored again to keep them: no row has changed."""
        inputs, out = str(tmp_path / "in"), str(tmp_path / "out")
        make_output(inputs, VIDEOS)
        self.reduce([inputs], out, reducer="mean")
        assert kept_names(out) == set()
        keep(inputs, "a", VIDEOS["a"])
        self.reduce([inputs], out, reducer="mean")
        assert read_embeddings(out)["video_id"].to_pylist() == ["a", "a"]

    def test_those_that_have_gone_go(self, here, tmp_path):
        out = str(tmp_path / "reduced")
        self.reduce([here], out, reducer="mean")
        storage.remove([storage.join(embeddings_folder(here), name_of(row("a", [0.5])))])
        manifest = tmp_path / "withdrawn.csv"
        manifest.write_text("uri,video_id\n/cohort/b.mp4,b\n")
        purge_videos(here, str(manifest))
        self.reduce([here], out, reducer="mean")
        assert kept_names(out) == {name_of(row("b", [0.5]))}, "its row is still there"


def test_pandas_and_others_read_the_files(here):
    import duckdb
    import pandas as pd
    import polars as pl

    frame = pd.read_parquet(embeddings_folder(here))
    assert np.stack(frame.sort_values(["video_id", "clip_index"]).embedding).shape == (4, D)
    files = f"{embeddings_folder(here)}/*.parquet"
    assert len(duckdb.sql(f"SELECT embedding FROM '{files}'").fetchall()) == 4
    assert pl.scan_parquet(files).collect().height == 4
    assert isinstance(read_embeddings(here), pa.Table)
