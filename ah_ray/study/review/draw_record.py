"""How the videos of a review were drawn: OUT/reviews/<draw>.json, and the mark of each on a sheet.

A reviewer may not know from which stratum a video was drawn, since that would tell what the model
answered. So a sheet holds a mark of 8 hex digits for each row, which only the record can read: it
has the key, and no names. The record stays in OUT; sheets may go anywhere.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime

from pydantic import Field, ValidationError

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.study.review.candidates import DrawnMoments
from ah_ray.study.review.draw import Strata, Stratum, Unit
from ah_ray.study.review.moments import Moment
from ah_ray.validation import FrozenModel

FOLDER = "reviews"
_SCHEMA_VERSION = 1


class DrawRecord(FrozenModel):
    """What is known of a draw."""

    schema_version: int = _SCHEMA_VERSION
    draw: str = Field(pattern=r"^[0-9a-f]{8}$")
    key: str  # of the marks
    unit: Unit
    strata_by: Strata
    seed: int
    config_fingerprint: str  # of the scores
    strata: tuple[Stratum, ...]
    n_without_score: int
    drawn_at: datetime

    def mark(self, stratum: int, video_id: str, start_s: float) -> str:
        """Return the mark of a row on a sheet: `<draw>-<8 hex digits>`."""
        text = f"{stratum}\0{video_id}\0{start_s:.3f}"
        digest = hmac.digest(self.key.encode(), text.encode(), "sha256")
        return f"{self.draw}-{digest.hex()[:8]}"

    def stratum_of(self, mark: str, video_id: str, start_s: float) -> int | None:
        """Return the number of the stratum from which a row was drawn; None if it was not drawn."""
        for number in range(len(self.strata)):
            if hmac.compare_digest(self.mark(number, video_id, start_s), mark):
                return number
        return None


def draw_in(mark: str) -> str:
    """Return the draw that a mark names."""
    return mark.partition("-")[0]


def record_draw(
    out: str, drawn: DrawnMoments, *, unit: Unit, strata: Strata, seed: int
) -> tuple[DrawRecord, list[tuple[Moment, str]]]:
    """Write the record of a draw into OUT; return it, and each moment with its mark.

    The same draw keeps its record, so that sheets which were handed out stay valid. Raise
    ConfigError if OUT cannot be written to.
    """
    parts = (drawn.config.config_fingerprint, unit, strata, str(seed), repr(drawn.draw))
    draw = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    record = _read(out, draw)
    if record is None:
        record = DrawRecord(
            draw=draw,
            key=secrets.token_hex(16),
            unit=unit,
            strata_by=strata,
            seed=seed,
            config_fingerprint=drawn.config.config_fingerprint,
            strata=drawn.draw.strata,
            n_without_score=drawn.n_without_score,
            drawn_at=datetime.now(UTC),
        )
        try:
            storage.write_whole(_uri(out, draw), record.model_dump_json(indent=2).encode() + b"\n")
        except StorageError as error:
            raise ConfigError(
                f"{out} cannot be written to, and the record of a draw is kept there: {error}"
            ) from None
    marks = [
        (moment, record.mark(number, moment.video.video_id, moment.start_s))
        for number, moment in drawn.moments
    ]
    return record, marks


def read_draw(out: str, draw: str) -> DrawRecord:
    """Return the record of a draw. Raise ConfigError if OUT has none, or a damaged one."""
    record = _read(out, draw)
    if record is None:
        raise ConfigError(
            f"{out} has no record of the draw {draw} ({FOLDER}/{draw}.json), from which these "
            "sheets come: give the output that it was drawn from"
        )
    return record


def _read(out: str, draw: str) -> DrawRecord | None:
    uri = _uri(out, draw)
    try:
        return DrawRecord.model_validate_json(storage.read_bytes(uri))
    except ObjectMissing:
        return None
    except StorageError as error:
        raise ConfigError(f"{uri} cannot be read: {error}") from None
    except ValidationError:
        raise ConfigError(f"{uri} is damaged: restore it from a copy") from None


def _uri(out: str, draw: str) -> str:
    return storage.join(storage.normalise(out), FOLDER, f"{draw}.json")
