"""Templates, style, script and data become one text that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ah_ray.profile import DEFAULT_CONSTRUCT
from ah_ray.results.drift import FEWEST_NIGHTS, Chart, Drift
from ah_ray.study.evaluation.schema import CurvePoint, Evaluation, Slice
from ah_ray.study.report.nights import NightComparison
from ah_ray.study.report.overview import Group, Overview
from ah_ray.study.report.plot import Plot, round_up, round_up_share
from ah_ray.study.report.trust import Headline, LengthBias
from ah_ray.study.report.wording import describe_no, describe_yes, format_decimal, round_threshold
from ah_ray.units import format_clock, format_duration

GENERATOR = "ah_ray report"
"""The name that a page carries: a file with it may be replaced."""

PURPOSE = "An aid for screening and research, not a diagnosis."

_SCRIPTS = (
    "shapes.js", "data.js", "lanes.js", "address.js", "csv.js", "grid.js", "videos.js", "player.js",
    "video.js", "participants.js", "start.js",
)  # fmt: skip
_NOT_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""Characters that could end the element that holds the data, as the same text in JSON."""

_PLAYABLE = ("file", "http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that the templates show. Names are here only where a setting says so."""

    title: str
    construct: str  # what the first question is about
    as_of: str  # `2 January 2026`: the day of the last score
    model: str
    overview: Overview
    headline: Headline | None  # with labels
    length_bias: LengthBias
    drift: Drift | None
    nights: NightComparison | None
    tonight: Group | None  # rows of the last run, and all others
    before: Group | None
    reducer: str
    reducer_in_words: str
    threshold: float
    clip_threshold: float
    clips_in_words: str | None  # whether the scores of clips are calibrated
    provenance: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    is_demo_model: bool
    has_links: bool
    has_frames: bool
    has_own_ids: bool  # keyed for this page
    has_plain_participants: bool
    n_unassigned: int  # videos in the table whose participant is unknown
    n_listed: int  # videos in the page's table
    evaluation: Evaluation | None
    data: dict[str, Any]  # videos.make_columns and people.people_columns

    @property
    def construct_in_words(self) -> str:
        """Return the construct as a sentence has it."""
        return "ambivalence or hesitancy" if self.construct == DEFAULT_CONSTRUCT else self.construct

    @property
    def has_participants(self) -> bool:
        """Return whether the participant of at least one video is known."""
        return bool(self.data.get("participants"))


def render_page(page: Page) -> bytes:
    """Return the page as UTF-8. Every value is escaped where it stands."""
    environment = Environment(
        loader=PackageLoader("ah_ray.study.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": lambda n: f"{n:,}",
        "share": lambda value: "–" if value is None else f"{value:.0%}",
        "p": lambda value: "–" if value is None else f"{value:.3f}",
        "clock": format_clock,
        "length_of_time": format_duration,
        "comparable": comparable_slices,
        "defined_values": defined_values,
        "yes_from": describe_yes,
        "no_for": describe_no,
        "decimal": format_decimal,
        "threshold": lambda value: format_decimal(round_threshold(value, ())),
    }
    environment.globals |= {
        "Plot": Plot,
        "round_up": round_up,
        "round_up_share": round_up_share,
        "zip": zip,
        "chart_value": chart_value,
        "fewest_nights": FEWEST_NIGHTS,
    }
    style, script = _source(environment, "style.css"), _scripts(environment)
    data = page.data | {
        "threshold": page.threshold,
        "clip_threshold": page.clip_threshold,
        "clip_yes_from": describe_yes(page.clip_threshold),
        "clips_in_words": page.clips_in_words,
        "page": {
            "title": page.title,
            "as_of": page.as_of,
            "model": page.model,
            "purpose": PURPOSE,
            "construct": page.construct,
        },
    }
    text = environment.get_template("page.html.jinja").render(
        page=page,
        generator=GENERATOR,
        style=Markup(style),
        script=Markup(script),
        data=Markup(embed_json(data)),
        style_hash=_hash(style),
        script_hash=_hash(script),
        media_policy=media_policy(page.data),
    )
    return text.encode()


def media_policy(data: dict[str, Any]) -> str:
    """Return the directive that lets the page play its recordings; empty if it links none.

    Only the schemes of the page's own links are allowed, and nothing else can be loaded.
    """
    urls = data["videos"].get("url") or ()
    schemes = {url.split(":", 1)[0] for url in urls if url}
    allowed = [f"{scheme}:" for scheme in _PLAYABLE if scheme in schemes]
    return f"; media-src {' '.join(allowed)}" if allowed else ""


def chart_value(chart: Chart, value: float | None) -> str:
    """Return a value of a control chart: `12%`, `0.345`, or `–`."""
    if value is None:
        return "–"
    if not chart.is_share:
        return f"{value:.3f}"
    return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


def defined_values(points: Iterable[CurvePoint], name: str) -> list[float | None]:
    """Return a measure at each threshold; None where it is not defined.

    Without a Yes there is no precision: 0/0 is not 0.
    """
    return [
        None if name == "precision_ah" and not point.share_yes else getattr(point, name)
        for point in points
    ]


def comparable_slices(slices: Iterable[Slice]) -> list[tuple[str, list[Slice]]]:
    """Return the groups by attribute, for attributes that have more than one group."""
    by: dict[str, list[Slice]] = {}
    for each in slices:
        by.setdefault(each.by, []).append(each)
    return [(name, groups) for name, groups in by.items() if len(groups) > 1]


def embed_json(value: Any) -> str:
    """Return JSON in ASCII that is safe inside an HTML element, for any text in it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character, escaped in _NOT_IN_SCRIPT.items():
        text = text.replace(character, escaped)
    return text


def _scripts(environment: Environment) -> str:
    return "\n".join(_source(environment, name) for name in _SCRIPTS)


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _hash(text: str) -> str:
    """Return the hash by which a content security policy allows one inline element."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
