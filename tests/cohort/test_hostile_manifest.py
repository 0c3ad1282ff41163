"""Manifests made to do harm: to reach what they may not, or to be more than they look."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ah_ray.cohort import manifest, video_id_of
from ah_ray.cohort.manifest import read_manifest
from ah_ray.errors import ConfigError


def error_of(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_manifest(str(path), video_id_of)
    assert len(str(caught.value)) < 10_000
    return str(caught.value)


def write_manifest(path: Path, *entries: str) -> Path:
    path.write_text("\n".join(["uri", *entries]))
    return path


@pytest.mark.parametrize(
    "entry",
    [
        "http://169.254.169.254/latest/meta-data/x.mp4",
        "https://intranet/x.mp4",
        "HTTPS://intranet/x.mp4",
        "abfs://box@thief.dfs.core.windows.net/x.mp4",
        "az://box@thief.example/x.mp4",
        "webhdfs://10.0.0.1/x.mp4",
        "github://owner:repository@main/x.mp4",
    ],
)
def test_a_manifest_does_not_choose_which_host_is_asked(tmp_path, entry):
    message = error_of(write_manifest(tmp_path / "m.csv", "a.mp4", entry))
    assert "m.csv: line 3: " in message
    assert "asks a host that the manifest chooses; give a bucket" in message


@pytest.mark.parametrize("entry", ["ftp://10.0.0.1/x.mp4", "sftp://10.0.0.1/x.mp4"])
def test_a_server_of_files_is_not_asked_either(tmp_path, entry):
    entries = read_manifest(str(write_manifest(tmp_path / "m.csv", "a.mp4", entry)), video_id_of)
    assert entries[0].problem is None
    assert "is not read; mount the folder" in entries[1].problem


def test_terminal_sequences_in_an_entry_are_shown_not_obeyed(tmp_path):
    message = error_of(write_manifest(tmp_path / "m.csv", "../\x1b]0;owned\x07\u202e.mp4"))
    assert message.isprintable() and "leaves the manifest's folder" in message


@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_an_entry_as_long_as_a_book_is_refused_and_not_repeated(tmp_path, name):
    entry = "x" * 100_000
    if name == "m.csv":
        write_manifest(tmp_path / name, entry)
    else:
        pq.write_table(pa.table({"uri": [entry]}), tmp_path / name)
    assert "m." in error_of(tmp_path / name)


def test_a_line_without_end_is_not_read_whole(tmp_path):
    (tmp_path / "m.csv").write_text('uri\n"' + "x" * 50_000_000)
    assert "it has a line of over 1048576 characters" in error_of(tmp_path / "m.csv")


def test_more_entries_than_any_cohort_has(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "MAX_ENTRIES", 100)
    names = [f"{n}.mp4" for n in range(101)]
    pq.write_table(pa.table({"uri": names}), tmp_path / "m.parquet")
    for path in (tmp_path / "m.parquet", write_manifest(tmp_path / "m.csv", *names)):
        assert "is too large for a manifest: over 100 entries" in error_of(path)
    assert (
        len(read_manifest(str(write_manifest(tmp_path / "m.csv", *names[1:])), video_id_of)) == 100
    )


def test_a_file_of_kilobytes_that_stands_for_billions_of_rows(tmp_path):
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), ["x.mp4"])
    table = pa.table({"uri": column})
    with pq.ParquetWriter(tmp_path / "m.parquet", table.schema, compression="zstd") as writer:
        for _ in range(25):
            writer.write_table(table)
    assert (tmp_path / "m.parquet").stat().st_size < 100_000
    started = time.process_time()
    assert "is too large for a manifest" in error_of(tmp_path / "m.parquet")
    assert time.process_time() - started < 1


def test_one_value_of_megabytes_in_each_of_many_rows_takes_no_memory(tmp_path):
    """10 kB of Parquet that would be 100 GB of strings."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), ["x" * 10_000_000])
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"uri": column}), path, compression="zstd")
    assert path.stat().st_size < 100_000
    script = (
        "import sys; from ah_ray.cohort.manifest import read_manifest\n"
        "try: read_manifest(sys.argv[1], str)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )
    assert "holds a text of 10,000,000 bytes, which is no URI" in done.stdout
    assert done.stdout.startswith("ConfigError")
