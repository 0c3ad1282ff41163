"""Score a cohort each night: submit score.py to a cluster, follow it, tell what came of it.

python jobs/nightly.py --cohort study --address http://head:8265 --deadline 06:00 -- \\
    --videos s3://study/recordings --out s3://study/scores --model s3://study/models/omni
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from score import app as score_app
from score import settings_of

from ah_ray.errors import ConfigError
from ah_ray.exit_status import Job, exits

if TYPE_CHECKING:
    from ah_ray.config import ScoreSettings

job = Job()


@job.command()
@exits(goes_on=True)
def nightly(
    score: Annotated[
        list[str], typer.Argument(metavar="SCORE_FLAGS", help="Flags of score.py, after `--`.")
    ],
    cohort: Annotated[str, typer.Option(help="A short name; part of the job's id.")],
    address: Annotated[
        str, typer.Option(envvar="RAY_API_SERVER_ADDRESS", help="Dashboard of the head.")
    ] = "http://127.0.0.1:8265",
    working_dir: Annotated[Path, typer.Option(help="What the job runs: this repository.")] = Path(
        __file__
    ).parent.parent,
    deadline: Annotated[
        str | None, typer.Option(help="Stop at HH:MM (here); the rest is for the next night.")
    ] = None,
    gpu_hours: Annotated[
        float | None, typer.Option(help="Stop when the cluster's GPUs were up for so long.")
    ] = None,
    notify: Annotated[
        str | None,
        typer.Option(envvar="AH_RAY_NOTIFY", help="URL to which the outcome is posted as JSON."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="One more attempt, though this night has ended.")
    ] = False,
) -> int:
    """Score a cohort on a cluster, tonight.

    The job is called COHORT-DATE-ATTEMPT. Start it twice the same night, and the second follows the
    first, or says how it ended. If machines or storage fail, it is tried once more; a wrong
    configuration is not. Ctrl-C ends the following, not the job.

    Exit status: that of score.py (0, 2, 3, 4, 5); 3 if the driver was lost.
    """
    from rich.console import Console

    from ah_ray.pipeline.night import Night
    from ah_ray.pipeline.run_night import NightSettings, run_night

    settings = NightSettings(
        night=Night(cohort=cohort, date=datetime.now().astimezone().date()),
        address=address,
        arguments=tuple(score),
        score=_parsed(score, deadline=deadline, gpu_hours=gpu_hours),
        working_dir=working_dir,
        deadline=deadline,
        gpu_hours=gpu_hours,
        notify=notify,
        again=again,
    )
    return run_night(settings, Console())


def _parsed(arguments: list[str], **bounds: object) -> ScoreSettings:
    """What score.py would make of them; raises ConfigError as it does."""
    from ah_ray.config import score_settings

    try:
        context = typer.main.get_command(score_app).make_context("score", list(arguments))
    except typer.TyperException as error:
        raise ConfigError(f"flags of score.py: {error.format_message()}") from None
    return score_settings(**settings_of({**context.params, **bounds}))


if __name__ == "__main__":
    job()
