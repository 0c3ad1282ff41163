"""From an output to its page: read, count, render, write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.config import Windows
from ah_ray.errors import ConfigError, StorageError
from ah_ray.omni.checkpoint import TINY
from ah_ray.results.outputs import OutputConfig, config_in
from ah_ray.results.read import read_clips, read_verdicts
from ah_ray.results.row import ah_ray_version
from ah_ray.results.runs import RunSummary, latest_summaries
from ah_ray.results.verdict import clip_threshold, reducer_name
from ah_ray.study.evaluation.bootstrap import Bootstrap
from ah_ray.study.evaluation.contents import Evaluation
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.labels import read_labelled_videos
from ah_ray.study.replaceable import check_replaceable, made_by
from ah_ray.study.report import overview as first_screen
from ah_ray.study.report import videos
from ah_ray.study.report.nights import nights
from ah_ray.study.report.page import GENERATOR, Page, render
from ah_ray.study.report.pictures import Thumbnails, thumbnails
from ah_ray.study.report.settings import ReportSettings
from ah_ray.study.report.words import clips_in_words, in_words, shown_threshold

_LOOK_AT_RUNS = 20
Progress = Callable[[int], Callable[[], None]]
"""Told how many videos will be opened, gives what is called after each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was written."""

    file: str
    n_bytes: int
    n_videos: int
    n_listed: int
    frames: Thumbnails | None  # null: none were asked for


def make_report(settings: ReportSettings, progress: Progress = lambda n: lambda: None) -> Made:
    """Writes the page. Raises ConfigError if OUT or the labels are none, StorageError."""
    out = storage.normalise(settings.out)
    config, runs = _read_about(out)
    _check_names(settings, config)
    _check_file(settings)
    verdicts, clips = read_verdicts(out), read_clips(out, videos.CLIP_COLUMNS)
    if not len(verdicts):
        raise ConfigError(f"{out} holds no video: there is nothing to show")
    listed = videos.shown_videos(verdicts, settings.most_videos)
    clips = clips.filter(pc.is_in(clips["video_id"], value_set=pa.array(listed["video_id"])))
    frames = thumbnails(listed, clips, progress(len(listed))) if settings.with_frames else None
    page = _page(settings, config, runs, verdicts, listed, clips, frames)
    content = render(page)
    storage.write_whole(settings.file, content)
    return Made(
        file=settings.file,
        n_bytes=len(content),
        n_videos=len(verdicts),
        n_listed=len(listed),
        frames=frames,
    )


def _read_about(out: str) -> tuple[OutputConfig, list[RunSummary]]:
    try:
        return config_in(out), list(latest_summaries(out, _LOOK_AT_RUNS))
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None


def _check_file(settings: ReportSettings) -> None:
    """Before recordings are opened, which may take long."""
    place, is_ours = settings.to or settings.file, made_by(GENERATOR)
    check_replaceable("--to", place, is_ours, kind="page of report.py", out=settings.out)


def _check_names(settings: ReportSettings, config: OutputConfig) -> None:
    for flag, wanted in (
        ("--link-videos", settings.link_videos),
        ("--with-frames", settings.with_frames),
    ):
        if wanted and config.hide_uris:
            raise ConfigError(
                f"{flag}: {settings.out} was written with --hide-uris, so it does not tell where "
                "its videos are"
            )


def _page(
    settings: ReportSettings,
    config: OutputConfig,
    runs: list[RunSummary],
    verdicts: pa.Table,
    listed: pa.Table,
    clips: pa.Table,
    frames: Thumbnails | None,
) -> Page:
    last_two = nights(runs)
    tonight, before = first_screen.by_run(verdicts, last_two.run_id) if last_two else (None, None)
    clips = videos.calibrated(clips, config.reduction)
    threshold = shown_threshold(
        float(verdicts["threshold"][0].as_py()), verdicts["p_ah"].drop_null().to_numpy()
    )
    of_clips = shown_threshold(
        clip_threshold(config.reduction), clips["p_ah"].drop_null().to_numpy()
    )
    labels, evaluation = _labelled(settings)
    return Page(
        title=settings.title,
        overview=first_screen.overview(verdicts),
        nights=last_two,
        tonight=tonight,
        before=before,
        reducer=reducer_name(config.reduction),
        reducer_in_words=in_words(config.reduction),
        threshold=threshold,
        clip_threshold=of_clips,
        clips_in_words=clips_in_words(config.reduction),
        provenance=_provenance(config, verdicts, evaluation),
        notes=tuple(_notes(config, verdicts)),
        is_demo_model=_is_demo(config),
        has_links=settings.link_videos,
        has_frames=settings.with_frames,
        has_own_ids=settings.id_key is not None,
        n_listed=len(listed),
        evaluation=evaluation,
        data=videos.columns(
            listed,
            clips,
            threshold=threshold,
            clip_threshold=of_clips,
            windows=config.scoring.windows if config.scoring else Windows(),
            links=settings.link_videos,
            id_key=settings.id_key,
            labels=labels,
            frames=frames and frames.by_video,
        ),
    )


def _is_demo(config: OutputConfig) -> bool:
    """Whether the demonstration model is among those that scored, with an adapter or without."""
    scorings = [config.scoring] if config.scoring else [each.scoring for each in config.members]
    names = [alone.model for scoring in scorings for alone in scoring.each_alone() or (scoring,)]
    return any(name.split("+")[0] == TINY for name in names)


def _labelled(settings: ReportSettings) -> tuple[dict[str, dict] | None, Evaluation | None]:
    if settings.labels is None:
        return None, None
    table = read_labelled_videos(settings.labels)
    found = evaluate(
        [settings.out],
        settings.labels,
        split=settings.split,
        bootstrap=Bootstrap(draws=settings.draws),
    )
    return {row["video_id"]: row for row in table.to_pylist()}, found


def _provenance(
    config: OutputConfig, verdicts: pa.Table, evaluation: Evaluation | None
) -> tuple[tuple[str, str], ...]:
    """Which versions said so; a model's path is cut to its name."""

    def all_of(column: str) -> str:
        return ", ".join(sorted({str(value) for value in verdicts[column].unique().to_pylist()}))

    models = sorted({PurePosixPath(m).name for m in verdicts["model"].unique().to_pylist()})
    scored_at = pc.min_max(verdicts["scored_at"]).as_py()
    days = sorted({f"{scored_at[end]:%Y-%m-%d}" for end in ("min", "max")})
    lines = [
        ("Model", ", ".join(models)),
        ("Model fingerprint", all_of("model_fingerprint")),
        ("Profile", all_of("profile")),
        ("Configuration", config.config_fingerprint),
        ("Reducer", reducer_name(config.reduction)),
        ("Calibration", config.reduction.calibration_fingerprint or "none"),
        ("Scored", f"{' to '.join(days)} (UTC)"),
        ("ah_ray", all_of("ah_ray_version")),
        ("ffmpeg", all_of("ffmpeg_version")),
        ("This page by", f"ah_ray {ah_ray_version()}"),
    ]
    if evaluation is not None:
        lines.append(("Labels", evaluation.labels.data_fingerprint))
    return tuple(lines)


def _notes(config: OutputConfig, verdicts: pa.Table):
    other = pc.not_equal(verdicts["config_fingerprint"], config.config_fingerprint)
    if n_other := pc.sum(other).as_py():
        yield (
            f"{n_other:,} rows were scored in another configuration: a --rescore has not ended. "
            "Figures on this page mix both."
        )
