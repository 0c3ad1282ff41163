"""How an output stands, from storage alone: what is done, what runs, what failed.

python jobs/status.py s3://bucket/scores
python jobs/status.py s3://bucket/scores --purge withdrawn.csv
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ah_ray.exit_status import ExitStatus, Job, exits

job = Job()


@job.command()
@exits
def status(
    out: Annotated[str, typer.Argument(metavar="OUT", help="An output of score.py or reduce.py.")],
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    purge: Annotated[
        str | None,
        typer.Option(help="Manifest of videos to be removed for good: consent was withdrawn."),
    ] = None,
    id_key: Annotated[
        Path | None, typer.Option(help="With --purge: the --id-key that OUT was scored with.")
    ] = None,
) -> int:
    """Show how an output stands: done, running, failed; who holds it, how fast it goes, how long.

    Nothing is asked but storage, so it works from any machine that may read OUT.

    With --purge MANIFEST (columns uri, optional video_id): removes the rows of these videos, their
    place in both tables, and what run files say of them. Take them out of the cohort too, or the
    next run scores them again.

    Exit status: 0, 2 wrong configuration, 3 storage failed, 4 a run holds OUT (--purge).
    """
    from rich.console import Console

    console = Console()
    if purge is not None:
        from ah_ray.cohort.id_key import read_id_key
        from ah_ray.results.purge import purge as purge_videos
        from ah_ray.results.status_view import print_purged

        key = read_id_key(id_key and str(id_key))
        print_purged(console, out, purge_videos(out, purge, id_key=key))
        return ExitStatus.COMPLETE
    from ah_ray.results.status import read_status
    from ah_ray.results.status_view import print_status

    found = read_status(out)
    if as_json:
        print(json.dumps(found.as_fields(), indent=2))
    else:
        print_status(console, found)
    return ExitStatus.COMPLETE


if __name__ == "__main__":
    job()
