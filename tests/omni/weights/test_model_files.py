"""Ranges of files, read in few requests, come back as asked."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.errors import ConfigError
from ah_ray.omni.weights import model_files as folder_module
from ah_ray.omni.weights.model_files import open_folder

CONTENT = bytes(i * 7 % 251 for i in range(3_000))
SPANS = st.lists(
    st.integers(0, 3_000).flatmap(lambda a: st.tuples(st.just(a), st.integers(a, 3_000)))
)


@given(spans=SPANS, gap=st.sampled_from([0, 10, 1_000]))
def test_spans_are_what_was_asked_for(spans: Sequence[tuple[int, int]], gap, tmp_path_factory):
    place: Path = tmp_path_factory.getbasetemp() / "spans"
    place.mkdir(exist_ok=True)
    (place / "a").write_bytes(CONTENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_module, "_GAP_BYTES", gap)
        found = open_folder(place).read_spans("a", spans)
    assert found == [CONTENT[start:stop] for start, stop in spans]


def test_neighbours_come_in_one_request(bucket, s3_client, monkeypatch):
    s3_client.put_object(Bucket=bucket, Key="m/a", Body=CONTENT)
    ranges = []
    read = folder_module.storage.read_range

    def read_and_count(uri, start, stop, *, etag):
        ranges.append((start, stop))
        return read(uri, start, stop, etag=etag)

    monkeypatch.setattr(folder_module.storage, "read_range", read_and_count)
    spans = [(1_000, 1_010), (0, 5), (5, 10)]
    assert open_folder(f"s3://{bucket}/m").read_spans("a", spans) == [
        CONTENT[start:stop] for start, stop in spans
    ]
    assert ranges == [(0, 1_010)]


def test_only_the_files_right_there(bucket, s3_client, tmp_path):
    for key in ("m/config.json", "m/checkpoint-500/optimizer.bin", "model-2/other"):
        s3_client.put_object(Bucket=bucket, Key=key, Body=b"x")
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(b"x")
    assert list(open_folder(f"s3://{bucket}/m").files) == ["config.json"]
    assert list(open_folder(tmp_path / "m").files) == ["config.json"]


def test_a_cohort_is_no_model(filled_bucket, monkeypatch):
    monkeypatch.setattr(folder_module, "_PAGES", 1)
    with pytest.raises(ConfigError, match="thousands of objects; name the model's own folder"):
        open_folder(f"s3://{filled_bucket}")
