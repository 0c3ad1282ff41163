"""Merge LoRA adapters into a model: a checkpoint that score.py loads like any other.

ah-ray merge --base /models/qwen3-omni --adapter /runs/lora-1 --out /models/qwen3-omni-ah
"""

from __future__ import annotations

from pathlib import Path

from ah_ray.cli.job import CommandLine, Given, exits
from ah_ray.escaping import escape_text
from ah_ray.exit_status import ExitStatus


@exits
def merge(given: Given) -> int:
    """Merge LoRA adapters into a model.

    Adapters of peft and ms-swift, of transformers 4 and 5, for attention, dense layers, experts and
    routers. Sums are computed in float32 and stored in the base's own type. A key that the base
    does not have is an error, and so is an adapter that was trained on another base, or is merged
    already. OUT appears when it is complete, with a record of what was merged in merge.json.

    Exit status: 0 complete, 2 wrong configuration, 3 stopped.
    """
    from rich.console import Console

    from ah_ray.cli.screen import byte_progress
    from ah_ray.omni.merged_checkpoint import count_weight_bytes, write_merged_checkpoint
    from ah_ray.omni.weights.download import fetch_adapter, fetch_checkpoint
    from ah_ray.omni.weights.merge_settings import merge_settings

    settings = merge_settings(**given)
    cache = Path(settings.cache) if settings.cache else None
    console = Console(markup=False, highlight=False, soft_wrap=True)
    base = fetch_checkpoint(settings.base, cache, console.print)
    adapters = [fetch_adapter(uri, cache, console.print) for uri in settings.adapter]
    with byte_progress("merging", count_weight_bytes(base), console) as advance:
        record = write_merged_checkpoint(
            base, adapters, Path(settings.out), advance, any_base=settings.any_base
        )
    names = " + ".join(merged["name"] for merged in [record["base"], *record["adapters"]])
    console.print(
        escape_text(f"{settings.out}: {names}; weights changed: {record['weights_changed']:,}")
    )
    return ExitStatus.COMPLETE


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.omni.weights.merge_settings import MergeSettings

    return command_of(MergeSettings, merge)
