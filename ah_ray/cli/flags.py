"""The flags of a job, one for each field of its settings models."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ah_ray.flag import flag_extras

_GIB = 2**30
_METAVARS = {bool: "", int: "N", float: "NUMBER", str: "TEXT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag, or a positional argument, of a command line."""

    name: str  # of the setting
    option: str  # as it is typed, `--window-s`; of an argument its name in help, `OUT`
    kind: type  # of one value as typed: bool, int, float or str
    help: str
    panel: str | None = None
    metavar: str = ""
    default: str = ""  # as help shows it; empty where there is nothing to show
    choices: tuple[str, ...] = ()
    envvar: str | None = None
    is_argument: bool = False
    is_list: bool = False  # may be repeated
    is_required: bool = False

    @property
    def negation(self) -> str | None:
        """The flag that turns a switch off; null if this is no switch."""
        return f"--no-{self.option.removeprefix('--')}" if self.kind is bool else None

    def as_parameter(self) -> inspect.Parameter:
        """Return the flag as a parameter of a function from which typer makes a command."""
        return inspect.Parameter(
            self.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if self.is_argument else None,
            annotation=Annotated[self._typer_type(), self._typer_info()],
        )

    def _typer_type(self) -> Any:
        kind: Any = list[self.kind] if self.is_list else self.kind  # type: ignore[name-defined]  # made as it runs
        return kind if self.is_argument else Union[kind, None]  # noqa: UP007  # of a variable

    def _typer_info(self) -> Any:
        if self.is_argument:
            return typer.Argument(metavar=self.option, help=self.help)
        names = self.option if self.negation is None else f"{self.option}/{self.negation}"
        return typer.Option(
            names,
            help=self.help,
            envvar=self.envvar,
            show_default=False,
            autocompletion=(lambda: list(self.choices)) if self.choices else None,
        )


def flags_of(*models: type[BaseModel]) -> list[Flag]:
    """Return the flags of all fields of the models, in their order, and each name once.

    A flag is required if all models require it.
    """
    found: dict[str, Flag] = {}
    for model in models:
        panels = _panels(model)
        for name, field in model.model_fields.items():
            if not flag_extras(field).get("internal"):
                found.setdefault(name, _flag_of(name, field, panels.get(name)))
    return [
        replace(flag, is_required=flag.is_required and all(name in m.model_fields for m in models))
        for name, flag in found.items()
    ]


def switches_of(texts: Mapping[str, str]) -> list[Flag]:
    """Return on-off flags that are no settings, made from their names and help texts."""
    return [
        Flag(name=name, option=_dashed(name), kind=bool, help=text) for name, text in texts.items()
    ]


def _panels(model: type[BaseModel]) -> dict[str, str | None]:
    """Return the panel of each field: the `PANEL` of the class that defines it."""
    return {
        name: owner.__dict__.get("PANEL")
        for owner in reversed(model.__mro__)
        for name in inspect.get_annotations(owner)
    }


def _flag_of(name: str, field: FieldInfo, panel: str | None) -> Flag:
    extras, kinds = flag_extras(field), _kinds(field.annotation)
    is_list = bool({tuple, list} & {get_origin(kind) for kind in kinds})
    values = [part for kind in kinds for part in (get_args(kind) if get_origin(kind) else (kind,))]
    choices = () if extras.get("without_choices") else _choices(values)
    kind = _typed_kind(values, is_list=is_list)
    with_commas = extras.get("with_commas", False)
    is_argument = extras.get("argument", False)
    metavar = extras.get("metavar") or ("CHOICE" if choices else _METAVARS[kind])
    return Flag(
        name=name,
        option=metavar if is_argument else _dashed(extras.get("name", name)),
        kind=kind,
        help=field.description or "",
        panel=panel,
        metavar=metavar,
        default=extras.get("default") or _field_default(field, metavar),
        choices=choices,
        envvar=extras.get("envvar"),
        is_argument=is_argument,
        is_list=extras.get("several") or (is_list and not with_commas),
        is_required=field.is_required(),
    )


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _kinds(annotation: Any) -> list[Any]:
    """Return the types that a union is of, without None."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in _kinds(part)]
    return [] if annotation is type(None) else [annotation]


def _typed_kind(values: Sequence[Any], *, is_list: bool) -> type:
    """Return how typer reads one value. What is more than one type is text, for pydantic."""
    only = values[0] if len(values) == 1 else None
    return only if only in (bool, int, float) and not is_list else str


def _choices(values: Sequence[Any]) -> tuple[str, ...]:
    enums = [kind for kind in values if isinstance(kind, type) and issubclass(kind, Enum)]
    return tuple(str(member.value) for kind in enums for member in kind)


def _field_default(field: FieldInfo, metavar: str) -> str:
    return "" if field.is_required() else _default_text(field.get_default(), metavar)


def _default_text(default: Any, metavar: str) -> str:
    """Return a default as help shows it. What is off, empty or not set needs no word."""
    if default is None or isinstance(default, bool) or default in ("", ()):
        return ""
    if isinstance(default, tuple | list):
        return ", ".join(_default_text(one, metavar) for one in default)
    if isinstance(default, Enum):
        return str(default.value)
    if isinstance(default, int | float):
        return _number_text(default, metavar)
    return str(default)


def _number_text(number: float, metavar: str) -> str:
    if metavar == "BYTES":
        return f"{number:,} ({number / _GIB:g} GiB)"
    if number and abs(number) < 1e-3:
        return f"{number:g}"
    return f"{number:,.10g}" if number >= 10_000 else f"{number:.10g}"
