"""One HTML page of an output: for people, from disk, with no network.

python jobs/report.py scores
python jobs/report.py scores --labels labels --link-videos
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ah_ray.exit_status import ExitStatus, Job, exits

job = Job()


@job.command()
@exits
def report(
    out: Annotated[str, typer.Argument(metavar="OUT", help="An output of score.py or reduce.py.")],
    to: Annotated[
        str | None, typer.Option(help="Where the page goes: OUT/report.html unless given.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Output of prepare.py: adds measures, and labels of videos.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Of the labels: test (default), val, train, all.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="At the head of the page.")] = None,
    link_videos: Annotated[
        bool, typer.Option("--link-videos", help="Names recordings, and links to each moment.")
    ] = False,
    with_frames: Annotated[
        bool, typer.Option("--with-frames", help="Adds pictures from the recordings.")
    ] = False,
    id_key: Annotated[
        Path | None, typer.Option(help="File whose bytes key the ids on the page anew.")
    ] = None,
) -> int:
    """Make one self-contained HTML page: overview, measures, a table of videos and timelines.

    Without --link-videos and --with-frames it holds no name, no path and no picture.

    Exit status: 0 complete, 2 wrong configuration, 3 stopped, or storage failed.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    from ah_ray.cohort.id_key import read_id_key
    from ah_ray.study.report.make import make_report
    from ah_ray.study.report.settings import report_settings
    from ah_ray.study.report.view import print_made, showing

    console = Console()
    settings = report_settings(**given | {"id_key": read_id_key(id_key and str(id_key))})
    with showing(console) as progress:
        made = make_report(settings, progress)
    print_made(console, made)
    return ExitStatus.COMPLETE


if __name__ == "__main__":
    job()
