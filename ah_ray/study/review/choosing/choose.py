"""Choose the clips of an output that are worth most to a training: in doubt, and unlike each other.

    clips.parquet ─ less what is judged ─▶ the most doubtful ─▶ spread over people and embeddings

The table of clips is read once, and embeddings only of videos that are still candidates, so a
cohort of any size fits in memory.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError
from ah_ray.output.config import OutputConfig, require_config
from ah_ray.output.embeddings.read import as_matrix, stream_embeddings
from ah_ray.output.stream import open_finished_tables
from ah_ray.output.table_files import Tables
from ah_ray.results.calibration import apply_calibrations, scoring_members
from ah_ray.study.review.choosing.answered import Answered, read_answered
from ah_ray.study.review.choosing.doubt import measure_doubt, shift_scores
from ah_ray.study.review.choosing.spread import Pool, choose, rank_by_worth
from ah_ray.study.review.moments import VIDEO_COLUMNS, Moment, video_in
from ah_ray.verdicts.reduction import Ensemble, Reduction

MOST_CANDIDATES = 20_000
"""Clips among which those that are spread out are chosen: the most doubtful."""
_MOST_JUDGED = 4_000  # judged clips whose embeddings are kept away from
_LEAST = 1e-9  # the worth of a clip about which there is no doubt
_BATCH_ROWS = 16_384
_CLIP = ("video_id", "clip_index", "start_s", "end_s", "p_ah", "answer", "model_p_ah")
_Row = dict[str, Any]
_Key = tuple[str, int]  # video_id, clip_index


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for."""

    top: int
    doubtful: bool  # by doubt, else every clip is worth the same
    diverse: bool
    calibration: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The clips that were chosen, and from what."""

    moments: tuple[Moment, ...]  # the first that was chosen first
    doubt: tuple[float, ...]  # in bits; of each
    n_clips: int  # scored clips of the output …
    n_judged: int  # … so many of them were judged before …
    n_held_out: int  # … so many are of people in val or test …
    n_without_embedding: int  # … and so many of the candidates have no embedding
    n_people: int  # among the chosen; None of them known: their videos
    people_known: bool
    is_calibrated: bool
    n_models: int
    is_diverse: bool
    by_doubt: bool


def choose_clips(out: str, wish: Wish) -> Choice:
    """Return the clips to judge next.

    Raise ConfigError if `out` is not a finished output, a calibration does not fit it, an answered
    place cannot be read, embeddings are wanted and not kept, or no clip is left.
    """
    out = storage.normalise(out)
    answered = read_answered(wish.answered)
    try:
        config = require_config(out)
        reductions = reductions_of(config, wish.calibration)
        with open_finished_tables(out) as tables:
            found = _Candidates(tables, answered, reductions, wish)
            if not found.rows:
                raise _none_left(out, found)
            vectors, judged = None, None
            if wish.diverse:
                keys = [(row["video_id"], row["clip_index"]) for row in found.rows]
                vectors, judged = _read_vectors(out, keys, found.judged)
            rows, kept = found.rows, None
            if vectors is not None:
                rows = [row for row, one in zip(rows, vectors, strict=True) if one is not None]
                if not rows:
                    raise ConfigError(
                        f"none of the {len(found.rows):,} clips that may be chosen has an "
                        f"embedding in {out}: run its score.py again with --keep-embeddings"
                    )
                kept = np.stack([one for one in vectors if one is not None])
            videos = {
                row["video_id"]: row for row in _videos(tables, {row["video_id"] for row in rows})
            }
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None
    pool = _make_pool(rows, videos, kept)
    places = (
        choose(pool, wish.top, wish.seed, judged=judged)
        if wish.diverse
        else rank_by_worth(pool, wish.top, wish.seed)
    )
    chosen = [rows[place] for place in places]
    people = {_person(videos[row["video_id"]]) for row in chosen}
    return Choice(
        moments=tuple(_moment(row, videos[row["video_id"]]) for row in chosen),
        doubt=tuple(row["doubt"] for row in chosen),
        n_clips=found.n_clips,
        n_judged=found.n_judged,
        n_held_out=found.n_held_out,
        n_without_embedding=len(found.rows) - len(rows),
        n_people=len(people),
        people_known=all(videos[row["video_id"]]["participant"] for row in chosen),
        is_calibrated=all(one.calibration_fingerprint for one in reductions),
        n_models=len(reductions),
        is_diverse=wish.diverse,
        by_doubt=wish.doubtful,
    )


def reductions_of(config: OutputConfig, calibrations: Sequence[str]) -> tuple[Reduction, ...]:
    """Return how each model's clips become verdicts: by these calibrations, or as OUT has it.

    Raise ConfigError if the calibrations do not fit the output.
    """
    if config.scoring is None:
        members = list(config.members)
    else:
        members = scoring_members(config.scoring, config.config_fingerprint)
    reduction = config.reduction
    if calibrations:
        wanted = Reduction(ensemble=Ensemble.VOTE) if len(members) > 1 else Reduction()
        reduction = apply_calibrations(wanted, calibrations, members)
    each = reduction.members or [reduction.model_copy(update={"ensemble": None})] * len(members)
    return tuple(each)


class _Candidates:
    """The clips of the highest worth that were not judged, read from the table of clips."""

    def __init__(
        self, tables: Tables, answered: Answered, reductions: Sequence[Reduction], wish: Wish
    ):
        self.n_clips = self.n_judged = self.n_held_out = 0
        self.judged: list[_Key] = []
        self._answered, self._reductions, self._wish = answered, reductions, wish
        self._held_out = _videos_of_held_out(tables, answered.held_out)
        self._chance = np.random.default_rng(wish.seed)
        best = heapq.nlargest(MOST_CANDIDATES, self._rank(tables), key=lambda one: one[:2])
        self.rows = [row for *_, row in best]

    def _rank(self, tables: Tables) -> Iterator[tuple[float, float, _Row]]:
        """Yield worth, chance and the row of each clip that may be chosen."""
        for batch in tables.clips.batches(_CLIP, _BATCH_ROWS):
            rows = batch.filter(pc.is_valid(batch["p_ah"])).to_pylist()
            self.n_clips += len(rows)
            rows = [row for row in rows if self._may_be_chosen(row)]
            if not rows:
                continue
            p = [shift_scores(row["model_p_ah"] or [row["p_ah"]], self._reductions) for row in rows]
            doubts = measure_doubt(np.array(p, np.float64)).tolist()
            for row, doubt, chance in zip(
                rows, doubts, self._chance.random(len(rows)).tolist(), strict=True
            ):
                worth = doubt if self._wish.doubtful else 1.0
                yield worth, chance, {**row, "doubt": doubt, "worth": max(worth, _LEAST)}

    def _may_be_chosen(self, row: _Row) -> bool:
        video_id = row["video_id"]
        if self._answered.has(video_id, (row["start_s"], row["end_s"])):
            self.n_judged += 1
            if len(self.judged) < _MOST_JUDGED:
                self.judged.append((video_id, row["clip_index"]))
            return False
        if video_id in self._held_out:
            self.n_held_out += 1
            return False
        return True


def _videos_of_held_out(tables: Tables, held_out: frozenset[str]) -> set[str]:
    """Return these videos, and all others of the participants who are seen in them."""
    if not held_out:
        return set()
    people: set[str] = set()
    for batch in tables.verdicts.batches(("video_id", "participant"), _BATCH_ROWS):
        there = batch.filter(pc.is_in(batch["video_id"], pa.array(held_out, pa.string())))
        people |= set(there["participant"].to_pylist()) - {None}
    found = set(held_out)
    for batch in tables.verdicts.batches(("video_id", "participant"), _BATCH_ROWS):
        theirs = batch.filter(pc.is_in(batch["participant"], pa.array(people, pa.string())))
        found |= set(theirs["video_id"].to_pylist())
    return found


def _read_vectors(
    out: str, keys: Sequence[_Key], judged: Sequence[_Key]
) -> tuple[list[NDArray[np.float32] | None], NDArray[np.float32] | None]:
    """Return the embedding of each clip, or None, and those of judged clips that have one."""
    wanted = {*keys, *judged}
    found: dict[_Key, NDArray[np.float32]] = {}
    for table in stream_embeddings(out, {video_id for video_id, _ in wanted}):
        video_id = table["video_id"][0].as_py()
        for index, vector in zip(table["clip_index"].to_pylist(), as_matrix(table), strict=True):
            if (video_id, index) in wanted:
                found[video_id, index] = vector
    if len({len(vector) for vector in found.values()}) > 1:
        raise ConfigError(f"{out} keeps embeddings of several models: score it again with one")
    before = [found[key] for key in judged if key in found]
    return [found.get(key) for key in keys], np.stack(before) if before else None


def _videos(tables: Tables, video_ids: set[str]) -> Iterator[_Row]:
    wanted = pa.array(sorted(video_ids), pa.string())
    for batch in tables.verdicts.batches((*VIDEO_COLUMNS, "participant"), _BATCH_ROWS):
        yield from batch.filter(pc.is_in(batch["video_id"], wanted)).to_pylist()


def _person(video: _Row) -> str:
    """Return the participant; where nobody says who it is, each video is a person of its own."""
    return video["participant"] or f"\0{video['video_id']}"


def _make_pool(
    rows: Sequence[_Row], videos: dict[str, _Row], vectors: NDArray[np.float32] | None
) -> Pool:
    number = {video_id: n for n, video_id in enumerate(sorted(videos))}
    names = sorted({_person(video) for video in videos.values()})
    person = {name: n for n, name in enumerate(names)}
    return Pool(
        worth=np.array([row["worth"] for row in rows], np.float64),
        video=np.array([number[row["video_id"]] for row in rows], np.int64),
        start_s=np.array([row["start_s"] for row in rows], np.float64),
        end_s=np.array([row["end_s"] for row in rows], np.float64),
        person=np.array([person[_person(videos[row["video_id"]])] for row in rows], np.int64),
        vectors=vectors,
    )


def _moment(row: _Row, video: _Row) -> Moment:
    names = ("clip_index", "start_s", "end_s", "p_ah", "answer")
    return Moment(video=video_in(video), **{name: row[name] for name in names})


def _none_left(out: str, found: _Candidates) -> ConfigError:
    if not found.n_clips:
        return ConfigError(f"{out} has no clip with a score, so there is none to choose")
    return ConfigError(
        f"{out} has no clip left to choose: of {found.n_clips:,} that have a score "
        f"{found.n_judged:,} were judged before, and {found.n_held_out:,} are of people in val or "
        "test"
    )
