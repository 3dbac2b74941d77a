"""The keys of the schema, their units and limits in words, and what a person who wrote something else meant."""

import difflib
import types
import typing
import unicodedata
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from optimizer.scenario import Scenario
from optimizer.yaml_tree import Keys

# unit word -> (what it measures, its size)
_UNITS: dict[str, tuple[str, float]] = {
    "yuan": ("money", 1), "cny": ("money", 1), "rmb": ("money", 1), "wan": ("money", 1e4), "wanyuan": ("money", 1e4),
    "万元": ("money", 1e4), "万": ("money", 1e4), "元": ("money", 1), "thousand": ("money", 1e3), "k": ("money", 1e3),
    "million": ("money", 1e6), "mio": ("money", 1e6), "yi": ("money", 1e8),
    "m": ("length", 1), "metres": ("length", 1), "meters": ("length", 1), "km": ("length", 1e3),
    "m2": ("area", 1), "sqm": ("area", 1), "ha": ("area", 1e4), "mu": ("area", 2000 / 3), "km2": ("area", 1e6),
    "share": ("share", 1), "percent": ("share", 0.01), "pct": ("share", 0.01), "ratio": ("share", 1),
    "seconds": ("time", 1), "s": ("time", 1), "sec": ("time", 1), "minutes": ("time", 60), "min": ("time", 60),
}  # fmt: skip
_SCALES = {"万": 1e4, "万元": 1e4, "亿": 1e8, "元": 1.0, "%": 0.01, "k": 1e3, "million": 1e6, "wan": 1e4, "m": 1.0,
           "m2": 1.0, "m²": 1.0, "yuan": 1.0, "km": 1e3, "s": 1.0, "minutes": 60.0}  # fmt: skip
KINDS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
}


def bare(annotation: Any) -> Any:
    """Return an annotation without Annotated and without `| None`."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        rest = [a for a in typing.get_args(annotation) if a is not type(None)]
        return bare(rest[0]) if len(rest) == 1 else annotation
    return annotation


def is_model(annotation: Any) -> bool:
    """Return whether an annotation is a part of a scenario, optional or not."""
    kind = bare(annotation)
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _model(keys: Keys) -> tuple[Any, FieldInfo | None]:
    """Return the annotation under `keys` and, where the last key is a field of a model, that field."""
    here: Any = Scenario
    field: FieldInfo | None = None
    for key in keys:
        field = None
        here = bare(here)
        if is_model(here):
            field = here.model_fields.get(str(key))
            here = field.annotation if field is not None else None
        elif typing.get_origin(here) is dict:
            here = typing.get_args(here)[1]
        elif typing.get_origin(here) is list:
            here = typing.get_args(here)[0]
        else:
            here = None
    return bare(here), field


def field_at(keys: Keys) -> FieldInfo | None:
    """Return the field of the schema under `keys`, None where the scenario chooses the name or the key is unknown."""
    return _model(keys)[1]


def names_at(keys: Keys) -> list[str]:
    """Return the known keys of the part under `keys`."""
    here = _model(keys)[0]
    names = list(here.model_fields) if is_model(here) else []
    return names if keys else [*names, "extends"]


def null_counts(keys: Keys) -> bool:
    """Return whether null is a value of its own under `keys`: it is allowed there and is not the default."""
    field = field_at(keys)
    if field is None or field.is_required() or type(None) not in typing.get_args(field.annotation):
        return False
    return field.get_default(call_default_factory=True) is not None


def drop_empty(values: Any, keys: Keys = ()) -> None:
    """Remove, in place, empty keys of fields that have a default: an empty value means it, where null is no value."""
    if isinstance(values, list):
        for i, value in enumerate(values):
            drop_empty(value, (*keys, i))
    if isinstance(values, dict):
        for key in list(values):
            here = (*keys, key)
            field = field_at(here)
            if values[key] is None and field is not None and not field.is_required() and not null_counts(here):
                del values[key]
            else:
                drop_empty(values[key], here)


def all_keys(model: Any = Scenario, at: str = "") -> Iterator[str]:
    """Yield the dotted path of every known key; `*` stands for names the scenario chooses."""
    for name, field in model.model_fields.items():
        yield f"{at}{name}"
        annotation = bare(field.annotation)
        args = typing.get_args(annotation)
        if is_model(annotation):
            yield from all_keys(annotation, f"{at}{name}.")
        elif args and is_model(args[-1]):
            yield from all_keys(bare(args[-1]), f"{at}{name}.*.")


def _split(key: str) -> tuple[tuple[str, ...], str]:
    """Return the words of a key without its unit, and the unit ("" where it has none)."""
    words = key.split("_")
    for i in range(len(words) - 1, -1, -1):
        if words[i] in _UNITS and i > 0:
            return (*words[:i], *words[i + 1 :]), words[i]
    return tuple(words), ""


def same_stem(key: str, names: list[str]) -> str:
    """Return the known key that differs from `key` in its unit only, or ""."""
    key = key.removesuffix("_yuan") if key.endswith("_wan_yuan") else key
    stem, unit = _split(key)
    for name in names:
        theirs, their_unit = _split(name)
        if theirs == stem and their_unit != unit and their_unit:
            return name
    return ""


def unit_remedy(key: str, meant: str, value: Any) -> str:
    """Say which key to write instead of one with another unit, and the value in the right unit."""
    key = key.removesuffix("_yuan") if key.endswith("_wan_yuan") else key
    unit, right = _split(key)[1], _split(meant)[1]
    if not unit:
        return f"unknown key; the unit belongs to the name: write {meant}"
    (what, size), (right_what, right_size) = _UNITS[unit], _UNITS[right]
    text = f"wrong unit {unit}; this value is given in {right}"
    if what == right_what and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{text}: write {meant}: {_plain(value * size / right_size)}"
    return f"{text}: write {meant}"


def expected(field: FieldInfo) -> str:
    """Return in words what a field takes: its kind and its limits."""
    annotation = field.annotation
    kind = bare(annotation)
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    if kind in (float, int):
        metadata = [*field.metadata, *(m for a in (annotation, *typing.get_args(annotation)) for m in _metadata(a))]
        bounds = {n: getattr(m, n) for m in metadata for n in ("ge", "gt", "le", "lt") if hasattr(m, n)}
        words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        limits = " and ".join(f"{words[n]} {with_commas(bounds[n])}" for n in words if bounds.get(n) is not None)
        return ("a whole number" if kind is int else "a number") + (f", {limits}" if limits else "")
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return "a number or a list of numbers"
    if kind in (str, bool):
        return "text" if kind is str else "true or false"
    return "a list" if typing.get_origin(kind) is list else "a mapping of keys to values"


def _metadata(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) is not typing.Annotated:
        return ()
    found = []
    for item in typing.get_args(annotation)[1:]:
        found.extend(item.metadata if isinstance(item, FieldInfo) else [item])
    return tuple(found)


def kind_remedy(kind: str, value: Any, field: FieldInfo | None) -> str:
    """Say what to write instead of a value of the wrong kind."""
    if kind in ("int_type", "float_type", "int_from_float"):
        limits = expected(field).partition(",")[2].strip() if field is not None else ""
        number = _read_number(value)
        remedy = f"; write {_plain(number)}" if number is not None else ""
        return (f", {limits}" if limits else "") + remedy
    if kind == "bool_type" and str(value).lower() in ("yes", "on", "1", "是", "no", "off", "0", "否"):
        return f"; write {'true' if str(value).lower() in ('yes', 'on', '1', '是') else 'false'}"
    if kind == "string_type":
        return f'; put it in quotes: "{short(value)}"' if not isinstance(value, (dict, list)) else ""
    if kind == "list_type" and not isinstance(value, (dict, list)):
        return f"; write [{short(value)}]"
    return ""


def _read_number(value: Any) -> float | None:
    """Return the number a person meant: `50,000`, `5万`, `10%`, full-width digits, numbers in quotes."""
    if isinstance(value, float):
        return round(value)
    if not isinstance(value, str):
        return None
    text = unicodedata.normalize("NFKC", value).replace(",", "").replace("_", "").replace(" ", "").lower()
    for unit in sorted(_SCALES, key=len, reverse=True):
        if text.endswith(unit):
            try:
                return float(text[: -len(unit)]) * _SCALES[unit]
            except ValueError:
                continue
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None


def percent_hint(kind: str, ctx: dict[str, Any], value: Any) -> str:
    """Return a hint where a share was given in per cent, else an empty string."""
    if kind == "less_than_equal" and ctx.get("le") in (1, 0.5) and 1 < value <= 100:
        return f"; a share, not per cent: write {_plain(value / 100)}?"
    return ""


def key_rule(key: str, kind: str, ctx: dict[str, Any]) -> str:
    """Say how a key that the scenario chooses must look."""
    if kind == "literal_error":
        choices = [c.strip("' ") for c in ctx["expected"].replace(" or ", ", ").split(",")]
        near = difflib.get_close_matches(key, choices, 1, 0.5)
        return f"unknown key; it must be one of {', '.join(choices)}" + (f"; did you mean {near[0]}?" if near else "")
    return "names have small letters a-z, digits and _, start with a letter and have at most 40; titles may say more"


def with_commas(value: float) -> str:
    """Return a number with commas between thousands."""
    return f"{value:,.10g}" if abs(value) < 1e15 else f"{value:g}"


def _plain(value: float) -> str:
    return f"{value:.12g}"


def short(value: Any) -> str:
    """Return a value as it is written in YAML, on one line of at most 60 letters."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _plain(value)
    text = " ".join(str(value).split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= 60 else text[:57] + "..."
