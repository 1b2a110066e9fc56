"""Options of a command line from an entity's interface, and Python values from what was typed."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import enum
import json
import pathlib
import re
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from volant import errors
from volant.authoring import interface
from volant.types import annotated, engine, plain, transformer

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|ms|m|s)")
_MODULES = re.compile(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])")
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}


if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:  # older releases of click have no argument
    _ParamType = click.ParamType


class Typed(_ParamType):
    """Reads a value of a declared type from text: as it is, as JSON, or from a file that is named by @."""

    def __init__(self, python_type: Any) -> None:
        self._python_type = python_type
        self.name: str = _MODULES.sub("", transformer.describe(python_type))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The typed value; a usage error where the text is none."""
        if not isinstance(value, str):
            return value
        try:
            return from_text(value, self._python_type)
        except (errors.VolantError, ValueError, OSError) as cause:
            self.fail(str(cause), param, ctx)


def from_text(text: str, python_type: Any) -> Any:
    """A value of a type from text."""
    base = annotated.bare(python_type)
    if plain.is_union(base):
        return _first_variant(text, typing.get_args(base))
    if text.startswith("@") and base is not str:
        return from_data(read_file(pathlib.Path(text[1:])), python_type)
    if base is str or typing.get_origin(base) is typing.Literal or _is_enum(base):
        return _choice(text, base)
    if base is datetime.timedelta:
        return duration(text)
    if base is datetime.datetime and text == "now":
        return datetime.datetime.now(datetime.UTC)
    if base in {datetime.datetime, datetime.date}:
        return plain.from_plain(text, base)
    frame = _frame_from_path(text, base)
    if frame is not None:
        return frame
    try:
        data = json.loads(text)
    except ValueError:
        data = text
    return from_data(data, python_type)


def _first_variant(text: str, variants: tuple[Any, ...]) -> Any:
    if type(None) in variants and text.lower() in {"", "none", "null"}:
        return None
    ordered = sorted(variants, key=lambda one: one is str)
    for variant in ordered:
        if variant is type(None):
            continue
        try:
            return from_text(text, variant)
        except (errors.VolantError, ValueError):
            continue
    raise errors.TypeMismatchError(f"{text!r} is none of {', '.join(transformer.describe(one) for one in variants)}")


def _is_enum(base: Any) -> bool:
    return isinstance(base, type) and issubclass(base, enum.Enum)


def _choice(text: str, base: Any) -> Any:
    if base is str:
        return text
    if _is_enum(base):
        return engine.accept(text, base)
    for choice in typing.get_args(base):
        if str(choice) == text:
            return choice
    raise errors.TypeMismatchError(f"{text!r} is none of {', '.join(map(str, typing.get_args(base)))}")


def _frame_from_path(text: str, base: Any) -> Any:
    """A data frame of a local file."""
    module = str(getattr(base, "__module__", "")).partition(".")[0]
    if module not in {"pandas", "polars", "pyarrow"}:
        return None
    from volant.types import frames  # noqa: PLC0415 - needed for frames only

    engine.lookup(base)
    file_format = frames.CSV if text.endswith(".csv") else frames.PARQUET
    return frames.read(text, file_format, base, None)


def duration(text: str) -> datetime.timedelta:
    """A length of time: seconds, or numbers with units such as 1h30m."""
    try:
        return datetime.timedelta(seconds=float(text))
    except ValueError:
        pass
    if not text or _DURATION.sub("", text).strip():
        raise errors.TypeMismatchError(f"{text!r} is no length of time; write seconds, or 1h30m")
    return datetime.timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text)))


def from_data(data: Any, python_type: Any) -> Any:
    """A value of a type from JSON data."""
    base = annotated.bare(python_type)
    if base is bool and not isinstance(data, bool):
        raise transformer.mismatch(bool, data)
    _refuse_unknown_fields(data, base)
    return engine.accept(plain.from_plain(data, python_type), python_type)


def _refuse_unknown_fields(data: Any, base: Any) -> None:
    """What was typed must mean something; what another version of a program wrote may have fields more."""
    if not (isinstance(data, dict) and isinstance(base, type) and dataclasses.is_dataclass(base)):
        return
    known = {field.name: field for field in dataclasses.fields(base)}
    hints = plain.hints_of(base)
    for key, value in data.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            rest = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
            raise errors.TypeMismatchError(f"{base.__name__} has no field {key!r}; {rest}")
        _refuse_unknown_fields(value, annotated.bare(hints.get(key)))


def read_file(path: pathlib.Path) -> Any:
    """Data of a JSON or YAML file."""
    return parse(path.read_text(), str(path), is_yaml=path.suffix in {".yaml", ".yml"})


def parse(text: str, source: str, *, is_yaml: bool = False) -> Any:
    """Data of JSON text, or of YAML text."""
    if not is_yaml:
        try:
            return json.loads(text)
        except ValueError as cause:
            raise errors.TypeMismatchError(f"{source} is no JSON: {cause}") from cause
    try:
        import yaml  # noqa: PLC0415 - optional
    except ImportError as cause:
        raise errors.MissingDependencyError("pyyaml", "reading YAML inputs") from cause
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as cause:
        raise errors.TypeMismatchError(f"{source} is no YAML: {cause}") from cause


def parameters(signature: interface.Interface) -> list[click.Option]:
    """One option for each input."""
    made = []
    for name, python_type in signature.inputs.items():
        base = annotated.bare(python_type)
        flag = f"--{name.replace('_', '-')}"
        names = [flag, f"--{name}"] if flag != f"--{name}" else [flag]
        described = signature.docs.get(name, "")
        if name in signature.defaults:
            described = f"{described} [default: {_default(signature.defaults[name])}]".strip()
        else:
            described = f"{described} [required]".strip()
        if base is bool:
            made.append(click.Option(["/".join([flag, f"--no-{flag[2:]}"]), name], default=None, help=described))
        else:
            made.append(click.Option([*names, name], type=Typed(python_type), help=described))
    return made


def _default(value: Any) -> str:
    """A default as it would be typed."""
    try:
        plain_value = plain.of_any(value)
        text = plain_value if isinstance(plain_value, str) else json.dumps(plain_value)
    except (errors.VolantError, TypeError, ValueError):
        return transformer.excerpt(value, 60)
    return text if len(text) <= 60 else f"{text[:59]}…"


def collect(signature: interface.Interface, given: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs from options and from a file's data; options win."""
    for name in data:
        if name not in signature.inputs:
            raise errors.TypeMismatchError(f"no input {name!r}; there are {', '.join(signature.inputs) or 'none'}")
    inputs = {name: from_data(value, signature.inputs[name]) for name, value in data.items()}
    inputs.update({name: value for name, value in given.items() if value is not None})
    missing = [name for name in signature.required if name not in inputs]
    if missing:
        wanted = ", ".join(
            f"--{name.replace('_', '-')} ({transformer.describe(signature.inputs[name])})" for name in missing
        )
        raise click.UsageError(f"missing inputs: {wanted}", click.get_current_context(silent=True))
    return inputs


def to_data(value: Any) -> Any:
    """A value as JSON data, for printing; what has no such form as its repr."""
    try:
        json.dumps(result := plain.of_any(value))
    except (errors.VolantError, TypeError, ValueError):
        return transformer.excerpt(value, 2000)
    return result
