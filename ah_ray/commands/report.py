"""Make one HTML page of an output: for people, from disk, with no network.

ah-ray report scores
ah-ray report scores --labels labels --link-videos
"""

from __future__ import annotations

from ah_ray.cli.job import CommandLine, Given, exits
from ah_ray.exit_status import ExitStatus


@exits
def report(given: Given) -> int:
    """Make one self-contained HTML page: overview, measures, a table of videos and timelines.

    Without --link-videos, --with-frames and --plain-participants it holds no name, no path and no
    picture.

    Exit status: 0 complete, 2 wrong configuration, 3 stopped, or storage failed.
    """
    from rich.console import Console

    from ah_ray.cohort.id_key import read_id_key
    from ah_ray.study.report.make import make_report
    from ah_ray.study.report.settings import report_settings
    from ah_ray.study.report.view import print_report, show_progress

    console = Console()
    settings = report_settings(**given | {"id_key": read_id_key(given.get("id_key"))})
    with show_progress(console) as progress:
        made = make_report(settings, progress)
    print_report(console, made)
    return ExitStatus.COMPLETE


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.study.report.settings import ReportSettings

    return command_of(ReportSettings, report)
