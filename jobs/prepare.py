"""Prepare labelled videos for training and evaluation: windows, splits, pseudonyms.

python jobs/prepare.py --bah /data/BAH --out s3://study/labels --id-key key.txt
python jobs/prepare.py --table labels.csv --out labels --id-key key.txt --split 0.7,0.1,0.2
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ah_ray.errors import shown
from ah_ray.exit_status import ExitStatus, Job, exits, read_config_file

BAH, PEOPLE, WINDOWS, BALANCE, SWIFT = (
    "Parts of BAH, where they lie elsewhere", "People", "Windows", "Balance and splits", "ms-swift",
)  # fmt: skip

job = Job()


def option(text: str, panel: str | None = None, *names: str):
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False)


def settings_of(flags: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, in the file of --config or by flags, which win."""
    given = {name: value for name, value in flags.items() if value not in (None, [], ())}
    config = given.pop("config", None)
    return {**read_config_file(config), **given}


@job.command()
@exits
def prepare(
    out: Annotated[str | None, option("Folder or s3://… for the labelled manifest.")] = None,
    bah: Annotated[str | None, option("Folder of the BAH data set.")] = None,
    table: Annotated[
        str | None,
        option("Any other: CSV or Parquet with uri, label, participant [, start_s, end_s, split]."),
    ] = None,
    import_swift: Annotated[str | None, option("Or a JSONL of ms-swift.")] = None,
    videos: Annotated[
        str | None, option("What score.py --videos names, so that ids agree: the folder of --bah.")
    ] = None,
    config: Annotated[Path | None, option("YAML with these same names; flags win.")] = None,
    skip_faulty: Annotated[
        bool | None, option("Leave faulty videos out, and count them, instead of ending.")
    ] = None,
    splits: Annotated[str | None, option("Folder of train.txt, val.txt, test.txt.", BAH)] = None,
    annotations: Annotated[
        str | None, option("YAML of all videos, or a folder with one each.", BAH)
    ] = None,
    meta: Annotated[str | None, option("meta_data.yml.", BAH)] = None,
    participant_pattern: Annotated[
        str | None, option("Regular expression: whose video it is, in its path.", PEOPLE)
    ] = None,
    id_key: Annotated[str | None, option("File whose content keys all pseudonyms.", PEOPLE)] = None,
    plain_participants: Annotated[
        bool | None,
        # Without a --no-… beside it, so that --help has room for the whole name on 80 columns.
        option("No pseudonyms: the people are invented or public.", PEOPLE, "--plain-participants"),
    ] = None,
    consent: Annotated[
        list[str] | None,
        option("Only who agreed: challenges, publications, or a column; repeatable.", PEOPLE),
    ] = None,
    window_s: Annotated[float | None, option("Longest window: 5.", WINDOWS)] = None,
    tail: Annotated[str | None, option("A short last piece: drop, keep, shift.", WINDOWS)] = None,
    min_tail_s: Annotated[float | None, option("Shorter than this is short: 3.", WINDOWS)] = None,
    min_window_s: Annotated[float | None, option("Shorter ones are none: 0.25.", WINDOWS)] = None,
    slack_s: Annotated[
        float | None, option("A mark may end so far past the video's end: 0.5.", WINDOWS)
    ] = None,
    negatives: Annotated[
        str | None, option("clean videos (default); unmarked: of A/H videos too.", WINDOWS)
    ] = None,
    margin_s: Annotated[
        float | None, option("Between a mark and an unmarked negative: 0.", WINDOWS)
    ] = None,
    balance: Annotated[
        str | None, option("Of train: none (default), weights, draw.", BALANCE)
    ] = None,
    split: Annotated[
        str | None, option("Shares drawn by participant: 0.7,0.1,0.2.", BALANCE)
    ] = None,
    seed: Annotated[int | None, option("Of all that is drawn: 0.", BALANCE)] = None,
    export_swift: Annotated[
        str | None, option("JSONL for ms-swift: train; val and test lie beside it.", SWIFT)
    ] = None,
    cut_clips: Annotated[
        str | None, option("Folder for the export's clips: mp4 and 16 kHz wav.", SWIFT)
    ] = None,
) -> int:
    """Turn labels into a labelled manifest: one row per training window, one per video.

    Needed: --out; one of --bah, --table, --import-swift; and --id-key (or --plain-participants).
    What is wrong in the labels is listed, all of it, with file and line; nothing is written then.

    Exit status: 0 complete, 2 wrong configuration or labels, 3 stopped, or storage failed.
    """
    given = settings_of(locals())
    from rich.console import Console

    from ah_ray.study.faults import FaultyInput
    from ah_ray.study.prepare.make import prepare as prepare_labels
    from ah_ray.study.prepare.prepared import print_prepared
    from ah_ray.study.prepare.settings import prepare_settings

    try:
        prepared = prepare_labels(prepare_settings(**given), Console(stderr=True))
    except FaultyInput as error:
        print(*(shown(str(fault)) for fault in error.faults), sep="\n", file=sys.stderr)
        raise
    for fault in prepared.skipped:
        print(f"left out: {shown(str(fault))}", file=sys.stderr)
    print_prepared(Console(), prepared.out, prepared.about, prepared.manifest)
    return ExitStatus.COMPLETE


if __name__ == "__main__":
    job()
