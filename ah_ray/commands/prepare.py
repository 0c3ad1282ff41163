"""Prepare labelled videos for training and evaluation: windows, splits, pseudonyms.

ah-ray prepare --bah /data/BAH --out s3://study/labels --id-key key.txt
ah-ray prepare --table labels.csv --out labels --id-key key.txt --split 0.7,0.1,0.2
ah-ray prepare --elan annotations --vocabulary words.yaml --out labels --id-key key.txt
"""

from __future__ import annotations

from ah_ray.cli.job import CommandLine, Given, exits, print_faults
from ah_ray.exit_status import ExitStatus


@exits
def prepare(given: Given) -> int:
    """Turn labels into a labelled manifest: one row per training window, one per video.

    Give --out; one source: --bah, --table, --import-swift, --elan, --boris or --label-studio; and
    --id-key (or --plain-participants).
    If there are errors in the labels, all of them are listed with file and line, and nothing is
    written.

    Exit status: 0 complete, 2 wrong configuration or labels, 3 stopped, or storage failed.
    """
    from rich.console import Console

    from ah_ray.study.label_errors import FaultyInput
    from ah_ray.study.prepare.make import prepare as prepare_labels
    from ah_ray.study.prepare.prepared import print_prepared
    from ah_ray.study.prepare.settings import prepare_settings

    try:
        prepared = prepare_labels(prepare_settings(**given), Console(stderr=True))
    except FaultyInput as error:
        print_faults(error.faults)
        raise
    print_faults(prepared.skipped, "left out: ")
    print_prepared(Console(), prepared.out, prepared.about, prepared.manifest)
    return ExitStatus.COMPLETE


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.study.prepare.settings import PrepareSettings

    return command_of(PrepareSettings, prepare)
