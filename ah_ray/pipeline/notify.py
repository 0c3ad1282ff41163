"""What a night came to, posted to a URL: a chat's webhook, or a service of one's own."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import requests

from ah_ray.errors import ConfigError
from ah_ray.results.runs import RunSummary
from ah_ray.units import clock

_TIMES = 3
_PAUSE_S = 2.0
_TIMEOUT_S = 10.0


def check_url(url: str) -> str:
    """Raises ConfigError if nothing can be posted there; does not say it, it may hold a secret."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError("--notify: give a URL that begins with https://")
    return url


def news(cohort: str, attempt: str, exit_status: int, summary: RunSummary | None) -> dict[str, Any]:
    """The message: `text` for people (chats show it), the rest for machines."""
    return {
        "text": news_text(cohort, exit_status, summary),
        "cohort": cohort,
        "attempt": attempt,
        "exit_status": exit_status,
        "changes": summary.changes if summary else {},
        "summary": summary.as_fields() if summary else None,
    }


def news_text(cohort: str, exit_status: int, summary: RunSummary | None) -> str:
    """`study: complete. 12 new, 1 changed, 0 removed, 2 failed; 0:42:10, cost 3.20`."""
    meaning = {
        0: "complete",
        2: "the configuration is wrong",
        3: "rows are missing",
        4: "another run holds the output",
        5: "complete, but too many videos failed",
    }
    head = f"{cohort}: {meaning.get(exit_status, 'it ended unexpectedly')}."
    if summary is None:
        return f"{head} No run has told what it did: see the job's log."
    rates = summary.as_fields()["rates"]
    changes = ", ".join(f"{n:,} {what}" for what, n in summary.changes.items())
    cost = "" if rates["cost"] is None else f", cost {rates['cost']:,.2f}"
    missing = summary.counts.missing if summary.counts else 0
    left = f" {missing:,} videos without a row." if missing else ""
    trouble = f" {summary.trouble}." if summary.trouble else ""
    gpu = f", {summary.gpu_hours:.2f} GPU hours" if summary.gpu_hours else ""
    return f"{head} {changes}; {clock(summary.wall_s)}{gpu}{cost}.{left}{trouble}"


def post(url: str, message: dict[str, Any]) -> str | None:
    """Posts it as JSON; returns why that failed, if it did. Never raises for it."""
    problem = None
    for attempt in range(_TIMES):
        if attempt:
            time.sleep(_PAUSE_S * attempt)
        try:
            answer = requests.post(url, json=message, timeout=_TIMEOUT_S, allow_redirects=False)
        except requests.RequestException as error:
            problem = type(error).__name__  # its words hold the URL, and that may be a secret
            continue
        if answer.ok:
            return None
        problem = f"status {answer.status_code}"
    return f"--notify: the message was not taken ({problem}, {_TIMES} times)"
