"""Settings: frozen dataclasses, filled from a TOML file and from the environment.

A field `max_rows` of the section `admin` is `max_rows` in the file's table `[admin]`, and VOLANT_ADMIN__MAX_ROWS in the
environment (two underscores between names), which wins. VOLANT_ADMIN__MAX_ROWS_FILE names a file that holds the value,
as orchestrators mount secrets. Sections may nest. What is unknown, or of another type, is refused by a sentence that
names it.
"""

import dataclasses
import datetime
import difflib
import json
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from volant_core import errors

T = TypeVar("T")

_PREFIX = "VOLANT_"
_BETWEEN = "__"
_IN_FILE = "_FILE"
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


def load(cls: type[T], *, file: Path | None = None, environment: Mapping[str, str]) -> T:
    """Settings of class `cls`: its defaults, then `file`, then `environment`.

    FailedPreconditionError, with a sentence, for what does not fit.
    """
    values = _read(file) if file is not None else {}
    top = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type] # a dataclass, as the docstring says
    for name, text in environment.items():
        plain = name.removesuffix(_IN_FILE)
        if name.startswith(_PREFIX) and (_BETWEEN in name or plain.removeprefix(_PREFIX).lower() in top):
            _place(values, plain, text if plain == name else _read_value(name, text))
    settings: T = _build(cls, values, at="")
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise errors.FailedPreconditionError(f"can't read the settings in {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.FailedPreconditionError(f"the settings in {file} are not valid TOML: {error}") from error


def _read_value(name: str, path: str) -> str:
    try:
        return Path(path).read_text().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.FailedPreconditionError(f"{name}: can't read {path}: {error}") from error


def _place(values: dict[str, Any], name: str, text: str) -> None:
    """Put an environment variable's text where its name says."""
    *sections, last = name.removeprefix(_PREFIX).lower().split(_BETWEEN)
    at = values
    for section in sections:
        at = at.setdefault(section, {})
        if not isinstance(at, dict):
            raise errors.FailedPreconditionError(f"{name}: the settings file has a value where this names a section")
    at[last] = text


def _build(cls: Any, values: Mapping[str, Any], at: str) -> Any:
    hints = typing.get_type_hints(cls)
    known = {field.name for field in dataclasses.fields(cls) if field.init}
    unknown = sorted(set(values) - known)
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        meant = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known))}"
        raise errors.FailedPreconditionError(f"there is no setting {_path(at, unknown[0])}{meant}")
    return cls(**{name: convert(hints[name], value, _path(at, name)) for name, value in values.items()})


def _path(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def convert(hint: Any, value: Any, at: str) -> Any:
    """`value`, from TOML or as text, as the type `hint` says; `at` names the setting in refusals."""
    origin = typing.get_origin(hint)
    if origin in {types.UnionType, typing.Union}:
        return _convert_union(hint, value, at)
    if origin is typing.Literal:
        if value in typing.get_args(hint):
            return value
        raise _unfit(at, value, f"one of {', '.join(map(str, typing.get_args(hint)))}")
    if dataclasses.is_dataclass(hint):
        return _build(hint, _table(value, at), at)
    if origin is tuple:
        return _convert_list(typing.get_args(hint)[0], value, at)
    if origin is not None and issubclass(origin, Mapping):
        return {key: convert(typing.get_args(hint)[1], item, f"{at}.{key}") for key, item in _table(value, at).items()}
    return _convert_plain(hint, value, at)


def _table(value: Any, at: str) -> dict[str, Any]:
    found = _json(value, at) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise _unfit(at, value, "a table")
    return found


def _convert_union(hint: Any, value: Any, at: str) -> Any:
    choices = [choice for choice in typing.get_args(hint) if choice is not type(None)]
    if value == "" and len(choices) < len(typing.get_args(hint)):
        return None
    return convert(choices[0], value, at)


def _convert_list(item: Any, value: Any, at: str) -> tuple[Any, ...]:
    if isinstance(value, str):
        value = (
            _json(value, at) if value.startswith("[") else [part.strip() for part in value.split(",") if part.strip()]
        )
    if not isinstance(value, list):
        raise _unfit(at, value, "a list")
    return tuple(convert(item, one, f"{at}[{index}]") for index, one in enumerate(value))


def _convert_plain(hint: Any, value: Any, at: str) -> Any:
    if hint is Any:
        return value
    if hint is bool:
        text = str(value).lower()
        if text in _YES | _NO:
            return text in _YES
        raise _unfit(at, value, "true or false")
    if hint is datetime.timedelta:
        return datetime.timedelta(seconds=_number(float, value, at))
    if hint in {int, float}:
        return _number(hint, value, at)
    if hint is Path and isinstance(value, str):
        return Path(value).expanduser()
    if hint is str and isinstance(value, str):
        return value
    raise _unfit(at, value, getattr(hint, "__name__", str(hint)))


def _number(hint: type[int] | type[float], value: Any, at: str) -> int | float:
    if not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            number = hint(value)
        except ValueError:
            pass
        else:
            if isinstance(value, str) or number == value:
                return number
    raise _unfit(at, value, "a whole number" if hint is int else "a number")


def _json(text: str, at: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _unfit(at, text, "JSON") from error


def _unfit(at: str, value: object, wanted: str) -> errors.FailedPreconditionError:
    return errors.FailedPreconditionError(f"the setting {at} must be {wanted}, not {value!r}")
