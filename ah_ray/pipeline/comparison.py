"""How fp8 changes the scores of a cohort: some of its videos are scored in bf16, too.

Before the first run with fp8, one replica scores some videos in bf16, for comparison only; at the
end the rows of the same videos are looked at. Later runs show what the first one found.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from ray.exceptions import RayError

from ah_ray.cohort import row_name
from ah_ray.config import Arithmetic
from ah_ray.output.row_files import read_row_files
from ah_ray.output.runs import RunSummary, latest_summary
from ah_ray.pipeline import graph
from ah_ray.pipeline.actors import blocks
from ah_ray.pipeline.passes import root_cause
from ah_ray.pipeline.stages import Stages
from ah_ray.records import Video
from ah_ray.verdicts.difference import ENOUGH_CLIPS, Difference, measure_difference

Bf16Scores = dict[tuple[str, int], float | None]
"""(video_id, clip_index) → P(A/H) in bf16."""


@dataclass(slots=True, kw_only=True)
class Comparison:
    """The scores of a run beside those in bf16, on some of its videos."""

    out: str
    config_fingerprint: str
    videos: list[Video] = field(default_factory=list)
    plain: Bf16Scores = field(default_factory=dict)

    def find_earlier(self) -> Difference | None:
        """Return what an earlier run of this configuration found; None before the first."""

        def has_it(run: RunSummary) -> bool:
            same = run.config_fingerprint == self.config_fingerprint
            return same and run.difference_from_bf16 is not None

        earlier = latest_summary(self.out, has_it)
        return earlier.difference_from_bf16 if earlier else None

    def score_in_bf16(
        self, pending: Sequence[Video], stages: Stages, check: Callable[[], None]
    ) -> str | None:
        """Score some pending videos in bf16. Return why it ended early, or None."""
        n_videos = min(len(pending), ENOUGH_CLIPS)
        self.videos = random.Random(self.out).sample(list(pending), n_videos)
        try:
            with closing(_scores(self.videos, stages)) as tables:
                for table in tables:
                    check()
                    self._take(table)
                    if len(self.plain) >= ENOUGH_CLIPS:
                        break
        except RayError as error:
            return root_cause(error)
        return None

    def _take(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            if row["event"] == blocks.CLIP:
                score = blocks.score_of(row)
                self.plain[row["video_id"], score.clip_index] = score.p_ah

    def find_difference(self) -> Difference | None:
        """Return the difference in these rows, else what an earlier run found, or None."""
        if not self.plain:
            return self.find_earlier()
        names = [row_name(v.video_id, v.etag, self.config_fingerprint) for v in self.videos]
        ours: Bf16Scores = {}
        for _, row in read_row_files(self.out, names, ("video_id", "clips")):
            if row is not None:
                video_id = row["video_id"][0].as_py()
                clips = row["clips"][0].as_py()
                ours |= {(video_id, clip["clip_index"]): _p_ah(clip) for clip in clips}
        both = sorted(self.plain.keys() & ours.keys())
        return measure_difference([ours[key] for key in both], [self.plain[key] for key in both])


def _scores(videos: Sequence[Video], stages: Stages) -> Generator[pa.Table, None, None]:
    replicas = [
        replace(replica, scoring=replica.scoring.model_copy(update={"arithmetic": Arithmetic.BF16}))
        for replica in stages.replicas
    ]
    dataset = graph.scores(
        videos,
        decode=stages.decode,
        replicas=replicas,
        pools=replace(stages.pools, max_replicas=1),
        replica_class=stages.replica_class,
    )
    yield from dataset.iter_batches(batch_size=None, batch_format="pyarrow")


def _p_ah(clip: Mapping[str, Any]) -> float | None:
    """Of several models their mean, as `average_models` forms it."""
    known = [p for p in clip["model_p_ah"] or [clip["p_ah"]] if p is not None]
    return sum(known) / len(known) if known else None
