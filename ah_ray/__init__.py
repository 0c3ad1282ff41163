"""Score every video of a cohort for ambivalence/hesitancy (A/H): Qwen3-Omni on Ray.

    from ah_ray import score, read_verdicts, read_clips, read_answers
    from ah_ray import read_embeddings, read_expected_values

    summary = score(videos="s3://bucket/cohort", out="s3://bucket/scores", model="/models/omni")
    table = read_verdicts("s3://bucket/scores").to_pandas()

`Scorer` is the protocol of a model: `Clip`s in, `ClipScore`s out. They are imported when they are
first used, so `import ah_ray` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from ah_ray.interfaces.scorer import Scorer
    from ah_ray.output.runs import RunSummary
    from ah_ray.records import Clip, ClipScore

__all__ = [
    "Clip",
    "ClipScore",
    "Scorer",
    "read_answers",
    "read_clips",
    "read_embeddings",
    "read_expected_values",
    "read_verdicts",
    "score",
]

_HOMES = {
    "Clip": "ah_ray.records",
    "ClipScore": "ah_ray.records",
    "Scorer": "ah_ray.interfaces.scorer",
}


def __getattr__(name: str) -> Any:
    """Return a type of the public interface, imported on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def score(**settings: Any) -> RunSummary:
    """Scores what is pending of a cohort, as `jobs/score.py` does; returns the run's summary.

    Takes the settings of config.ScoreSettings by name: `videos`, `out` and `model` are needed.
    Raises ConfigError if one is wrong, OutputBusy if another run holds `out`. Videos that cannot
    be scored raise nothing: each has its row.
    """
    from ah_ray.installation import missing_packages_as_errors

    with missing_packages_as_errors():
        from rich.console import Console

        from ah_ray.config import score_settings
        from ah_ray.pipeline.run import score as score_cohort

    return score_cohort(score_settings(**settings), Console(quiet=True)).summary


def read_verdicts(out: str, columns: list[str] | None = None) -> pa.Table:
    """One row per video of the cohort, as the last run left them (records.VERDICTS).

    `out` is a folder or `s3://…`; `columns` picks some. Raises errors.ConfigError if there is no
    finished output, no such column, if the table is damaged, or if a newer ah_ray wrote it.
    """
    from ah_ray.output.read import read_verdicts as read

    return read(out, columns)


def read_clips(out: str, columns: list[str] | None = None) -> pa.Table:
    """One row per clip: video_id, then when, how sure, and which answer (records.CLIPS).

    Times are in seconds from the video's first picture. Takes and raises what `read_verdicts` does.
    """
    from ah_ray.output.read import read_clips as read

    return read(out, columns)


def read_answers(out: str, columns: list[str] | None = None) -> pa.Table:
    """One row per answer to each question about each clip (records.ANSWERS).

    Only outputs whose profile asks several questions, or one with more than two answers, have this
    table. Takes and raises what `read_verdicts` does.
    """
    from ah_ray.output.read import read_answers as read

    return read(out, columns)


def read_expected_values(out: str) -> pa.Table:
    """One row per video and further question with a scale: video_id, question, value.

    `value` is the mean of the scale's numbers, weighted by the video's probabilities of the answers
    (`asked`). Raises what `read_verdicts` does.
    """
    from ah_ray.output.read import read_expected_values as read

    return read(out)


def read_embeddings(out: str, video_ids: Collection[str] | None = None) -> pa.Table:
    """One row per clip: the model's hidden state at its answer, in float16 (records.EMBEDDINGS).

    `out` was scored with `keep_embeddings`; `video_ids` picks videos. The rows are those of the
    tables, sorted by video_id and clip_index. Raises errors.ConfigError if there is no finished
    output, or none with embeddings.
    """
    from ah_ray.installation import missing_packages_as_errors

    with missing_packages_as_errors():
        from ah_ray.output.embeddings.read import read_embeddings as read

    return read(out, video_ids)
