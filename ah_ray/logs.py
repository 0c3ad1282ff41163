"""What a process has to say to machines: one line for each event, with what it is about.

    {"time": "2026-01-02T03:04:05.678Z", "level": "warning", "event": "video", "run_id": …,
     "video_id": …, "status": "failed", "error_kind": "decode", "error": …}

Decoders, replicas and reducers write to their own error streams, which Ray keeps as files; the
driver only with `--log-json`, and then nothing else. No line holds a credential; with
`--hide-uris`, none holds a path either.
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

from ah_ray.errors import shown, without_secrets

_LOGGER = logging.getLogger("ah_ray")
_LOGGER.addHandler(logging.NullHandler())  # as a library: silent until it is started

HIDDEN = "…"

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|ACCESS_KEY|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 6  # what is shorter would take ordinary words with it
_PATH = re.compile(r"\S*(?:/|://)\S*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How a process of a run logs."""

    json: bool = False
    hide_uris: bool = False
    run_id: str | None = None


def start(settings: LogSettings, stream: TextIO | None = None) -> None:
    """From here on this process writes its events to `stream` (its error stream)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_AsJson(settings) if settings.json else _AsText(settings))
    _LOGGER.handlers = [handler]
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False


def event(name: str, text: str = "", *, level: int = logging.INFO, **fields: Any) -> None:
    """Something happened. Fields are plain values; those that are null are left out."""
    _LOGGER.log(level, "%s", text, extra={"event": name, "fields": fields})


def known_secrets() -> list[str]:
    """The credentials that this process was given in its environment."""
    return [
        value
        for name, value in os.environ.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
    ]


def scrubbed(text: str, secrets: Sequence[str], *, hide_uris: bool = False) -> str:
    """`text` without these secrets, without those that a URL carries and, if wished, paths."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = without_secrets(text)
    return _PATH.sub(HIDDEN, text) if hide_uris else text


class _Formatter(logging.Formatter):
    def __init__(self, settings: LogSettings):
        super().__init__()
        self._settings = settings
        self._secrets = known_secrets()

    def _content(self, record: logging.LogRecord) -> dict[str, Any]:
        """What the line tells, after its time: nulls left out, secrets scrubbed."""
        said = {"run_id": self._settings.run_id, **getattr(record, "fields", {})}
        said["text"] = record.getMessage() or None
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return {name: self._clean(value) for name, value in said.items() if value is not None}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return scrubbed(value, self._secrets, hide_uris=self._settings.hide_uris)
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
        text = shown(content.pop("text", ""))
        fields = " ".join(f"{name}={value!r}" for name, value in content.items())
        event_name = getattr(record, "event", "log")
        parts = (self._when(record), record.levelname, event_name, text, fields)
        return " ".join(filter(None, parts))
