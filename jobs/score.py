"""Score every video of a cohort: one Parquet row per video, whatever fails.

python jobs/score.py --demo
python jobs/score.py --videos s3://bucket/cohort --out s3://bucket/scores --model /models/omni
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ah_ray.exit_status import Job, exits, read_config_file

COHORT, MODEL, WINDOWS, VERDICT, MACHINES, LIMITS = (
    "Which videos", "Model", "Windows", "Verdict", "Machines", "Limits for one video",
)  # fmt: skip

app = Job()


def option(text: str, panel: str | None = None, *names: str):
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False)


def settings_of(flags: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, in the file of --config or by flags, which win."""
    given = {name: value for name, value in flags.items() if value not in (None, [], ())}
    config = given.pop("config", None)
    given.pop("demo", None)
    given = {
        name: str(value) if isinstance(value, Path) else value for name, value in given.items()
    }
    return {**read_config_file(config), **given}


@app.command()
@exits(goes_on=True)
def score(
    demo: Annotated[bool, option("Score a small invented cohort with the tiny model.")] = False,
    videos: Annotated[str | None, option("Folder, s3://…, or manifest (.parquet, .csv).")] = None,
    out: Annotated[str | None, option("Folder or s3://… for rows and tables.")] = None,
    model: Annotated[
        list[str] | None,
        option("Checkpoint: a directory, s3://…, or `tiny`; of several, each scores every clip."),
    ] = None,
    profile: Annotated[
        str | None, option("seed (default), seed-448, or a YAML file.", MODEL)
    ] = None,
    config: Annotated[Path | None, option("YAML with these same names; flags win.")] = None,
    plan: Annotated[bool | None, option("Print what would be done; do nothing.", COHORT)] = None,
    limit: Annotated[int | None, option("Score at most this many of the pending.", COHORT)] = None,
    retry_failed: Annotated[bool | None, option("Also those that failed.", COHORT)] = None,
    rescore: Annotated[
        bool | None, option("Replace the rows of another model, profile or window.", COHORT)
    ] = None,
    endings: Annotated[
        str | None, option("Names that count as video, as .mp4,.webm.", COHORT)
    ] = None,
    id_key: Annotated[
        str | None, option("File whose content keys the video_id (names can be guessed).", COHORT)
    ] = None,
    hide_uris: Annotated[
        bool | None, option("Keep names and paths out of all outputs.", COHORT)
    ] = None,
    arithmetic: Annotated[
        str | None, option("bf16 (default on GPU), float32 (on CPU), fp8.", MODEL)
    ] = None,
    adapter: Annotated[
        list[str] | None, option("LoRA merged at load; may be given again.", MODEL)
    ] = None,
    model_cache: Annotated[
        Path | None, option("Where a node keeps a model from s3://…", MODEL)
    ] = None,
    window_s: Annotated[float | None, option("Length of a window: 5.", WINDOWS)] = None,
    hop_s: Annotated[float | None, option("From one start to the next: 5.", WINDOWS)] = None,
    tail: Annotated[str | None, option("A short last window: drop, keep, shift.", WINDOWS)] = None,
    min_tail_s: Annotated[float | None, option("Shorter than this is short: 3.", WINDOWS)] = None,
    reducer: Annotated[
        str | None, option("any (default), mean, topk3, noisyor, share, duration.", VERDICT)
    ] = None,
    threshold: Annotated[float | None, option("Yes from this p_ah on: 0.5.", VERDICT)] = None,
    ensemble: Annotated[
        str | None, option("Of several models: vote (default), mean, mean-logit.", VERDICT)
    ] = None,
    calibration: Annotated[
        list[str] | None,
        option(
            "File of evaluate.py, in place of reducer and threshold; one for each model.", VERDICT
        ),
    ] = None,
    max_failed: Annotated[
        float | None, option("Exit 5 above this share of failed videos: 0.2.", VERDICT)
    ] = None,
    device: Annotated[str | None, option("auto (default), cpu, gpu.", MACHINES)] = None,
    decoders: Annotated[int | None, option("CPU actors; default: all cores.", MACHINES)] = None,
    replicas: Annotated[int | None, option("Loaded models; default: all GPUs.", MACHINES)] = None,
    gpus_per_replica: Annotated[
        int | None, option("Share one model out over so many GPUs of a node: 1.", MACHINES)
    ] = None,
    cost_per_hour: Annotated[
        float | None, option("Of all machines together; for plan and summary.", MACHINES)
    ] = None,
    deadline: Annotated[
        str | None, option("Stop at HH:MM; the rest is for the next run.", MACHINES)
    ] = None,
    gpu_hours: Annotated[
        float | None, option("Stop when the cluster's GPUs were up for so long.", MACHINES)
    ] = None,
    log_json: Annotated[
        bool | None, option("Say all in JSON lines, for log collectors.", MACHINES)
    ] = None,
    max_bytes: Annotated[int | None, option("20 GiB.", LIMITS)] = None,
    max_pixels: Annotated[int | None, option("Of a source frame: 8192 x 4352.", LIMITS)] = None,
    max_duration_s: Annotated[float | None, option("6 hours.", LIMITS)] = None,
    timeout_s: Annotated[float | None, option("Seconds for decoding: 120 …", LIMITS)] = None,
    timeout_s_per_mb: Annotated[
        float | None, option("… and 2 for each 10^6 bytes.", LIMITS)
    ] = None,
    max_memory_bytes: Annotated[
        int | None, option("Address space of ffmpeg: 3 GiB.", LIMITS)
    ] = None,
) -> int:
    """Score every video of a cohort for ambivalence/hesitancy (A/H).

    Needed: --videos, --out and --model; or --demo alone.

    Exit status: 0 complete, 2 wrong configuration, 3 rows are missing, 4 another run holds OUT,
    5 complete, but too many videos failed.
    """
    settings = settings_of(locals())
    if demo:
        from ah_ray.pipeline.demo import run_demo

        return run_demo(settings)
    from ah_ray.config import score_settings
    from ah_ray.pipeline.run import run

    return run(score_settings(**settings))


if __name__ == "__main__":
    app()
