"""Which videos of a cohort a run scores, and why. Pure.

pending = cohort − done + those that failed and may succeed now

Where a run keeps embeddings, a video is done only if those of its row are there too.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ah_ray.cohort.cohort import Cohort
from ah_ray.cohort.identity import row_name
from ah_ray.errors import ErrorKind
from ah_ray.records import Video

MAX_ATTEMPTS = 3
"""How often runs try a video whose error may pass by itself (`ErrorKind.may_pass`)."""

Failures = Mapping[str, tuple[ErrorKind, int]]
"""Committed rows that failed: name → error kind, and how often that content was tried."""


class State(StrEnum):
    """The state of a video before a run."""

    DONE = "done"  # its row is there, and scored
    FAILED = "failed"  # its row says why it is not scored; it is not tried again by itself
    NEW = "new"  # it has no row at all
    CHANGED = "changed"  # its rows are of other content or another configuration
    RETRY = "retry"  # it failed, and is tried again
    BARE = "bare"  # its row is there, and lacks the embeddings that are to be kept

    @property
    def pending(self) -> bool:
        """Return whether a run scores a video in this state."""
        return self in {self.NEW, self.CHANGED, self.RETRY, self.BARE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do about one video: its state, and what its next row needs to know."""

    state: State
    attempts: int = 0
    stale: tuple[str, ...] = ()  # names of its rows other than the current one


def decide_state(
    video: Video,
    names: tuple[str, ...],
    failures: Failures,
    *,
    config_fingerprint: str,
    retry_failed: bool = False,
    kept: Container[str] | None = None,
) -> Decision:
    """Return what to do about one video whose committed rows are `names`.

    `kept` has the names of rows whose embeddings are there; None if none are asked for.
    """
    if not names:
        return Decision(state=State.NEW)
    current = row_name(video.video_id, video.etag, config_fingerprint)
    stale = tuple(name for name in names if name != current)
    if current not in names:
        return Decision(state=State.CHANGED, stale=stale)
    if current not in failures:
        is_bare = kept is not None and current not in kept
        return Decision(state=State.BARE if is_bare else State.DONE, stale=stale)
    kind, attempts = failures[current]
    again = retry_failed or (kind.may_pass and attempts < MAX_ATTEMPTS)
    return Decision(state=State.RETRY if again else State.FAILED, attempts=attempts, stale=stale)


@dataclass(slots=True, kw_only=True)
class Plan:
    """What a run will do. Iterating yields the pending videos, in the order of the cohort."""

    cohort: Cohort
    counts: Counter[State] = field(default_factory=Counter)  # of the whole cohort
    put_off: int = 0  # pending, but over the limit
    leftover: list[str] = field(default_factory=list)  # stale names of videos that are not pending
    pending_bytes: int = 0
    _rows: array[int] = field(default_factory=lambda: array("Q"))
    _decisions: dict[int, Decision] = field(default_factory=dict)  # of videos that are not just new

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Video]:
        wanted = iter(self._rows)
        next_row = next(wanted, None)
        for row, video in enumerate(self.cohort):
            if next_row is None:
                return
            if row == next_row:
                decision = self._decisions.get(row)
                yield (
                    video
                    if decision is None
                    else replace(video, attempts=decision.attempts, stale=decision.stale)
                )
                next_row = next(wanted, None)


def make_plan(
    cohort: Cohort,
    committed: Mapping[str, tuple[str, ...]],
    failures: Failures,
    *,
    config_fingerprint: str,
    retry_failed: bool = False,
    limit: int | None = None,
    kept: Container[str] | None = None,
) -> Plan:
    """Decide about each video of the cohort. At most `limit` of the pending videos are taken.

    `committed` comes from `committed_names`; `kept` is as for `decide_state`. `--rescore` needs
    nothing else: a video whose rows are of another configuration is `changed`.
    """
    made = Plan(cohort=cohort)
    for row, video in enumerate(cohort):
        names = committed.get(video.video_id, ())
        decision = decide_state(
            video,
            names,
            failures,
            config_fingerprint=config_fingerprint,
            retry_failed=retry_failed,
            kept=kept,
        )
        made.counts[decision.state] += 1
        if not decision.state.pending:
            made.leftover.extend(decision.stale)
        elif limit is not None and len(made) >= limit:
            made.put_off += 1
        else:
            made._rows.append(row)
            made.pending_bytes += video.size_bytes or 0
            if decision.attempts or decision.stale:
                made._decisions[row] = decision
    return made
