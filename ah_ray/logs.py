"""Events that a process logs for machines: one line each, with their fields.

    {"time": "2026-01-02T03:04:05.678Z", "level": "warning", "event": "video", "run_id": …,
     "video_id": …, "status": "failed", "error_kind": "decode", "error": …}

Decoders, replicas and reducers write to their own error streams, which Ray keeps as files. The
driver writes events only with `--log-json`, and then nothing else. No line holds a credential; with
`--hide-uris`, no line holds a path.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from ah_ray.escaping import escape_text, remove_secrets
from ah_ray.naming import HIDDEN, hide_names, remove_paths

_LOGGER = logging.getLogger("ah_ray")
_LOGGER.addHandler(logging.NullHandler())  # a library logs nothing until `start`

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|ACCESS_KEY|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 6  # a shorter one may be part of ordinary words


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How a process of a run logs."""

    json: bool = False
    hide_uris: bool = False
    run_id: str | None = None


def start(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Write this process's events to `stream` from now on.

    Without `stream` the process is a worker of a run: events go to its error stream, and its error
    messages hide names as its events do.
    """
    if stream is None:
        hide_names(settings.hide_uris)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_AsJson(settings) if settings.json else _AsText(settings))
    _LOGGER.handlers = [handler]
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False


def event(name: str, text: str = "", *, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event. Fields are plain values; null ones are left out."""
    _LOGGER.log(level, "%s", text, extra={"event": name, "fields": fields})


def find_secrets() -> list[str]:
    """Return the credentials in this process's environment."""
    return [
        value
        for name, value in os.environ.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
    ]


def scrub_text(text: str, secrets: Sequence[str], *, hide_uris: bool = False) -> str:
    """Return the text without these secrets, secrets in URLs and, if asked for, paths."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = remove_secrets(text)
    return remove_paths(text) if hide_uris else text


class _Formatter(logging.Formatter):
    def __init__(self, settings: LogSettings):
        super().__init__()
        self._settings = settings
        self._secrets = find_secrets()

    def _content(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the line's fields after its time, without nulls and secrets."""
        fields = {"run_id": self._settings.run_id, **getattr(record, "fields", {})}
        fields["text"] = record.getMessage() or None
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return {name: self._clean(value) for name, value in fields.items() if value is not None}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return scrub_text(value, self._secrets, hide_uris=self._settings.hide_uris)
        if isinstance(value, Mapping):
            return {str(name): self._clean(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(part) for part in value]
        return value

    def _when(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _AsJson(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        head = {
            "time": self._when(record),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
        }
        return json.dumps(head | self._content(record), ensure_ascii=False, default=str)


class _AsText(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        content = self._content(record)
        text = escape_text(content.pop("text", ""))
        fields = " ".join(f"{name}={value!r}" for name, value in content.items())
        event_name = getattr(record, "event", "log")
        parts = (self._when(record), record.levelname, event_name, text, fields)
        return " ".join(filter(None, parts))
