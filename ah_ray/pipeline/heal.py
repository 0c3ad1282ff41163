"""The healing loop: what was lost shows as a row that is missing, for every kind of loss.

    pending ──score──▶ rows …            until nothing is pending or a pass brings nothing more;
    what is left ──score alone──▶ rows   and what still kills its process gets a `crash` row.

One mechanism for every loss: a killed decoder, replica or reducer, a lost node, storage that was
not available. There is no ledger: only the rows count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ah_ray.pipeline.passes import PassResult
from ah_ray.records import Video

MAX_ALONE = 64
"""Beyond this many left over, it is the machines that fail, not the videos."""

MAX_RESTLESS = 3
"""Passes in a row that bring no row, while content changes faster than it can be read."""


def heal(
    pending: Sequence[Video],
    *,
    score: Callable[[Sequence[Video]], PassResult],
    score_alone: Callable[[Video], PassResult],
    find_pending: Callable[[Collection[str]], Sequence[Video]],
    give_up: Callable[[Video], None],
) -> dict[str, str]:
    """Score until each video has its row. Return the videos without one, with the reason.

    `find_pending(ids)` lists storage again and returns which of these videos still lack a row
    for their present content. `give_up(video)` writes the `crash` row.
    """
    missing: dict[str, str] = {}
    restless = 0
    while pending:
        result = score(pending)
        before = {video.video_id: video.etag for video in pending}
        left = before.keys() - result.committed.keys()
        if not left:
            return {}
        pending = find_pending(left)
        changed = any(video.etag != before[video.video_id] for video in pending)
        restless = 0 if result.committed else restless + 1
        if not result.committed and not (changed and restless < MAX_RESTLESS):
            if result.trouble:  # no replica could start, say: no video is to blame
                return {video.video_id: result.trouble for video in pending}
            # What storage keeps back harms no process: to try it alone would change nothing.
            missing = {i: result.lost[i] for i in left & result.lost.keys()}
            break
    pending = [video for video in pending if video.video_id not in missing]
    for video in pending[MAX_ALONE:]:
        missing[video.video_id] = "its process died; not tried alone, so many did"
    for video in pending[:MAX_ALONE]:
        result = score_alone(video)
        reason = result.lost.get(video.video_id) or result.trouble
        if video.video_id in result.committed:
            continue
        if reason:
            missing[video.video_id] = reason
        else:
            give_up(video)
    return missing
