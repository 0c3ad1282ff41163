"""Recordings that are nearly the same, found by the embeddings of their clips."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import run_here
from invented_rows import make_output, row, scored

from ah_ray.errors import ConfigError
from ah_ray.output.embeddings.files import write_embeddings
from ah_ray.output.embeddings.whitening import to_unit
from ah_ray.results import duplicates
from ah_ray.results.duplicates import align, find_duplicates
from ah_ray.results.settings import status_settings
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, write_labels

D = 32
N_VIDEOS = 40


def vectors_of(seed: int, n: int) -> np.ndarray:
    """Of a recording: all have much in common, and each clip is its own."""
    return 5 + np.random.default_rng(seed).normal(size=(n, D))


@pytest.fixture(scope="module")
def recordings() -> dict[str, np.ndarray]:
    found = {f"v{n:02}": vectors_of(n, 3 + n % 4) for n in range(N_VIDEOS)}
    noise = np.random.default_rng(99)
    found["encoded"] = found["v01"] + noise.normal(0, 0.1, found["v01"].shape)
    found["trimmed"] = found["v03"][2:] + noise.normal(0, 0.1, (4, D))
    found["one"] = vectors_of(500, 1)
    found["other-one"] = found["one"] + noise.normal(0, 0.1, (1, D))
    return found


@pytest.fixture(scope="module")
def out(recordings, tmp_path_factory) -> str:
    place = str(tmp_path_factory.mktemp("duplicates") / "out")
    for video_id, vectors in recordings.items():
        p = [0.5] * len(vectors)
        clips = [
            replace(clip, embedding=vector.astype("<f2").tobytes())
            for clip, vector in zip(scored(video_id, p).clips, vectors, strict=True)
        ]
        write_embeddings(place, row(video_id, p), clips)
    said = {video_id: {"participant": f"P-{video_id}"} for video_id in recordings}
    said["encoded"] = said["v01"]
    make_output(place, {name: [0.5] * len(v) for name, v in recordings.items()}, said=said)
    return place


def ids(found) -> list[set[str]]:
    return [{pair.first.video_id, pair.second.video_id} for pair in found.pairs]


def test_copies_are_found_and_nothing_else(out):
    found = find_duplicates(out, similarity=0.9)
    assert sorted(map(sorted, ids(found))) == [
        ["encoded", "v01"], ["one", "other-one"], ["trimmed", "v03"],
    ]  # fmt: skip
    assert found.n_videos == N_VIDEOS + 4 and not found.is_cut_off
    assert [pair.similarity for pair in found.pairs] == sorted(
        (pair.similarity for pair in found.pairs), reverse=True
    )
    trimmed = next(pair for pair in found.pairs if pair.first.video_id == "trimmed")
    assert (trimmed.n_compared, trimmed.offset) == (4, -2), "v03's first two clips are missing"
    assert (trimmed.first.n_clips, trimmed.second.n_clips) == (4, 6)


def test_a_pair_of_other_people_or_splits_is_a_leak(out):
    splits = {"encoded": "train", "v01": "test", "trimmed": "train", "v03": "train"}
    found = find_duplicates(out, similarity=0.9, splits=splits)
    leaks = {pair.first.video_id: pair.leaks for pair in found.pairs}
    assert leaks == {
        "encoded": ("splits",),
        "trimmed": ("participants",),
        "one": ("participants",),
    }


def test_blocks_and_parts_find_the_same(out, monkeypatch):
    whole = find_duplicates(out, similarity=0.2)
    monkeypatch.setattr(duplicates, "_BLOCK", 7)
    monkeypatch.setattr(duplicates, "_AT_ONCE", 5)
    assert find_duplicates(out, similarity=0.2) == whole
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 3)
    fewer = find_duplicates(out, similarity=0.2)
    assert fewer.is_cut_off and sorted(map(sorted, ids(fewer))) == [
        ["encoded", "v01"], ["one", "other-one"], ["trimmed", "v03"],
    ]  # fmt: skip


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 5), st.integers(0, 99))
def test_a_part_of_a_recording_lies_where_it_was_cut(n, length, start, seed):
    whole = to_unit(np.random.default_rng(seed).normal(size=(n, 64)).astype(np.float32))
    part = whole[start : start + length]
    if not len(part):
        return
    found = align(whole, part)
    assert found.similarity == pytest.approx(1, abs=1e-5)
    assert (found.offset, found.n_compared) == (start, len(part))
    back = align(part, whole)
    assert (back.similarity, back.offset) == (pytest.approx(found.similarity), -start)


def test_what_is_printed(out, tmp_path):
    table = pa.Table.from_pylist(
        [{"video_id": "encoded", "split": "train"}, {"video_id": "v01", "split": "test"}],
        LABELLED_VIDEOS,
    )
    write_labels(str(tmp_path), WINDOWS.empty_table(), table, {"data_fingerprint": "0" * 16})
    done = run_here("status", out, "--duplicates", "--labels", tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"44 recordings of {out} by their embeddings: 3 pairs are nearly the same" in done.stdout
    line = next(line for line in done.stdout.splitlines() if "encoded" in line)
    assert "cohort/encoded.mp4 (P-v01, train) and cohort/v01.mp4 (P-v01, test)" in line
    assert "4 of 4 and 4 clips. LEAK: other splits" in line
    assert "LEAK      3 pairs of other people or splits: a model that has learned" in done.stdout

    fields = json.loads(run_here("status", out, "--duplicates", "--json").stdout)
    assert fields["videos"] == 44 and len(fields["pairs"]) == 3
    assert {len(pair["recordings"]) for pair in fields["pairs"]} == {2}


def test_none_is_one_line(out):
    done = run_here("status", out, "--duplicates", "--similarity", "1")
    assert done.stdout.count("\n") == 1
    assert "no pair is nearly the same (similarity 1 or more)" in done.stdout


def test_an_output_without_embeddings_says_how_to_keep_them(tmp_path):
    make_output(str(tmp_path), {"a": [0.5]})
    with pytest.raises(ConfigError, match="--keep-embeddings"):
        find_duplicates(str(tmp_path), similarity=0.9)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"similarity": 0.5}, "--similarity is of no use without --duplicates"),
        ({"labels": "l"}, "--labels is of no use without --duplicates"),
        ({"duplicates": True, "purge": "w.csv"}, "--duplicates lists and --purge removes"),
    ],
)
def test_what_does_not_go_together(more, words):
    with pytest.raises(ConfigError, match=words):
        status_settings(out="scores", **more)
