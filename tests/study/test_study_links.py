"""Names of recordings as URLs: all characters stay part of the path."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.errors import ConfigError
from ah_ray.study.links import recording_url

PATHS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40
)


@given(PATHS)
def test_a_local_name_comes_back_as_it_was(name):
    made = urlsplit(recording_url("/cohort/" + name))
    assert (made.scheme, made.netloc, made.query, made.fragment) == ("file", "", "", "")
    assert unquote(made.path) == "/cohort/" + name


@given(PATHS)
def test_a_key_comes_back_as_it_was(key):
    made = urlsplit(recording_url("s3://study/" + key))
    assert (made.scheme, made.netloc, made.query, made.fragment) == ("s3", "study", "", "")
    assert unquote(made.path) == "/" + key


@given(PATHS)
def test_nothing_in_a_link_can_end_an_attribute_or_an_element(name):
    assert not set(recording_url("/" + name)) & set('"<>&#? \u2028')


@pytest.mark.parametrize("uri", ["javascript://x/%0aalert(1)", "data://text/html,x"])
def test_what_is_no_store_is_no_link(uri):
    with pytest.raises(ConfigError):
        recording_url(uri)


def test_what_only_looks_like_a_script_is_a_path():
    assert recording_url("javascript:alert(1)") == "file://javascript:alert(1)"
