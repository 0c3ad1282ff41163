"""Show the state of an output, from storage alone: what is done, what runs, what failed.

ah-ray status s3://bucket/scores
ah-ray status s3://bucket/scores --purge withdrawn.csv
ah-ray status s3://bucket/scores --duplicates --labels labels
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ah_ray.cli.job import CommandLine, Given, exits
from ah_ray.exit_status import ExitStatus

if TYPE_CHECKING:
    from rich.console import Console

    from ah_ray.results.settings import StatusSettings


@exits
def status(given: Given) -> int:
    """Show what is done, running and failed in an output, which run holds it, and its speed.

    Only storage is read, so it works from any machine that may read OUT.

    With --purge MANIFEST (columns uri, optional video_id) the rows of these videos are removed, and
    so are their lines in both tables and in run files. With --also FOLDER their clips in a folder
    of clips.py and their labels in one of prepare.py are removed too; folders beside OUT that still
    hold some are named. Take the videos out of the cohort as well, or the next run scores them
    again.

    With --duplicates the recordings that are nearly the same are listed instead: copies that were
    encoded again, made smaller or trimmed. A pair of other participants, or of other splits of
    --labels, is a leak.

    Exit status: 0, 2 wrong configuration, 3 storage failed, 4 a run holds OUT (--purge).
    """
    from rich.console import Console

    from ah_ray.results.settings import status_settings

    settings, console = status_settings(**given), Console()
    if settings.purge is not None:
        return _purge(settings, settings.purge, console)
    if settings.duplicates:
        return _duplicates(settings, console)
    from ah_ray.results.status import read_status
    from ah_ray.results.status_view import print_status

    found = read_status(settings.out)
    if settings.as_json:
        print(json.dumps(found.as_fields(), indent=2))
    else:
        print_status(console, found)
    return ExitStatus.COMPLETE


def _duplicates(settings: StatusSettings, console: Console) -> int:
    from ah_ray.results.duplicates import find_duplicates
    from ah_ray.results.duplicates_view import as_fields, print_duplicates

    splits = None
    if settings.labels is not None:
        from ah_ray.study.labelled_manifest import read_labelled_videos

        videos = read_labelled_videos(settings.labels).select(["video_id", "split"]).to_pylist()
        splits = {video["video_id"]: video["split"] for video in videos}
    found = find_duplicates(settings.out, similarity=settings.similarity, splits=splits)
    if settings.as_json:
        print(json.dumps(as_fields(found), indent=2))
    else:
        print_duplicates(console, found)
    return ExitStatus.COMPLETE


def _purge(settings: StatusSettings, manifest: str, console: Console) -> int:
    from ah_ray.cli.screen import say
    from ah_ray.cohort.id_key import read_id_key
    from ah_ray.results.purge import purge_videos
    from ah_ray.results.status_view import print_purged
    from ah_ray.study.withdrawal import held_beside, held_in, remove_from

    for folder in settings.also:
        held_in(folder, (), ())  # raises for a wrong folder before anything is removed
    purged = purge_videos(settings.out, manifest, id_key=read_id_key(settings.id_key))
    videos = (purged.sought_ids, purged.sought_uris)
    for folder in settings.also:
        held = remove_from(folder, *videos)
        say(console, f"Also      {held.clips + held.windows:,} removed from {folder}")
    for held in held_beside(settings.out, *videos):
        say(console, f"Still in  {held.folder}: give it with --also to remove them there")
    print_purged(console, settings.out, purged)
    return ExitStatus.COMPLETE


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.results.settings import StatusSettings

    return command_of(StatusSettings, status)
