"""Time and cost of a cohort of any size, from constants that were measured. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil


def _constant(value: float, told: str) -> float:
    return field(default=value, metadata={"help": told})


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What was measured, here or on a GPU; each is a flag of scale.py."""

    clips_per_gpu_s: float = _constant(44.0, "448², bf16: an H200's target, not yet measured")
    decode_cpu_s_per_min: float = _constant(2.55, "of 720p25 video at seed-448, all processes")
    distribution: float = _constant(0.89, "of bare decoding, left by the pipeline")
    window_s: float = _constant(5.0, "of a clip")
    video_s: float = _constant(26.8, "of one recording, as BAH's")
    mb_per_min: float = _constant(10.0, "of a recording")
    videos_per_out: float = _constant(2e6, "larger cohorts go to several outputs, by site, at once")
    plan_s_per_million: float = _constant(33.0, "of a driver, to list and plan")
    new_row_ms: float = _constant(0.025, "of a driver, to take a new row into the tables")
    fixed_s: float = _constant(60.0, "actors, and a model from the local disk")
    gpu_hour: float = _constant(4.0, "dollars")
    core_hour: float = _constant(0.04, "dollars")
    gb_month: float = _constant(0.023, "dollars, for keeping the recordings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Of one cohort, scored at once."""

    hours: float
    videos: float
    clips: float
    outputs: int
    gpus: int
    cores: int
    wall_h: float
    gpu_h: float
    core_h: float
    plan_min: float
    tables_min: float
    dollars: float
    storage_dollars_month: float


def estimate(
    hours: float, gpus: int, constants: Constants | None = None, *, cores: int | None = None
) -> Estimate:
    """A cohort of so many hours of video on so many GPUs, with the cores that feed them.

    With fewer `cores` than that takes, GPUs wait for decoders.
    """
    c = constants or Constants()
    videos = hours * 3600 / c.video_s
    clips = videos * max(1, int(c.video_s // c.window_s))
    rate = gpus * c.clips_per_gpu_s
    cpu_s_per_clip = c.decode_cpu_s_per_min * c.window_s / 60 / c.distribution
    if cores is None:
        cores = ceil(rate * cpu_s_per_clip)
    else:
        rate = min(rate, cores / cpu_s_per_clip)
    outputs = ceil(videos / c.videos_per_out)
    in_each = videos / outputs
    plan_s = 2 * in_each / 1e6 * c.plan_s_per_million  # before, and for the tables' names
    tables_s = in_each * c.new_row_ms / 1e3
    work_s = clips / rate
    wall_h = (c.fixed_s + plan_s + work_s + tables_s) / 3600
    machines_h = (c.fixed_s + work_s) / 3600  # workers go when the scores are there
    return Estimate(
        hours=hours,
        videos=videos,
        clips=clips,
        outputs=outputs,
        gpus=gpus,
        cores=cores,
        wall_h=wall_h,
        gpu_h=gpus * machines_h,
        core_h=cores * machines_h,
        plan_min=plan_s / 60,
        tables_min=tables_s / 60,
        dollars=gpus * machines_h * c.gpu_hour + cores * machines_h * c.core_hour,
        storage_dollars_month=hours * 60 * c.mb_per_min / 1e3 * c.gb_month,
    )


def gpus_for(hours: float, within_h: float, constants: Constants | None = None) -> int:
    """The fewest GPUs that score it in that time, all steps included; 0 if none can."""
    low, high = 1, 1
    while estimate(hours, high, constants).wall_h > within_h:
        low, high = high, high * 2
        if high > 1 << 20:
            return 0
    while low < high:
        middle = (low + high) // 2
        if estimate(hours, middle, constants).wall_h > within_h:
            low = middle + 1
        else:
            high = middle
    return low
