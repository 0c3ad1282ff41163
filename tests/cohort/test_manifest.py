"""Manifests, good, wrong and hostile; and what storage knows of what they name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ah_ray import storage
from ah_ray.cohort import open_cohort, video_id_of
from ah_ray.cohort.lookup import common_folder
from ah_ray.cohort.manifest import read_manifest
from ah_ray.errors import ConfigError, ErrorKind, StorageError
from ah_ray.storage import join, retry


@pytest.fixture
def csv(tmp_path):
    """Writes a manifest and gives its path."""

    def write(text: str, name: str = "m.csv") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def problems(uri: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_manifest(uri, video_id_of)
    return str(caught.value)


def test_relative_uris_lie_beside_the_manifest(csv, tmp_path):
    odd = ["a b.mp4", "100%20.mp4", "-x#?.mp4", "é/é.mp4", 'say "no", now.mp4']
    for name in odd:
        storage.write_whole(str(tmp_path / name), b"x")
    quoted = ('"' + name.replace('"', '""') + '"' for name in odd)
    cohort = open_cohort(csv("\ufeffuri\r\n" + "\r\n".join(quoted)))
    assert [video.uri for video in cohort] == [f"{tmp_path}/{name}" for name in odd]
    assert [video.video_id for video in cohort] == [video_id_of(name) for name in odd]
    assert {video.problem_kind for video in cohort} == {None}


def test_whole_uris_are_named_by_all_of_it(csv):
    (one,) = read_manifest(csv("uri\ns3://b/x y.mp4\n"), video_id_of)
    assert (one.uri, one.video_id) == ("s3://b/x y.mp4", video_id_of("s3://b/x y.mp4"))


def test_owners_may_name_their_videos(csv):
    uri = csv("video_id,age,uri\nP-01.a_b,33,s3://b/x.mp4\n-x,44,s3://b/y.mp4\n")
    assert [one.video_id for one in read_manifest(uri, video_id_of)] == ["P-01.a_b", "-x"]


def test_parquet_is_as_csv(tmp_path, csv):
    columns = {"uri": ["s3://b/x.mp4", "y.mp4"], "video_id": ["one", "two"], "age": [1, 2]}
    pq.write_table(pa.table(columns), tmp_path / "m.parquet")
    text = "uri,video_id\ns3://b/x.mp4,one\ny.mp4,two\n"
    of_parquet = read_manifest(str(tmp_path / "m.parquet"), video_id_of)
    assert of_parquet == read_manifest(csv(text), video_id_of)


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_parquet_with_any_byte_changed(tmp_path, compression):
    """Of its pages, which have checksums; a footer has none."""
    path, n_told = tmp_path / "m.parquet", 0
    columns = {"uri": [f"visit {n}/é.mp4" for n in range(20)]}
    pq.write_table(pa.table(columns), path, compression=compression, write_page_checksum=True)
    content, was = path.read_bytes(), read_manifest(str(path), video_id_of)
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for place in range(0, footer, 3):
        path.write_bytes(bytes([*content[:place], content[place] ^ 0x5A, *content[place + 1 :]]))
        try:
            assert read_manifest(str(path), video_id_of) == was
        except ConfigError as error:
            assert "m.parquet" in str(error)
            n_told += 1
    assert n_told > 50


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("", "uri is empty"),
        ("../other/x.mp4", "leaves the manifest's folder; give the whole URI"),
        ("a/../../x.mp4", "leaves the manifest's folder"),
        ("s3:///x", "names no bucket"),
        ("a\0b", "NUL"),
    ],
)
def test_hostile_entries_are_refused_by_line(csv, entry, message):
    told = problems(csv(f'uri,n\ngood.mp4,1\n"{entry}",2\n'))
    assert "m.csv: line 3: " in told
    assert message in told


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("nosuch://x", "no storage is known by nosuch://"),
        ("simplecache::s3://b/x", "chains URLs"),
        ("zip://x::s3://b/y", "no storage is known by zip://"),
        ("data:// x", "no storage is known by data://"),
    ],
)
def test_a_store_that_is_not_known_costs_that_entry_alone(csv, entry, message):
    path = csv(f'uri,n\ngood.mp4,1\n"{entry}",2\n')
    (Path(path).parent / "good.mp4").write_bytes(b"x")
    good, bad = open_cohort(path)
    assert good.problem_kind is None
    assert (bad.problem_kind, bad.uri) == (ErrorKind.REFUSED, entry)
    assert message in bad.problem
    assert message in problems(csv(f'uri,n\n"{entry}",2\n')), "of the whole manifest: no cohort"


@pytest.mark.parametrize("entry", ["/etc/passwd", "file:///etc/passwd"])
def test_a_manifest_in_a_bucket_names_no_file_of_this_machine(bucket, entry):
    storage.write_whole(f"s3://{bucket}/m.csv", f"uri\n{entry}\n".encode())
    assert "is a file of this machine, but the manifest is not" in problems(f"s3://{bucket}/m.csv")


@pytest.mark.parametrize("video_id", ["a/b", "a b", "é", "x" * 65, "a\n"])
def test_a_video_id_that_is_no_file_name_is_refused(csv, video_id):
    told = problems(csv(f'uri,video_id\nx.mp4,"{video_id}"\n'))
    assert f"video_id {video_id!r} is not of [A-Za-z0-9._-], 1 to 64 characters" in told


def test_all_wrong_lines_are_reported_at_once(csv):
    lines = ["x.mp4,same", "y.mp4,same", "z.mp4,", *(f"../{n}.mp4,id{n}" for n in range(20))]
    told = problems(csv("uri,video_id\n" + "\n".join(lines)))
    assert "line 3: the same video_id as line 2; name it once" in told
    assert "line 4: video_id is empty; give all of them, or leave out the column" in told
    assert told.count("leaves the manifest's folder") == 8
    assert told.endswith("; and 12 more")


def test_lines_are_counted_as_an_editor_counts_them(csv):
    assert "line 4: uri is empty" in problems(csv('uri,note\nx.mp4,"two\nlines"\n"",\n'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("url\nx.mp4\n", "has no column `uri` (its columns: url)"),
        ("", "has no column `uri` (its columns: none)"),
        ("uri\n", "names no video"),
        ("uri\nx, y.mp4\n", "line 2 has more cells than the header; put quotes around"),
        ('uri\n"x.mp4\n', "is not a CSV file in UTF-8"),
    ],
)
def test_files_that_are_no_manifest(csv, text, message):
    assert message in problems(csv(text))


def test_files_of_another_kind(tmp_path):
    (tmp_path / "m.csv").write_bytes(b"uri\n\xff\xfe.mp4\n")
    assert "is not a CSV file in UTF-8" in problems(str(tmp_path / "m.csv"))
    (tmp_path / "m.parquet").write_bytes(b"uri\nx.mp4\n")
    assert "is not a Parquet file" in problems(str(tmp_path / "m.parquet"))
    pq.write_table(pa.table({"uri": [1, 2]}), tmp_path / "n.parquet")
    assert "column uri is int64; make it a string" in problems(str(tmp_path / "n.parquet"))
    with pytest.raises(ConfigError, match=r"cannot be read: reading .*none\.csv"):
        open_cohort(str(tmp_path / "none.csv"))


@pytest.mark.parametrize("n", [5, 60])
def test_missing_and_denied_videos_are_rows_to_be(n, bucket, proxy):
    """5 are looked at one by one; 60 are listed, and those that no listing shows are missing."""
    prefix = f"s3://{bucket}/study"
    names = [f"{i:02}/a b%.mp4" for i in range(n)]
    for name in names[1:]:
        storage.write_whole(join(prefix, name), b"x")
    storage.write_whole(f"{prefix}/m.csv", "\n".join(["uri", *names]).encode())
    proxy.requests.clear()
    first, *others = open_cohort(f"{prefix}/m.csv")
    assert (first.problem_kind, first.etag, first.size_bytes) == (ErrorKind.MISSING, None, None)
    assert f"{prefix}/00/a b%.mp4" in first.problem
    assert {video.problem_kind for video in others} == {None}
    assert others[0].etag == storage.stat(others[0].uri).etag
    looks = [path for method, path in proxy.requests if method == "HEAD" and "m.csv" not in path]
    assert len(looks) == (5 if n == 5 else 0) + 1

    def only_the_manifest(_method: str, path: str, _count: int):
        return None if "m.csv" in path else 403

    proxy.rule = only_the_manifest
    assert {video.problem_kind for video in open_cohort(f"{prefix}/m.csv")} == {ErrorKind.DENIED}


def test_a_few_videos_of_a_full_bucket_are_not_worth_its_listing(
    filled_bucket, csv, proxy, monkeypatch
):
    monkeypatch.setattr("ah_ray.cohort.lookup._ENTRIES_PER_PAGE", 20)
    uris = [f"s3://{filled_bucket}/videos/{n:05}.mp4" for n in range(1_080, 1_100)]
    cohort = open_cohort(csv("\n".join(["uri", *uris])))
    assert {video.problem_kind for video in cohort} == {None}
    assert len([path for _, path in proxy.requests if "list-type=2" in path]) == 1  # of 2 pages
    assert len([path for method, path in proxy.requests if method == "HEAD"]) == 20


def test_a_store_that_is_down_is_no_fault_of_the_videos(bucket, csv, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    quick = retry.Patience(attempts=2, first_pause_s=0.01)
    monkeypatch.setattr(retry, "_patience", _Always(quick))
    with pytest.raises(StorageError, match="Could not connect"):
        open_cohort(csv(f"uri\ns3://{bucket}/x.mp4\n"))


class _Always:
    """Stands for the patience of every thread."""

    def __init__(self, value: retry.Patience):
        self.get = lambda: value


def test_the_common_folder_is_a_folder():
    assert common_folder("s3://b/x1/a.mp4", "s3://b/x2/a.mp4") == "s3://b"
    assert common_folder("s3://b/x/a.mp4", "s3://b/x/b/c.mp4") == "s3://b/x"


def test_local_videos_of_a_manifest(csv, tmp_path):
    Path(tmp_path / "x.mp4").write_bytes(b"x")
    Path(tmp_path / "folder.mp4").mkdir()
    uri = csv("uri\nx.mp4\nnone.mp4\nfolder.mp4\n")
    assert [v.problem_kind for v in open_cohort(uri)] == [
        None,
        ErrorKind.MISSING,
        ErrorKind.MISSING,
    ]
