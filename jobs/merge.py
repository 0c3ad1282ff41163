"""Merge LoRA adapters into a model: a checkpoint that score.py loads like any other.

python jobs/merge.py --base /models/qwen3-omni --adapter /runs/lora-1 --out /models/qwen3-omni-ah
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ah_ray.errors import shown
from ah_ray.exit_status import ExitStatus, Job, exits

job = Job()


@job.command()
@exits
def merge(
    base: Annotated[str, typer.Option(help="Model that the adapter was trained on, or its URI.")],
    adapter: Annotated[
        list[str], typer.Option(help="Adapter of peft or ms-swift, or its URI; repeat in order.")
    ],
    out: Annotated[Path, typer.Option(help="New directory for the merged model.")],
    cache: Annotated[
        Path | None, typer.Option(help="Where models from an object store are kept.")
    ] = None,
) -> int:
    """Merge LoRA adapters into a model.

    Attention, dense layers, experts and routers; from peft or ms-swift, of transformers 4 or 5. The
    sums are made in float32 and stored in the base's own type. A key that has no place in the base
    is an error. OUT appears when it is whole; merge.json in it says what it was made of.

    Exit status: 0 complete, 2 wrong configuration, 3 stopped.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from ah_ray.omni.local_copy import local_adapter, local_checkpoint
    from ah_ray.omni.merged_checkpoint import weight_bytes, write_merged

    console = Console(markup=False, highlight=False, soft_wrap=True)
    here = local_checkpoint(base, cache, console.print)
    adapters = [local_adapter(uri, cache, console.print) for uri in adapter]
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("merging"), *columns, console=console) as progress:
        bar = progress.add_task("merging", total=weight_bytes(here))
        provenance = write_merged(here, adapters, out, lambda n: progress.advance(bar, n))
    names = " + ".join(merged["name"] for merged in [provenance["base"], *provenance["adapters"]])
    console.print(shown(f"{out}: {names}; weights changed: {provenance['weights_changed']:,}"))
    return ExitStatus.COMPLETE


if __name__ == "__main__":
    job()
