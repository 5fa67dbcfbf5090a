"""Configuration as tables: TOML files that extend each other, changes from the command line, and the way back to TOML.

The standard library reads TOML and does not write it. The values of a configuration are so few kinds that writing them
takes a page, and what a run keeps is then itself a file to train from.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .config_values import ConfigError

Table = dict[str, Any]

CONFIGS_FOLDER = Path(__file__).parent / "configs"
"""One small file for each published experiment."""
EXTENDS = "extends"
"""Key of a file that names the files it starts from: one, or several of which a later one wins."""


def read_tables(config: str | Path, changes: Sequence[str] = ()) -> Table:
    """Read a file with all that it extends, and change it.

    Args:
        config: a file, or the name of one in `configs` with or without its ending.
        changes: in the order in which they count: `+NAME` merges another file, `table.key=value` sets one value. The
            value is written as in TOML; what is no TOML is a word.

    Raises:
        ConfigError: a file is missing or broken, files extend each other in a circle, or a change is none.
    """
    table = _read(_find(str(config), Path()), ())
    for change in changes:
        table = merged(table, _changing(change))
    return table


def merged(table: Table, other: Mapping[str, Any]) -> Table:
    """The tables of `other` over those of `table`; values that are no tables, lists among them, are replaced."""
    result = dict(table)
    for key, value in other.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, Mapping) else value
    return result


def flattened(table: Mapping[str, Any], above: str = "") -> Table:
    """One level deep: `{"schedule.batch": 96, ...}`."""
    flat: Table = {}
    for key, value in table.items():
        name = f"{above}{key}"
        flat |= flattened(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def to_toml(table: Mapping[str, Any]) -> str:
    """The text of a file that `read_tables` reads back as the same tables; None is left out."""
    lines: list[str] = []
    _write(table, "", lines)
    return "\n".join(lines).strip() + "\n"


def _find(name: str, folder: Path) -> Path:
    """A file beside the one that names it, or else a published one."""
    ending = "" if name.endswith(".toml") else ".toml"
    for path in (folder / name, folder / f"{name}{ending}", CONFIGS_FOLDER / f"{name}{ending}"):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in CONFIGS_FOLDER.glob("*.toml")))
    raise ConfigError(f"no configuration {name!r}: give a TOML file, or one of {known}")


def _read(path: Path, above: tuple[Path, ...]) -> Table:
    path = path.resolve()
    if path in above:
        raise ConfigError(f"{path} extends itself through {', '.join(step.name for step in above)}")
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
    bases = own.pop(EXTENDS, [])
    table: Table = {}
    for base in [bases] if isinstance(bases, str) else bases:
        table = merged(table, _read(_find(base, path.parent), (*above, path)))
    return merged(table, own)


def _changing(change: str) -> Table:
    """The tables that one argument of the command line stands for."""
    if change.startswith("+"):
        return _read(_find(change[1:], Path()), ())
    keys, equals, text = change.partition("=")
    if not equals or not keys:
        raise ConfigError(f"a change is +NAME or table.key=value, such as schedule.batch=32. Got {change!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    for key in reversed(keys.split(".")):
        value = {key: value}
    return dict(value)


def _write(table: Mapping[str, Any], above: str, lines: list[str]) -> None:
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lines += [f"{key} = {_text(value)}" for key, value in table.items() if key not in tables and value is not None]
    for key, value in tables.items():
        lines += ["", f"[{above}{key}]"]
        _write(value, f"{above}{key}.", lines)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_text(item)}" for key, item in value.items() if item is not None) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)  # inf and nan are spelled alike in both languages
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
