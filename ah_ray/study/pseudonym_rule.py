"""What is said where people would be known by their names. Light, so that --help is quick."""

from __future__ import annotations

NO_PSEUDONYMS = (
    "participants need pseudonyms: give --id-key FILE (16 bytes or more that nobody can guess), or "
    "--plain-participants if the people are invented or public"
)
