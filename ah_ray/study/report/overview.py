"""The first screen in numbers: what was scored, the answers, and what failed and why. Pure.

A chart is counted here and drawn in `templates/charts.html.jinja`. None is by site: groups are in
the tables of `jobs/evaluate.py --group-by` (../evaluation/figures/slices.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.errors import ErrorKind
from ah_ray.output.row import FAILED, OK, PARTIAL
from ah_ray.profile import YES
from ah_ray.remarks import Remark

N_BANDS = 20
_NAMED_KINDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One reason why videos were not scored, or only in part."""

    name: str
    n_failed: int
    n_partial: int
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Scored videos with low ≤ p_ah < high; the last band holds 1 too."""

    low: float
    high: float
    n_yes: int
    n_no: int

    @property
    def n(self) -> int:
        """Return how many videos have such a score."""
        return self.n_yes + self.n_no


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that one run wrote, or several runs together."""

    n: int
    n_scored: int
    n_yes: int
    median_p_ah: float | None

    @property
    def share_yes(self) -> float | None:
        """Return the share of Yes among scored videos; None if there are none."""
        return self.n_yes / self.n_scored if self.n_scored else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Counts of all rows of an output."""

    n_ok: int
    n_partial: int
    n_failed: int
    n_yes: int
    n_no: int
    n_clips: int
    n_failed_clips: int
    duration_s: float
    kinds: tuple[Kind, ...]  # the most frequent first
    bands: tuple[Band, ...]
    without_sound: int  # of scored videos, as are the next three
    silent: int
    still: int
    by_remark: tuple[tuple[str, int], ...]  # remark → how many videos

    @property
    def n_rows(self) -> int:
        """Return how many videos have a row."""
        return self.n_scored + self.n_failed

    @property
    def n_scored(self) -> int:
        """Return how many videos have a verdict."""
        return self.n_ok + self.n_partial

    @property
    def share_yes(self) -> float | None:
        """Return the share of Yes among scored videos; None if there are none."""
        return self.n_yes / self.n_scored if self.n_scored else None

    @property
    def failure_sentence(self) -> str:
        """Return how many videos could not be scored, and why."""
        kinds = [kind for kind in self.kinds if kind.n_failed]
        text = f"{self.n_failed:,} could not be scored"
        if not kinds:
            return f"{text}."
        if len(kinds) == 1 and kinds[0].n_failed == self.n_failed:
            return f"{text}: {kinds[0].name}."
        if len(kinds) <= _NAMED_KINDS:
            return f"{text}: {', '.join(f'{kind.n_failed:,} {kind.name}' for kind in kinds)}."
        return f"{text}, most often as {kinds[0].name}."

    @property
    def doubtful(self) -> list[tuple[int, str]]:
        """Return how many scored videos lack sound or a moving picture, or have a remark."""
        lacking = [
            (self.without_sound, "without sound"),
            (self.silent, "with a silent track"),
            (self.still, "with a still or black picture"),
        ]
        noticed = [(n, f"with “{Remark(remark).label}”") for remark, n in self.by_remark]
        return [(n, what) for n, what in [*lacking, *noticed] if n]


def count_overview(verdicts: pa.Table) -> Overview:
    """Return the counts of rows of records.VERDICTS."""
    status = dict(_count_values(verdicts["status"]))
    scored = verdicts.filter(pc.is_valid(verdicts["p_ah"]))
    p_ah = scored["p_ah"].to_numpy()
    yes = np.array([answer == YES for answer in scored["answer"].to_pylist()], bool)
    return Overview(
        n_ok=status.get(OK, 0),
        n_partial=status.get(PARTIAL, 0),
        n_failed=status.get(FAILED, 0),
        n_yes=int(yes.sum()),
        n_no=int((~yes).sum()),
        n_clips=_sum(verdicts["n_clips"]),
        n_failed_clips=_sum(verdicts["n_failed_clips"]),
        duration_s=float(pc.sum(verdicts["duration_s"]).as_py() or 0.0),
        kinds=_kinds(verdicts),
        bands=_bands(p_ah, yes),
        without_sound=_sum(pc.equal(scored["has_audio"], False)),
        silent=_sum(pc.and_(scored["has_audio"], scored["sound_is_silent"])),
        still=_sum(scored["picture_is_still"]),
        by_remark=tuple(
            sorted(
                (remark, n)
                for remark, n in _count_values(pc.list_flatten(scored["remarks"]))
                if remark
            )
        ),
    )


def split_by_run(verdicts: pa.Table, run_id: str) -> tuple[Group, Group]:
    """Return the rows that this run wrote, and all others."""
    now = pc.fill_null(pc.equal(verdicts["run_id"], run_id), False)
    return _group(verdicts.filter(now)), _group(verdicts.filter(pc.invert(now)))


def _group(rows: pa.Table) -> Group:
    p_ah = rows["p_ah"].drop_null().to_numpy()
    return Group(
        n=len(rows),
        n_scored=len(p_ah),
        n_yes=_sum(pc.equal(rows["answer"], YES)),
        median_p_ah=float(np.median(p_ah)) if len(p_ah) else None,
    )


def _kinds(verdicts: pa.Table) -> tuple[Kind, ...]:
    by_status = {
        status: dict(
            _count_values(verdicts.filter(pc.equal(verdicts["status"], status))["error_kind"])
        )
        for status in (FAILED, PARTIAL)
    }
    names = {name for counts in by_status.values() for name in counts if name}
    kinds = (
        Kind(
            name=name,
            n_failed=by_status[FAILED].get(name, 0),
            n_partial=by_status[PARTIAL].get(name, 0),
            remedy=ErrorKind(name).remedy if name in set(ErrorKind) else "",
        )
        for name in names
    )
    return tuple(sorted(kinds, key=lambda kind: (-kind.n_failed, -kind.n_partial, kind.name)))


def _bands(p_ah: npt.NDArray[np.float64], yes: npt.NDArray[np.bool_]) -> tuple[Band, ...]:
    place = np.minimum((p_ah * N_BANDS).astype(int), N_BANDS - 1)
    n_yes, n_no = (np.bincount(place[which], minlength=N_BANDS) for which in (yes, ~yes))
    return tuple(
        Band(low=i / N_BANDS, high=(i + 1) / N_BANDS, n_yes=int(n_yes[i]), n_no=int(n_no[i]))
        for i in range(N_BANDS)
    )


def _count_values(column: pa.ChunkedArray) -> list[tuple[str | None, int]]:
    return [(each["values"], each["counts"]) for each in pc.value_counts(column).to_pylist()]


def _sum(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column).as_py() or 0)
