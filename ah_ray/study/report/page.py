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

from ah_ray.study.evaluation.contents import Evaluation, Slice
from ah_ray.study.report.nights import Nights
from ah_ray.study.report.overview import Group, Overview
from ah_ray.study.report.plot import Plot, round_up
from ah_ray.study.report.words import decimal, no_for, shown_threshold, yes_from
from ah_ray.units import clock, length_of_time

GENERATOR = "ah_ray report"
"""As a page says what made it: by that a page may replace it."""

_SCRIPTS = ("shapes.js", "table.js", "video.js")
_NOT_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""What could end the element that holds the data; as JSON the same text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the templates show. What may hold a name is here only where a setting says so."""

    title: str
    overview: Overview
    nights: Nights | None
    tonight: Group | None  # rows of the last run, and those before it
    before: Group | None
    reducer: str
    reducer_in_words: str
    threshold: float
    clip_threshold: float
    clips_in_words: str | None  # of their scores' calibration
    provenance: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    is_demo_model: bool
    has_links: bool
    has_frames: bool
    has_own_ids: bool  # keyed for this page
    n_listed: int  # videos in the page's table
    evaluation: Evaluation | None
    data: dict[str, Any]  # videos.columns


def render(page: Page) -> bytes:
    """The page as UTF-8. Every value is escaped where it stands."""
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
        "clock": clock,
        "length_of_time": length_of_time,
        "comparable": comparable,
        "yes_from": yes_from,
        "no_for": no_for,
        "decimal": decimal,
        "threshold": lambda value: decimal(shown_threshold(value, ())),
    }
    environment.globals |= {"Plot": Plot, "round_up": round_up, "zip": zip}
    style, script = _source(environment, "style.css"), _scripts(environment)
    data = page.data | {
        "clip_threshold": page.clip_threshold,
        "clip_yes_from": yes_from(page.clip_threshold),
        "clips_in_words": page.clips_in_words,
    }
    text = environment.get_template("page.html.jinja").render(
        page=page,
        generator=GENERATOR,
        style=Markup(style),
        script=Markup(script),
        data=Markup(embedded_json(data)),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return text.encode()


def comparable(slices: Iterable[Slice]) -> list[tuple[str, list[Slice]]]:
    """By what people or videos are told apart: only that of which there is more than one group."""
    by: dict[str, list[Slice]] = {}
    for each in slices:
        by.setdefault(each.by, []).append(each)
    return [(name, groups) for name, groups in by.items() if len(groups) > 1]


def embedded_json(value: Any) -> str:
    """JSON that may stand inside an HTML element, whatever its strings hold: plain ASCII."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character, escaped in _NOT_IN_SCRIPT.items():
        text = text.replace(character, escaped)
    return text


def _scripts(environment: Environment) -> str:
    return "\n".join(_source(environment, name) for name in _SCRIPTS)


def _source(environment: Environment, name: str) -> str:
    return environment.loader.get_source(environment, name)[0]


def _hash(text: str) -> str:
    """As a content security policy names an inline element: the only one that may run."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
