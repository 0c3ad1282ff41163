from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.errors import ConfigError
from ah_ray.storage import host, join, local_path, normalise, parent
from ah_ray.storage.uri import bucket_and_key

KEYS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/data/a b%20#?.mp4", "/data/a b%20#?.mp4"),
        ("file:///data/100%25.mp4", "/data/100%25.mp4"),
        ("local:///data/x", "/data/x"),
        ("/data/../x/./y//z/", "/x/y/z"),
        ("/data/~user/a::b.mp4", "/data/~user/a::b.mp4"),
        ("s3://bucket", "s3://bucket"),
        ("S3A://bucket/a//b/../%41?x#y", "s3://bucket/a//b/../%41?x#y"),
        ("s3://bucket/zip::http://x", "s3://bucket/zip::http://x"),
        ("s3://bucket/a:b@c?sig=x&token=y.mp4", "s3://bucket/a:b@c?sig=x&token=y.mp4"),
        ("memory://a/b", "memory://a/b"),
        ("gcs://bucket/a//b?x#y", "gs://bucket/a//b?x#y"),
        ("abfs://box/a//b?x#y", "az://box/a//b?x#y"),
        (
            "abfss://box@ME.dfs.core.windows.net/A.dfs.b",
            "az://box@me.blob.core.windows.net/A.dfs.b",
        ),
    ],
)
def test_normalise_changes_the_place_not_the_name(written, meant):
    assert normalise(written) == meant
    assert normalise(meant) == meant


def test_relative_paths_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert normalise("-x/a b.mp4") == f"{tmp_path}/-x/a b.mp4"
    assert normalise("~x.mp4") == f"{tmp_path}/~x.mp4"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("nosuch://x", "no storage is known by nosuch://; use a path, s3://, gs:// or az://"),
        ("simplecache::s3://b/k", "chains URLs"),
        ("zip://a.mp4::s3://b/k.zip", "no storage is known by zip://"),
        ("data://x", "no storage"),
        ("reference://x", "no storage"),
        ("s3://", "names no bucket; write s3://bucket/folder"),
        ("s3:///key", "names no bucket"),
        ("", "empty"),
        ("a\0b", "NUL"),
        ("s3://key:hunter2@bucket/x", "s3://…@bucket/x' holds a password or a signature"),
        ("s3://key:hun/ter2@bucket/x", "holds a password or a signature"),
        ("s3://b/x?X-Amz-Signature=hunter2", "holds a password or a signature"),
        ("https://h/x?password=hunter2", "holds a password or a signature.*and the plain URI here"),
        ("https://h/x#access_token=hunter2", "holds a password or a signature"),
        ("gs://b/x?X-Goog-Signature=hunter2", "holds a password or a signature"),
        ("az://b/x?sv=2024&sig=hunter2", "holds a password or a signature"),
        ("gs:///x", "names no bucket; write gs://bucket/folder"),
        ("abfs://", "names no container; write az://container/folder"),
        ("https://jane:hunter2@host/x.mp4", "give the store's credentials by its environment"),
    ],
)
def test_what_is_no_place_is_reported(written, message):
    with pytest.raises(ConfigError, match=message) as caught:
        normalise(written)
    assert "hunter2" not in str(caught.value)


@given(KEYS)
def test_any_key_is_split_from_its_bucket_as_it_is(key):
    assert bucket_and_key(f"s3://bucket/{key}") == ("bucket", key)


@given(KEYS)
def test_what_is_joined_lies_in_its_folder(name):
    name = name.replace("/", "")
    assert parent(join("s3://bucket/folder/", name)) == "s3://bucket/folder"
    assert parent(join("/", name)) == "/"


def test_a_host_is_what_the_uri_itself_has_asked():
    assert host("HTTPS://Example.org:8443/a/b") == host("https://example.org:8443/c")
    ours = {"s3://b/k@h", "gs://b/k", "az://b/k@h", "/a/b", "file:///a"}
    assert {host(uri) for uri in ours} == {None}
    assert host("abfs://box@me.dfs.core.windows.net/k") == "az://me.blob.core.windows.net"


def test_only_local_uris_have_a_local_path():
    assert local_path("file:///a/b c") == Path("/a/b c")
    assert local_path("s3://bucket/a") is None
