"""The whole way from an output to its page: read, count, render, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.config import Windows
from ah_ray.errors import ConfigError, StorageError
from ah_ray.installation import ah_ray_version
from ah_ray.omni.weights.checkpoint import TINY
from ah_ray.output.config import OutputConfig, require_config
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.output.runs import RunSummary, latest_summaries
from ah_ray.profile import DEFAULT_CONSTRUCT
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.schema import Evaluation
from ah_ray.study.labelled_manifest import read_labelled_videos
from ah_ray.study.replaceable import check_replaceable, made_by
from ah_ray.study.report.control import drift_of
from ah_ray.study.report.finite import replace_not_finite
from ah_ray.study.report.lanes import LANE_COLUMNS, describe_lanes, lane_columns
from ah_ray.study.report.nights import compare_nights
from ah_ray.study.report.overview import count_overview, split_by_run
from ah_ray.study.report.page import GENERATOR, Page, render_page
from ah_ray.study.report.people import people_columns, read_people
from ah_ray.study.report.settings import ReportSettings
from ah_ray.study.report.trust import headline, length_bias
from ah_ray.study.report.videos import (
    CLIP_COLUMNS,
    calibrate_clips,
    make_columns,
    select_videos,
)
from ah_ray.study.report.wording import describe_clip_scores, describe_reduction, round_threshold
from ah_ray.verdicts.verdict import clip_threshold, reducer_name

if TYPE_CHECKING:  # what decodes videos is imported only where pictures are asked for
    from ah_ray.study.report.pictures import Thumbnails

_LOOK_AT_RUNS = 400
OpenProgress = Callable[[int], Callable[[], None]]
"""Takes the number of videos that will be opened; returns what is called after each."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReport:
    """The page that was written."""

    file: str
    n_bytes: int
    n_videos: int
    n_listed: int
    frames: Thumbnails | None  # None without --with-frames


@dataclass(frozen=True, slots=True, kw_only=True)
class _Output:
    """All that is read from OUT and the labels."""

    config: OutputConfig
    runs: list[RunSummary]  # newest first
    verdicts: pa.Table
    clips: pa.Table
    labels: dict[str, Row] | None  # rows of LABELLED_VIDEOS by video_id
    evaluation: Evaluation | None
    lanes: dict[str, Any] | None  # further questions, if any were asked


def make_report(
    settings: ReportSettings, progress: OpenProgress = lambda n: lambda: None
) -> WrittenReport:
    """Write the page. Raise ConfigError if OUT or the labels are wrong, StorageError."""
    output = _read_output(settings)
    listed = select_videos(output.verdicts, settings.most_videos)
    clips = output.clips.filter(
        pc.is_in(output.clips["video_id"], value_set=listed["video_id"].combine_chunks())
    )
    frames: Thumbnails | None = None
    if settings.with_frames:
        from ah_ray.study.report.pictures import take_thumbnails

        frames = take_thumbnails(listed, clips, progress(len(listed)))
    content = render_page(_make_page(settings, output, listed, clips, frames))
    storage.write_whole(settings.file, content)
    return WrittenReport(
        file=settings.file,
        n_bytes=len(content),
        n_videos=len(output.verdicts),
        n_listed=len(listed),
        frames=frames,
    )


def _read_output(settings: ReportSettings) -> _Output:
    out = storage.normalise(settings.out)
    try:
        config, runs = require_config(out), list(latest_summaries(out, _LOOK_AT_RUNS))
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None
    _check_names(settings, config)
    _check_file(settings)
    verdicts = replace_not_finite(read_verdicts(out))
    if not len(verdicts):
        raise ConfigError(f"{out} holds no video: there is nothing to show")
    labels, evaluation = _evaluate(settings)
    lanes = describe_lanes(config.profiles)
    return _Output(
        config=config,
        runs=runs,
        verdicts=verdicts,
        clips=replace_not_finite(read_clips(out, _clip_columns(lanes))),
        lanes=lanes,
        labels=labels,
        evaluation=evaluation,
    )


def _clip_columns(lanes: dict[str, Any] | None) -> list[str]:
    more = LANE_COLUMNS if lanes else ()
    return list(dict.fromkeys([*CLIP_COLUMNS, "answer_mass", *more]))


def _check_file(settings: ReportSettings) -> None:
    """Check this before recordings are opened, which may take long."""
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


def _make_page(
    settings: ReportSettings,
    output: _Output,
    listed: pa.Table,
    clips: pa.Table,
    frames: Thumbnails | None,
) -> Page:
    config, verdicts = output.config, output.verdicts
    construct = config.construct_name
    nights = compare_nights(output.runs)
    tonight, before = split_by_run(verdicts, nights.run_id) if nights else (None, None)
    clips = calibrate_clips(clips, config.reduction)
    threshold = round_threshold(
        float(verdicts["threshold"][0].as_py()), verdicts["p_ah"].drop_null().to_numpy()
    )
    of_clips = round_threshold(
        clip_threshold(config.reduction), clips["p_ah"].drop_null().to_numpy()
    )
    provenance = _provenance(config, verdicts, output.evaluation)
    data = make_columns(
        listed,
        clips,
        threshold=threshold,
        clip_threshold=of_clips,
        windows=config.scoring.windows if config.scoring else Windows(),
        links=settings.link_videos,
        id_key=settings.id_key,
        labels=output.labels,
        frames=frames.by_video if frames else None,
    )
    data["lanes"] = output.lanes
    if output.lanes:
        data["videos"] |= lane_columns(output.lanes, clips, listed["video_id"])
    n_unassigned = _add_people(data, settings, output, listed)
    return Page(
        title=settings.title or _title(construct),
        construct=construct,
        as_of=_day(pc.max(verdicts["scored_at"]).as_py()),
        model=_model_names(verdicts),
        overview=count_overview(verdicts),
        headline=headline(output.evaluation) if output.evaluation else None,
        length_bias=length_bias(verdicts),
        drift=drift_of(output.runs, verdicts, output.clips, config.config_fingerprint),
        nights=nights,
        tonight=tonight,
        before=before,
        reducer=reducer_name(config.reduction),
        reducer_in_words=describe_reduction(config.reduction),
        threshold=threshold,
        clip_threshold=of_clips,
        clips_in_words=describe_clip_scores(config.reduction),
        provenance=provenance,
        notes=tuple(_notes(config, verdicts)),
        is_demo_model=_is_demo(config),
        has_links=settings.link_videos,
        has_frames=settings.with_frames,
        has_own_ids=settings.id_key is not None,
        has_plain_participants=settings.plain_participants,
        n_unassigned=n_unassigned,
        n_listed=len(listed),
        evaluation=output.evaluation,
        data=data,
    )


def _add_people(
    data: dict[str, Any], settings: ReportSettings, output: _Output, listed: pa.Table
) -> int:
    """Add participants to the page's data. Return how many videos have none."""
    people = read_people(output.verdicts, settings.participants, output.labels)
    found = people_columns(
        listed["video_id"].to_pylist(),
        people,
        listed["last_modified"].to_pylist(),
        plain=settings.plain_participants,
        id_key=settings.id_key,
    )
    data["participants"], data["axis"] = found["participants"], found["axis"]
    if found["participants"]:
        data["videos"] |= found["videos"]
    return int(found["videos"]["participant"].count(None))


def _is_demo(config: OutputConfig) -> bool:
    """Return whether the demonstration model is among those that scored."""
    scorings = [config.scoring] if config.scoring else [each.scoring for each in config.members]
    names = [alone.model for scoring in scorings for alone in scoring.each_alone() or (scoring,)]
    return any(name.split("+")[0] == TINY for name in names)


def _evaluate(settings: ReportSettings) -> tuple[dict[str, Row] | None, Evaluation | None]:
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
    """Return which versions the verdicts come from. A model's path is cut to its name."""

    def all_of(column: str) -> str:
        return ", ".join(sorted({str(value) for value in verdicts[column].unique().to_pylist()}))

    scored_at = pc.min_max(verdicts["scored_at"]).as_py()
    days = sorted({f"{scored_at[end]:%Y-%m-%d}" for end in ("min", "max")})
    lines = [
        ("Model", _model_names(verdicts)),
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


def _model_names(verdicts: pa.Table) -> str:
    return ", ".join(
        sorted({PurePosixPath(m).name for m in verdicts["model"].unique().to_pylist()})
    )


def _title(construct: str) -> str:
    if construct == DEFAULT_CONSTRUCT:
        return "Ambivalence and hesitancy in recordings"
    return f"{construct[:1].upper()}{construct[1:]} in recordings"


def _day(moment: datetime) -> str:
    return f"{moment:%-d %B %Y}"


def _notes(config: OutputConfig, verdicts: pa.Table) -> Iterator[str]:
    other = pc.not_equal(verdicts["config_fingerprint"], config.config_fingerprint)
    if n_other := pc.sum(other).as_py():
        yield (
            f"{n_other:,} rows were scored in another configuration: a --rescore has not ended. "
            "Figures on this page mix both."
        )
