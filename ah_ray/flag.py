"""What a settings model says about the flags that are made from its fields.

A field has a flag's name, type, default and help text (`description`). Two things have no place of
their own in pydantic: the panel of `--help` in which a flag stands, which is the attribute `PANEL`
of the class that defines the field; and what `flag` returns, for the field's `json_schema_extra`.
"""

from __future__ import annotations

from typing import Any

from pydantic.config import JsonDict
from pydantic.fields import FieldInfo


def flag(
    *,
    metavar: str | None = None,
    default: str | None = None,
    argument: bool = False,
    name: str | None = None,
    envvar: str | None = None,
    with_commas: bool = False,
    choices: bool = True,
    several: bool = False,
    internal: bool = False,
) -> JsonDict:
    """Return the extras of a field, for its `json_schema_extra`.

    `metavar`: what the value is, in capitals: its unit (`SECONDS`, `BYTES`), or `FILE`, `URI`.
    `default`: what happens without the flag, where the field's own default does not show it.
    `argument`: the value stands on the command line without a flag before it.
    `name`: the flag without its dashes, where it is not the field's name.
    `envvar`: the environment variable that is read where the flag is missing.
    `with_commas`: several values are given at once, with commas between them, and not by repeating
    the flag.
    `choices`: False if not all values of the field's enum may be given, so that none are listed.
    `several`: several values may be given, and the job makes one of them.
    `internal`: the field is no flag; code alone sets it.
    """
    extras: JsonDict = {
        "metavar": metavar,
        "default": default,
        "argument": argument,
        "name": name,
        "envvar": envvar,
        "with_commas": with_commas,
        "without_choices": not choices,
        "several": several,
        "internal": internal,
    }
    return {key: value for key, value in extras.items() if value}


def flag_extras(field: FieldInfo) -> dict[str, Any]:
    """Return what `flag` noted for a field; empty if nothing was."""
    return dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}
