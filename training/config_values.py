"""Tables to dataclasses: values are checked against annotations, and errors name the key and what is possible."""

import difflib
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration cannot be used; the text names the file or the key and says what is possible."""


def build_value(kind: type[T], table: Any, path: str) -> T:
    """A dataclass from a table, its fields by their annotations.

    Args:
        kind: the dataclass; its fields may be dataclasses, tuples, literals, numbers, texts and truth values.
        table: as TOML gives it.
        path: where it stands, as errors name it.

    Raises:
        ConfigError: a key is unknown or missing, or a value has another type or is refused by the dataclass.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{path or 'a configuration'} must be a table. Got {table!r}")
    hints, above = get_type_hints(kind), f"{path}." if path else ""
    for key in table:
        if key not in hints:
            raise ConfigError(f"unknown key {above}{key}{_nearest(key, hints)}")
    for each in fields(kind):  # type: ignore[arg-type]
        if each.name not in table and each.default is MISSING and each.default_factory is MISSING:
            raise ConfigError(f"{above}{each.name} is missing")
    values = {key: _convert(hints[key], value, f"{above}{key}") for key, value in table.items()}
    try:
        return kind(**values)
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path or 'configuration'}: {error}") from error


def _convert(hint: Any, value: Any, path: str) -> Any:
    """A TOML value as the annotated type."""
    origin, inner = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return build_value(hint, value, path)
    if origin is Literal:
        check(value in inner, path, f"one of {', '.join(map(repr, inner))}", value)
        return value
    if origin in (Union, types.UnionType):
        return _convert(next(kind for kind in inner if kind is not type(None)), value, path)
    if origin is tuple:
        check(isinstance(value, list | tuple), path, "a list", value)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        check(len(kinds) == len(value), path, f"a list of {len(kinds)}", value)
        pairs = zip(kinds, value, strict=True)
        return tuple(_convert(kind, item, f"{path}[{i}]") for i, (kind, item) in enumerate(pairs))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    check(type(value) is hint, path, f"of type {getattr(hint, '__name__', hint)}", value)
    return value


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(known)}"


def check(fits: bool, key: str, expected: str, value: Any) -> None:
    """Refuse a value, named by its key.

    Raises:
        ConfigError: it does not fit.
    """
    if not fits:
        raise ConfigError(f"{key} must be {expected}. Got {value!r}")
