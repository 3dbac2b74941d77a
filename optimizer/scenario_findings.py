"""Turn what the schema refuses into findings a planner can act on: what is wrong, the limit, the remedy."""

import difflib
import types
import typing
import unicodedata
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from optimizer.scenario import Scenario
from optimizer.yaml_tree import Finding, Keys, Origin, Place, dotted

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
_KINDS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
}


class Explainer:
    """Explains the mistakes of one merged scenario with the places its values came from."""

    def __init__(self, values: dict[str, Any], origins: dict[Keys, Origin], deleted: dict[Keys, Place], file: str):
        self.values = values
        self.origins = origins
        self.deleted = deleted
        self.file = file

    def explain(self, error: ValidationError) -> list[Finding]:
        """Return one finding per mistake, contradictions between valid parts included."""
        errors = [(self.locate(e["loc"], e["type"]), e) for e in error.errors(include_url=False)]
        errors = [pair for pair in errors if not self.is_other_branch(pair, errors)]
        unknown = [keys for keys, e in errors if e["type"] == "extra_forbidden"]
        taken = {(*keys[:-1], self.meant(keys)) for keys in unknown}
        findings: list[Finding] = []
        for keys, e in errors:
            if e["type"] == "missing" and keys in taken:
                continue
            findings.extend(self.one(keys, e))
        findings.extend(self.contradictions(Scenario, self.values, ())[1])
        return list(dict.fromkeys(findings))

    def locate(self, loc: tuple[str | int, ...], kind: str) -> Keys:
        """Return the keys of a pydantic location without its names of union branches."""
        keys: list[str | int] = []
        here: Any = self.values
        for i, step in enumerate(loc):
            inside = (isinstance(here, dict) and step in here) or (
                isinstance(here, list) and isinstance(step, int) and step < len(here)
            )
            if inside:
                here = here[step]
                keys.append(step)
            elif kind == "missing" and i == len(loc) - 1:
                keys.append(step)
        return tuple(keys)

    def is_other_branch(self, pair: tuple[Keys, Any], errors: list[tuple[Keys, Any]]) -> bool:
        """Whether an error only says that a value is not of the other kind a union allows."""
        keys, error = pair
        value = self.at(keys)
        if error["type"] == "list_type" and not isinstance(value, list):
            return any(k == keys and e["type"] != "list_type" for k, e in errors)
        return isinstance(value, list) and error["type"] in ("float_type", "int_type")

    def at(self, keys: Keys) -> Any:
        """Return the value under `keys`, None where there is none."""
        here: Any = self.values
        for key in keys:
            try:
                here = here[key]
            except (KeyError, IndexError, TypeError):
                return None
        return here

    def place(self, keys: Keys, of_key: bool = False) -> Place:
        """Return where a value (or its key) stands, or the nearest thing around it that stands somewhere."""
        for end in range(len(keys), 0, -1):
            origin = self.origins.get(keys[:end])
            if origin is not None:
                return origin.key if of_key or end < len(keys) else origin.value
        return Place(self.file)

    def one(self, keys: Keys, error: Any) -> Iterator[Finding]:
        """Yield the finding (several for contradictions between parts) of one pydantic error."""
        kind, ctx, value = error["type"], error.get("ctx", {}), self.at(keys)
        if kind == "missing":
            yield Finding(self.deleted.get(keys, self.place(keys)), dotted(keys), "", self.missing(keys))
        elif kind == "extra_forbidden":
            yield Finding(self.place(keys, True), dotted(keys), "", self.unknown(keys, value))
        elif kind == "value_error":
            yield from self.contradiction(keys, str(ctx["error"]))
        elif error["loc"] and error["loc"][-1] == "[key]":
            yield Finding(self.place(keys, True), dotted(keys), "", _key_rule(str(keys[-1]), kind, ctx))
        else:
            message = self.wrong(keys, kind, ctx, value, error["msg"])
            yield Finding(self.place(keys), dotted(keys), _short(value), message)

    def missing(self, keys: Keys) -> str:
        """Say that a key must be given, what it is, and which entry was meant where a name looks mistyped."""
        field = _field(keys)
        text = "is deleted here but must be given" if keys in self.deleted else "is missing"
        if field is not None:
            text += f"; give {_expected(field)}" + (f": {field.description.rstrip('.')}" if field.description else "")
        siblings = self.at(keys[:-2])
        if isinstance(siblings, dict) and len(keys) > 2 and _field(keys[:-1]) is None:
            near = difflib.get_close_matches(str(keys[-2]), [k for k in siblings if k != keys[-2]], 1, 0.7)
            text += f"; or did you mean {dotted((*keys[:-2], near[0]))}?" if near else ""
        return text

    def meant(self, keys: Keys) -> str:
        """Return the known key of the same part that an unknown key most likely stands for, or ""."""
        names = _names(keys[:-1])
        return _same_stem(str(keys[-1]), names) or next(
            iter(difflib.get_close_matches(str(keys[-1]), names, 1, 0.6)), ""
        )

    def unknown(self, keys: Keys, value: Any) -> str:
        """Say that a key is unknown and which one is meant; a wrong unit is converted."""
        key, meant = str(keys[-1]), self.meant(keys)
        if meant and _same_stem(key, _names(keys[:-1])):
            return _unit_remedy(key, meant, value)
        if meant:
            return f"unknown key; did you mean {meant}?"
        homes = [home for home in _homes() if home.split(".")[-1] == key]
        if homes:
            return f"unknown key here; it stands under {homes[0].rpartition('.')[0] or 'the outermost level'}"
        return f"unknown key; keys here are {', '.join(_names(keys[:-1]))}"

    def wrong(self, keys: Keys, kind: str, ctx: dict[str, Any], value: Any, message: str) -> str:
        """Say what is wrong with a value, the limit, and what to write instead."""
        field = _field(keys)
        if value is None and kind in _KINDS:
            if kind == "model_type":
                return "is empty, and there is nothing inherited that null could delete; give its keys or remove it"
            return f"is empty; {_KINDS[kind]}" + (f", {_expected(field)}" if field else "")
        if kind == "literal_error":
            choices = [c.strip("' ") for c in ctx["expected"].replace(" or ", ", ").split(",")]
            near = difflib.get_close_matches(str(value), choices, 1, 0.5)
            return f"must be one of {', '.join(choices)}" + (f"; did you mean {near[0]}?" if near else "")
        limits = {"greater_than_equal": ("ge", "is below", "the smallest allowed"),
                  "less_than_equal": ("le", "is above", "the largest allowed"),
                  "greater_than": ("gt", "must be above", ""), "less_than": ("lt", "must be below", "")}  # fmt: skip
        if kind in limits:
            name, words, what = limits[kind]
            return f"{words} {_number(ctx[name])}" + (f", {what}" if what else "") + _percent_hint(kind, ctx, value)
        if kind in _KINDS:
            return _KINDS[kind] + _kind_remedy(kind, value, field)
        if kind in ("string_too_short", "string_too_long"):
            return f"must have {ctx.get('min_length', ctx.get('max_length'))} letters"
        if kind in ("too_short", "too_long"):
            return f"must have at least {ctx.get('min_length', 1)} entry"
        if kind == "string_pattern_mismatch":
            return _key_rule(str(value), kind, ctx)
        return f"{message[0].lower()}{message[1:]}"

    def contradiction(self, keys: Keys, text: str) -> Iterator[Finding]:
        """Yield the findings of a part that contradicts itself; lines may start with `dotted.path: `."""
        for line in text.split("\n"):
            head, colon, rest = line.partition(": ")
            if not keys and colon and " " not in head:
                here: Keys = tuple(int(part) if part.isdigit() else part for part in head.split("."))
                value = self.at(here)
                written = "" if value is None or isinstance(value, dict) else _short(value)
                yield Finding(self.place(here), head, written, rest)
                continue
            first, equals, rest = line.partition(" = ")
            number, _, rest = rest.partition(" ")
            if not equals or first not in _names(keys):
                first, rest = line.split(" ", 1)
                number = ""
            here = (*keys, first) if first in _names(keys) else keys
            value = self.at(here)
            written = number if value is None else "" if isinstance(value, dict) else _short(value)
            yield Finding(self.place(here), dotted(here), written, rest if here != keys else line)

    def contradictions(self, model: Any, values: Any, keys: Keys) -> tuple[Any, list[Finding]]:
        """Return a part built from its values as they are, and its contradictions although some values are invalid.

        What cannot be told without the invalid values is left out.
        """
        built: dict[str, Any] = {}
        findings: list[Finding] = []

        def part(inner: Any, value: Any, at: Keys) -> Any:
            made, found = self.contradictions(_bare(inner), value, at)
            findings.extend(found)
            return made

        for name, field in model.model_fields.items():
            given = values.get(name) if isinstance(values, dict) else None
            annotation, at = _bare(field.annotation), (*keys, name)
            args = typing.get_args(annotation)
            if given is None:
                built[name] = None if field.is_required() else field.get_default(call_default_factory=True)
            elif _is_model(annotation):
                built[name] = part(annotation, given, at)
            elif isinstance(given, dict) and args and _is_model(args[-1]):
                built[name] = {key: part(args[-1], value, (*at, key)) for key, value in given.items()}
            elif isinstance(given, list) and args and _is_model(args[-1]):
                built[name] = [part(args[-1], value, (*at, i)) for i, value in enumerate(given)]
            else:
                built[name] = given
        whole = model.model_construct(**built)
        return whole, findings + self.own_rules(whole, keys)

    def own_rules(self, part: BaseModel, keys: Keys) -> list[Finding]:
        """Return what the rules between the fields of one part refuse."""
        found: list[Finding] = []
        for rule in type(part).__pydantic_decorators__.model_validators.values():
            try:
                rule.func(part)
            except ValueError as error:
                found += [f for f in self.contradiction(keys, str(error)) if "None" not in f.message]
            except (AttributeError, TypeError, KeyError, IndexError):
                continue
        return found


def _bare(annotation: Any) -> Any:
    """Return an annotation without Annotated and without `| None`."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        rest = [a for a in typing.get_args(annotation) if a is not type(None)]
        return _bare(rest[0]) if len(rest) == 1 else annotation
    return annotation


def _is_model(annotation: Any) -> bool:
    bare = _bare(annotation)
    return isinstance(bare, type) and issubclass(bare, BaseModel)


def _model(keys: Keys) -> tuple[Any, FieldInfo | None]:
    """Return the annotation under `keys` and, where the last key is a field of a model, that field."""
    here: Any = Scenario
    field: FieldInfo | None = None
    for key in keys:
        field = None
        here = _bare(here)
        if _is_model(here):
            field = here.model_fields.get(str(key))
            here = field.annotation if field is not None else None
        elif typing.get_origin(here) is dict:
            here = typing.get_args(here)[1]
        elif typing.get_origin(here) is list:
            here = typing.get_args(here)[0]
        else:
            here = None
    return _bare(here), field


def _field(keys: Keys) -> FieldInfo | None:
    return _model(keys)[1]


def _names(keys: Keys) -> list[str]:
    """Return the known keys of the part under `keys`."""
    here = _model(keys)[0]
    names = list(here.model_fields) if _is_model(here) else []
    return names if keys else [*names, "extends"]


def drop_empty(values: Any, keys: Keys = ()) -> None:
    """Remove, in place, empty keys of fields that have a default: an empty value means the default."""
    if isinstance(values, list):
        for i, value in enumerate(values):
            drop_empty(value, (*keys, i))
    if isinstance(values, dict):
        for key in list(values):
            field = _field((*keys, key))
            if values[key] is None and field is not None and not field.is_required():
                del values[key]
            else:
                drop_empty(values[key], (*keys, key))


def _homes(model: Any = Scenario, at: str = "") -> Iterator[str]:
    """Yield the dotted path of every known key; `*` stands for names the scenario chooses."""
    for name, field in model.model_fields.items():
        yield f"{at}{name}"
        annotation = _bare(field.annotation)
        args = typing.get_args(annotation)
        if _is_model(annotation):
            yield from _homes(annotation, f"{at}{name}.")
        elif args and _is_model(args[-1]):
            yield from _homes(_bare(args[-1]), f"{at}{name}.*.")


def _split(key: str) -> tuple[tuple[str, ...], str]:
    """Return the words of a key without its unit, and the unit ("" where it has none)."""
    words = key.split("_")
    for i in range(len(words) - 1, -1, -1):
        if words[i] in _UNITS and i > 0:
            return (*words[:i], *words[i + 1 :]), words[i]
    return tuple(words), ""


def _same_stem(key: str, names: list[str]) -> str:
    """Return the known key that differs from `key` in its unit only, or ""."""
    key = key.removesuffix("_yuan") if key.endswith("_wan_yuan") else key
    stem, unit = _split(key)
    for name in names:
        theirs, their_unit = _split(name)
        if theirs == stem and their_unit != unit and their_unit:
            return name
    return ""


def _unit_remedy(key: str, meant: str, value: Any) -> str:
    key = key.removesuffix("_yuan") if key.endswith("_wan_yuan") else key
    unit, right = _split(key)[1], _split(meant)[1]
    if not unit:
        return f"unknown key; the unit belongs to the name: write {meant}"
    (what, size), (right_what, right_size) = _UNITS[unit], _UNITS[right]
    text = f"wrong unit {unit}; this value is given in {right}"
    if what == right_what and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{text}: write {meant}: {_plain(value * size / right_size)}"
    return f"{text}: write {meant}"


def _expected(field: FieldInfo) -> str:
    """Return in words what a field takes: its kind and its limits."""
    annotation = field.annotation
    bare = _bare(annotation)
    if typing.get_origin(bare) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(bare)))
    if bare in (float, int):
        metadata = [*field.metadata, *(m for a in (annotation, *typing.get_args(annotation)) for m in _metadata(a))]
        bounds = {n: getattr(m, n) for m in metadata for n in ("ge", "gt", "le", "lt") if hasattr(m, n)}
        words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        limits = " and ".join(f"{words[n]} {_number(bounds[n])}" for n in words if bounds.get(n) is not None)
        return ("a whole number" if bare is int else "a number") + (f", {limits}" if limits else "")
    if typing.get_origin(bare) in (typing.Union, types.UnionType):
        return "a number or a list of numbers"
    if bare in (str, bool):
        return "text" if bare is str else "true or false"
    return "a list" if typing.get_origin(bare) is list else "a mapping of keys to values"


def _metadata(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) is not typing.Annotated:
        return ()
    found = []
    for item in typing.get_args(annotation)[1:]:
        found.extend(item.metadata if isinstance(item, FieldInfo) else [item])
    return tuple(found)


def _kind_remedy(kind: str, value: Any, field: FieldInfo | None) -> str:
    """Say what to write instead of a value of the wrong kind."""
    if kind in ("int_type", "float_type", "int_from_float"):
        expected = _expected(field).partition(",")[2].strip() if field is not None else ""
        number = _read_number(value)
        remedy = f"; write {_plain(number)}" if number is not None else ""
        return (f", {expected}" if expected else "") + remedy
    if kind == "bool_type" and str(value).lower() in ("yes", "on", "1", "是", "no", "off", "0", "否"):
        return f"; write {'true' if str(value).lower() in ('yes', 'on', '1', '是') else 'false'}"
    if kind == "string_type":
        return f'; put it in quotes: "{_short(value)}"' if not isinstance(value, (dict, list)) else ""
    if kind == "list_type" and not isinstance(value, (dict, list)):
        return f"; write [{_short(value)}]"
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


def _percent_hint(kind: str, ctx: dict[str, Any], value: Any) -> str:
    if kind == "less_than_equal" and ctx.get("le") in (1, 0.5) and 1 < value <= 100:
        return f"; a share, not per cent: write {_plain(value / 100)}?"
    return ""


def _key_rule(key: str, kind: str, ctx: dict[str, Any]) -> str:
    if kind == "literal_error":
        choices = [c.strip("' ") for c in ctx["expected"].replace(" or ", ", ").split(",")]
        near = difflib.get_close_matches(key, choices, 1, 0.5)
        return f"unknown key; it must be one of {', '.join(choices)}" + (f"; did you mean {near[0]}?" if near else "")
    return "names have small letters a-z, digits and _, start with a letter and have at most 40; titles may say more"


def _number(value: float) -> str:
    return f"{value:,.10g}" if abs(value) < 1e15 else f"{value:g}"


def _plain(value: float) -> str:
    return f"{value:.12g}"


def _short(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _plain(value)
    text = " ".join(str(value).split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= 60 else text[:57] + "..."
