"""Score every video of a cohort: one Parquet row per video, even if scoring it fails.

ah-ray score --demo
ah-ray score --videos s3://bucket/cohort --out s3://bucket/scores --model /models/omni
"""

from __future__ import annotations

from ah_ray.cli.job import CommandLine, Given, exits


@exits(goes_on=True)
def score(given: Given) -> int:
    """Score every video of a cohort for ambivalence/hesitancy (A/H).

    Give --videos, --out and --model; or --demo alone.

    Exit status: 0 complete, 2 wrong configuration, 3 rows are missing, 4 another run holds OUT,
    5 complete, but too many videos failed.
    """
    if given.pop("demo", False):
        from ah_ray.pipeline.demo import run_demo

        return run_demo(given)
    from ah_ray.config import score_settings
    from ah_ray.pipeline.run import run

    return run(score_settings(**given))


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.config import ScoreSettings

    return command_of(
        ScoreSettings, score, switches={"demo": "Score a small invented cohort with a tiny model."}
    )
