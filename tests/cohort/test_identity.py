from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.cohort.identity import VIDEO_ID, hash8, row_name, video_id_in, video_id_of

IDS = st.from_regex(VIDEO_ID, fullmatch=True)


def test_an_id_is_the_beginning_of_a_well_known_hash():
    assert video_id_of("a/b c.mp4") == hashlib.sha256(b"a/b c.mp4").hexdigest()[:16]
    assert video_id_of("é.mp4") != video_id_of("e\u0301.mp4")


def test_with_a_key_ids_tell_nothing_to_those_without_it():
    ids = {video_id_of("p01.mp4", key) for key in (None, b"one", b"two")}
    assert len(ids) == 3
    assert video_id_of("p01.mp4", b"one") == video_id_of("p01.mp4", b"one")


def test_rows_of_before_are_found_by_those_after():
    """The names are a contract with outputs that exist: these must never change."""
    assert video_id_of("clips/p01.mp4") == "3f97f0c87ecd7afc"
    assert video_id_of("clips/p01.mp4", b"key") == "4b1808c6d2277299"
    assert row_name("p01", "0123abcd", "fedc") == "p01-347af709.parquet"
    assert row_name("p01", None, "fedc") == "p01-e87ec1d4.parquet"


@given(IDS, st.text(), st.text())
def test_a_row_name_tells_whose_it_is(video_id, etag, fingerprint):
    name = row_name(video_id, etag, fingerprint)
    assert video_id_in(name) == video_id
    assert re.fullmatch(r".*-[0-9a-f]{8}\.parquet", name)


@given(st.text(), st.text(), st.text())
def test_content_and_configuration_do_not_run_into_each_other(a, b, c):
    assert hash8(a + b, c) != hash8(a, b + c) or not b


def test_a_missing_etag_is_as_an_empty_one():
    assert hash8(None, "x") == hash8("", "x")


@pytest.mark.parametrize(
    "name",
    [".tmp-0123456789abcdef", "x.parquet", "x-0123456.parquet", "x-0123456G.parquet",
     "-01234567.parquet", "a b-01234567.parquet", "x-01234567.parquet.tmp", "d/x-01234567.parquet",
     "x-01234567.parquet\n", "é-01234567.parquet", "x" * 65 + "-01234567.parquet"],
)  # fmt: skip
def test_other_names_are_no_rows(name):
    assert video_id_in(name) is None
