"""The page on which a reviewer watches clips and answers: one file, which needs no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files

PAGE_FILE = "index.html"
GENERATOR = "ah_ray clips"
"""The generator that a page names; only such a page may be replaced."""


def review_page(rows: Sequence[dict[str, str]]) -> str:
    """Return HTML for the rows of a sheet. Nothing in them can become markup or script."""
    sheet = json.dumps({"columns": list(rows[0]), "rows": list(rows)}, ensure_ascii=True)
    for mark in "<>&":
        sheet = sheet.replace(mark, f"\\u{ord(mark):04x}")
    template = files("ah_ray.study.review").joinpath("review_page.html").read_text(encoding="utf-8")
    return template.replace("__GENERATOR__", GENERATOR).replace("__SHEET__", sheet)
