"""Score a cohort each night: submit score.py to a cluster, follow it, report the outcome.

ah-ray nightly --cohort study --address http://head:8265 --deadline 06:00 -- \\
    --videos s3://study/recordings --out s3://study/scores --model s3://study/models/omni
"""

from __future__ import annotations

from datetime import datetime

from ah_ray.cli.job import CommandLine, Given, exits
from ah_ray.commands.score import command as score_command


@exits(goes_on=True)
def nightly(given: Given) -> int:
    """Score a cohort on a cluster, tonight.

    The job is called COHORT-DATE-ATTEMPT. If it is started twice on the same night, the second
    follows the first, or reports how it ended. If machines or storage fail, it is tried once more;
    a wrong configuration is not. Ctrl-C stops following, not the job.

    Exit status: that of score.py (0, 2, 3, 4, 5); 3 if the driver was lost.
    """
    from rich.console import Console

    from ah_ray.ray_environment import offer_token

    offer_token()  # before anything imports Ray

    from ah_ray.config import score_settings
    from ah_ray.nightly.attempts import Night
    from ah_ray.nightly.run import NightSettings, post_failures, run_night
    from ah_ray.nightly.settings import nightly_settings

    flags, console = nightly_settings(**given), Console()
    with post_failures(flags.notify, flags.cohort, console):
        bounds = {"deadline": flags.deadline, "gpu_hours": flags.gpu_hours}
        score = score_command().parse(flags.score)
        score |= {name: value for name, value in bounds.items() if value is not None}
        settings = NightSettings(
            night=Night(cohort=flags.cohort, date=datetime.now().astimezone().date()),
            address=flags.address,
            arguments=flags.score,
            score=score_settings(**score),
            working_dir=flags.working_dir,
            deadline=flags.deadline,
            gpu_hours=flags.gpu_hours,
            notify=flags.notify,
            again=flags.again,
        )
        return run_night(settings, console)


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.nightly.settings import NightlySettings

    return command_of(NightlySettings, nightly)
