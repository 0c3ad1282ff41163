"""Recordings of an output that are nearly the same, found by the embeddings of their clips.

    mean of each video ─ block against block ─▶ pairs that may be ─ clip by clip ─▶ pairs that are

A copy that was encoded again, made smaller or trimmed has other bytes and another name, but the
model sees and hears nearly the same in it. Two videos are compared by the mean of their embeddings,
and those that are near each other clip by clip: one is laid along the other at each offset, and the
mean cosine of the clips that then lie side by side, where it is highest, is their similarity. All
embeddings are whitened first (ah_ray/output/embeddings/whitening.py). Only the means of all videos
are held, and clips of some at a time, so 10,000 videos fit in memory.

A copy whose start was trimmed by a part of a window has other seconds in every window, and is found
only as far as neighbouring seconds look and sound alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ah_ray.cohort.identity import video_id_in
from ah_ray.errors import ConfigError
from ah_ray.output.embeddings.read import as_matrix, list_embedded, read_files
from ah_ray.output.embeddings.whitening import Whitening, to_unit
from ah_ray.output.read import read_verdicts

Floats = NDArray[np.float32]

MOST_PAIRS = 100_000
"""Pairs that are compared clip by clip: those whose means are nearest."""
_MEANS_APART = 0.3  # means of a copy that was cut down to a third are so much less similar
_SAMPLE = 10_000  # clips from which the whitening is fitted
_BLOCK = 512
_AT_ONCE = 1_024  # videos whose clips are held


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One of a pair."""

    video_id: str
    uri: str | None
    participant: str | None
    split: str | None
    n_clips: int  # that have an embedding

    @property
    def name(self) -> str:
        """Return its file's name with the folder above it; its id where names are hidden."""
        return self.video_id if self.uri is None else "/".join(PurePosixPath(self.uri).parts[-2:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two recordings that are nearly the same."""

    first: Recording
    second: Recording
    similarity: float
    n_compared: int  # clips that lie side by side
    offset: int  # the clip of `first` beside which the first clip of `second` lies

    @property
    def leaks(self) -> tuple[str, ...]:
        """Return why this pair spoils an evaluation: other people, other splits."""
        differ = []
        for name, what in (("participant", "participants"), ("split", "splits")):
            both = {getattr(self.first, name), getattr(self.second, name)}
            if len(both) == 2 and None not in both:
                differ.append(what)
        return tuple(differ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """What was found in an output."""

    out: str
    similarity: float
    n_videos: int  # that have embeddings
    pairs: tuple[Pair, ...]  # the most similar first
    splits_known: bool
    is_cut_off: bool  # more pairs were near each other than are compared

    @property
    def leaks(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair.leaks)


def find_duplicates(
    out: str, *, similarity: float, splits: Mapping[str, str] | None = None
) -> Duplicates:
    """Return the pairs of recordings whose similarity is this or more.

    `splits` is the split of labelled videos, by video_id. Raise ConfigError if OUT is no finished
    output, or keeps no embeddings.
    """
    names = list_embedded(out)
    ids, means, whiten = _read_means(out, names)
    near, is_cut_off = _find_near(whiten(means), similarity * _MEANS_APART)
    aligned = [
        (one, other, best)
        for some in _in_parts(near)
        for one, other, best in _align_all(out, names, [(ids[a], ids[b]) for a, b in some], whiten)
        if best.similarity >= similarity
    ]
    n_clips = {
        video_id: best.n_clips[n] for *pair, best in aligned for n, video_id in enumerate(pair)
    }
    known = _describe(out, n_clips, splits or {})
    found = [
        Pair(
            first=known[one],
            second=known[other],
            similarity=best.similarity,
            n_compared=best.n_compared,
            offset=best.offset,
        )
        for one, other, best in aligned
    ]
    found.sort(key=lambda pair: (-pair.similarity, pair.first.video_id, pair.second.video_id))
    return Duplicates(
        out=out,
        similarity=similarity,
        n_videos=len(ids),
        pairs=tuple(found),
        splits_known=splits is not None,
        is_cut_off=is_cut_off,
    )


class Aligned(NamedTuple):
    """Two videos, where they agree best."""

    similarity: float
    offset: int
    n_compared: int
    n_clips: tuple[int, int]


def align(one: Floats, other: Floats) -> Aligned:
    """Return where two videos agree best.

    Their clips are unit vectors [n, D] and [m, D]. At least half of the shorter video, and two
    clips where both have two, lie side by side.
    """
    cosines = one @ other.T
    n, m = cosines.shape
    fewest = min(n, m) if min(n, m) < 2 else max(2, -(-min(n, m) // 2))
    best = Aligned(-1.0, 0, 0, (n, m))
    for offset in range(-(m - 1), n):
        beside = np.diagonal(cosines, -offset)
        if len(beside) >= fewest and (mean := float(beside.mean())) > best.similarity:
            best = Aligned(mean, offset, len(beside), (n, m))
    return best


def _in_parts(pairs: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield the pairs in parts, each of at most `_AT_ONCE` videos."""
    part: list[tuple[int, int]] = []
    videos: set[int] = set()
    for pair in sorted(pairs):
        if part and len(videos | set(pair)) > _AT_ONCE:
            yield part
            part, videos = [], set()
        part.append(pair)
        videos |= set(pair)
    if part:
        yield part


def _align_all(
    out: str, names: Sequence[str], pairs: Sequence[tuple[str, str]], whiten: Whitening
) -> Iterator[tuple[str, str, Aligned]]:
    involved = {video_id for pair in pairs for video_id in pair}
    theirs = [name for name in names if video_id_in(name) in involved]
    clips = {video_id: to_unit(whiten(vectors)) for video_id, vectors in _stream(out, theirs)}
    for one, other in pairs:
        yield one, other, align(clips[one], clips[other])


def _read_means(out: str, names: Sequence[str]) -> tuple[list[str], Floats, Whitening]:
    """Return the ids of videos with embeddings, the mean of each [videos, D], and the whitening."""
    ids: list[str] = []
    means: list[Floats] = []
    sample: list[Floats] = []
    n_sampled = 0
    for video_id, vectors in _stream(out, names):
        if means and len(means[0]) != vectors.shape[1]:
            raise ConfigError(f"{out} keeps embeddings of several models: score it again with one")
        ids.append(video_id)
        means.append(vectors.mean(axis=0))
        if n_sampled < _SAMPLE:  # ids are hashes, so the first are as good as any
            sample.append(vectors)
            n_sampled += len(vectors)
    if not ids:
        nothing = np.empty((0, 1), np.float32)
        return [], nothing, Whitening.fit(np.zeros((1, 1), np.float32))
    return ids, np.stack(means), Whitening.fit(np.concatenate(sample))


def _stream(out: str, names: Sequence[str]) -> Iterator[tuple[str, Floats]]:
    for table in read_files(out, names):
        yield table["video_id"][0].as_py(), as_matrix(table)


def _find_near(means: Floats, least: float) -> tuple[list[tuple[int, int]], bool]:
    """Return the pairs of means whose cosine is `least` or more, and whether some were left out."""
    unit, is_cut_off = to_unit(means), False
    found = np.empty((0, 3))  # cosine, row, column
    for a in range(0, len(unit), _BLOCK):
        for b in range(a, len(unit), _BLOCK):
            cosines = unit[a : a + _BLOCK] @ unit[b : b + _BLOCK].T
            rows, columns = np.nonzero(cosines >= least)
            later = rows + a < columns + b
            rows, columns = rows[later], columns[later]
            found = np.concatenate(
                [found, np.column_stack([cosines[rows, columns], rows + a, columns + b])]
            )
            if len(found) > MOST_PAIRS:
                is_cut_off = True
                found = found[np.argpartition(-found[:, 0], MOST_PAIRS)[:MOST_PAIRS]]
    return [(int(row), int(column)) for _, row, column in found.tolist()], is_cut_off


def _describe(
    out: str, n_clips: Mapping[str, int], splits: Mapping[str, str]
) -> dict[str, Recording]:
    rows = read_verdicts(out, ["video_id", "uri", "participant"]).to_pylist()
    return {
        row["video_id"]: Recording(
            **row, split=splits.get(row["video_id"]), n_clips=n_clips[row["video_id"]]
        )
        for row in rows
        if row["video_id"] in n_clips
    }
