"""The outcome of a night, posted to a URL: the webhook of a chat, or a service of your own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import requests

from ah_ray.errors import ConfigError
from ah_ray.escaping import escape_text
from ah_ray.exit_status import ExitStatus
from ah_ray.output.runs import RunSummary
from ah_ray.units import format_clock

_TIMES = 3
_PAUSE_S = 2.0
_TIMEOUT_S = 10.0


def check_url(url: str) -> str:
    """Raise ConfigError if this is no URL to post to. The error leaves it out: it may be secret."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError("--notify: give a URL that begins with https://")
    return url


def outcome_message(
    cohort: str, attempt: str, exit_status: int, summary: RunSummary | None
) -> dict[str, Any]:
    """Return the message: `text` for people (chats show it), the rest for programs."""
    return {
        "text": outcome_text(cohort, exit_status, summary),
        "cohort": cohort,
        "attempt": attempt,
        "exit_status": exit_status,
        "changes": summary.changes if summary else {},
        "summary": summary.as_fields() if summary else None,
    }


def add_drift(message: dict[str, Any], warnings: Sequence[str]) -> dict[str, Any]:
    """Return the message with the warnings of drift, as `drift` and in its text."""
    text = " ".join([message["text"], *(f"{warning}." for warning in warnings)])
    return message | {"text": text, "drift": list(warnings)}


def failure_message(cohort: str, error: Exception) -> dict[str, Any]:
    """Return a message like that of `outcome_message`, about a night that ended with an error."""
    status = ExitStatus.CONFIG if isinstance(error, ConfigError) else ExitStatus.MISSING_ROWS
    message = outcome_message(cohort, "", status, None)
    return message | {"text": f"{cohort}: {escape_text(str(error))}", "attempt": None}


def outcome_text(cohort: str, exit_status: int, summary: RunSummary | None) -> str:
    """Return a line such as `study: complete. 12 new, 1 changed, 0 removed, 2 failed; 0:42:10`."""
    meaning = {
        0: "complete",
        2: "the configuration is wrong",
        3: "rows are missing",
        4: "another run holds the output",
        5: "complete, but too many videos failed",
    }
    head = f"{cohort}: {meaning.get(exit_status, 'it ended unexpectedly')}."
    if summary is None:
        return f"{head} No run has left a summary: see the job's log."
    rates = summary.as_fields()["rates"]
    changes = ", ".join(f"{n:,} {what}" for what, n in summary.changes.items())
    cost = "" if rates["cost"] is None else f", cost {rates['cost']:,.2f}"
    missing = summary.counts.missing if summary.counts else 0
    left = f" {missing:,} videos without a row." if missing else ""
    trouble = f" {summary.trouble}." if summary.trouble else ""
    gpu = f", {summary.gpu_hours:.2f} GPU hours" if summary.gpu_hours else ""
    return f"{head} {changes}; {format_clock(summary.wall_s)}{gpu}{cost}.{left}{trouble}"


def post(url: str, message: dict[str, Any]) -> str | None:
    """Post the message as JSON. Return why that failed, or None. Never raise."""
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
