"""Turn what the schema refuses into findings a planner can act on: what is wrong, the limit, the remedy."""

import difflib
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from optimizer.scenario import Scenario
from optimizer.scenario_words import (
    KINDS,
    all_keys,
    bare,
    expected,
    field_at,
    is_model,
    key_rule,
    kind_remedy,
    names_at,
    percent_hint,
    same_stem,
    short,
    unit_remedy,
    with_commas,
)
from optimizer.yaml_tree import Finding, Keys, Origin, Place, dotted, value_at


class Explainer:
    """Explains the mistakes of one merged scenario with the places its values came from."""

    def __init__(self, values: dict[str, Any], origins: dict[Keys, Origin], deleted: dict[Keys, Place], file: str):
        self.values = values
        self.origins = origins
        self.deleted = deleted
        self.file = file
        self.invalid: set[Keys] = set()

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
        self.invalid = {keys for keys, e in errors if e["type"] not in ("value_error", "extra_forbidden")}
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
        return value_at(self.values, keys)

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
            yield Finding(self.place(keys, True), dotted(keys), "", key_rule(str(keys[-1]), kind, ctx))
        else:
            message = self.wrong(keys, kind, ctx, value, error["msg"])
            yield Finding(self.place(keys), dotted(keys), short(value), message)

    def missing(self, keys: Keys) -> str:
        """Say that a key must be given, what it is, and which entry was meant where a name looks mistyped."""
        field = field_at(keys)
        text = "is deleted here but must be given" if keys in self.deleted else "is missing"
        if field is not None:
            text += f"; give {expected(field)}" + (f": {field.description.rstrip('.')}" if field.description else "")
        siblings = self.at(keys[:-2])
        if isinstance(siblings, dict) and len(keys) > 2 and field_at(keys[:-1]) is None:
            near = difflib.get_close_matches(str(keys[-2]), [k for k in siblings if k != keys[-2]], 1, 0.7)
            text += f"; or did you mean {dotted((*keys[:-2], near[0]))}?" if near else ""
        return text

    def meant(self, keys: Keys) -> str:
        """Return the known key of the same part that an unknown key most likely stands for, or ""."""
        names = names_at(keys[:-1])
        return same_stem(str(keys[-1]), names) or next(
            iter(difflib.get_close_matches(str(keys[-1]), names, 1, 0.6)), ""
        )

    def unknown(self, keys: Keys, value: Any) -> str:
        """Say that a key is unknown and which one is meant; a wrong unit is converted."""
        key, meant = str(keys[-1]), self.meant(keys)
        if value is None and ":" in key:
            return f"unknown key; put a blank after the colon: {key.replace(':', ': ', 1)}"
        if meant and same_stem(key, names_at(keys[:-1])):
            return unit_remedy(key, meant, value)
        if meant:
            return f"unknown key; did you mean {meant}?"
        homes = [home for home in all_keys() if home.split(".")[-1] == key]
        if homes:
            return f"unknown key here; it stands under {homes[0].rpartition('.')[0] or 'the outermost level'}"
        return f"unknown key; keys here are {', '.join(names_at(keys[:-1]))}"

    def wrong(self, keys: Keys, kind: str, ctx: dict[str, Any], value: Any, message: str) -> str:
        """Say what is wrong with a value, the limit, and what to write instead."""
        field = field_at(keys)
        if value is None and kind in KINDS:
            if kind == "model_type":
                return "is empty, and there is nothing inherited that null could delete; give its keys or remove it"
            return f"is empty; {KINDS[kind]}" + (f", {expected(field)}" if field else "")
        if kind == "literal_error":
            choices = [c.strip("' ") for c in ctx["expected"].replace(" or ", ", ").split(",")]
            near = difflib.get_close_matches(str(value), choices, 1, 0.5)
            return f"must be one of {', '.join(choices)}" + (f"; did you mean {near[0]}?" if near else "")
        limits = {"greater_than_equal": ("ge", "is below", "the smallest allowed"),
                  "less_than_equal": ("le", "is above", "the largest allowed"),
                  "greater_than": ("gt", "must be above", ""), "less_than": ("lt", "must be below", "")}  # fmt: skip
        if kind in limits:
            name, words, what = limits[kind]
            return f"{words} {with_commas(ctx[name])}" + (f", {what}" if what else "") + percent_hint(kind, ctx, value)
        if kind in KINDS:
            return KINDS[kind] + kind_remedy(kind, value, field)
        if kind in ("string_too_short", "string_too_long"):
            return f"must have {ctx.get('min_length', ctx.get('max_length'))} letters"
        if kind in ("too_short", "too_long"):
            return f"must have at least {ctx.get('min_length', 1)} entry"
        if kind == "string_pattern_mismatch":
            return key_rule(str(value), kind, ctx)
        return f"{message[0].lower()}{message[1:]}"

    def contradiction(self, keys: Keys, text: str) -> Iterator[Finding]:
        """Yield the findings of a part that contradicts itself; lines may start with `dotted.path: `."""
        for line in text.split("\n"):
            head, colon, rest = line.partition(": ")
            if not keys and colon and " " not in head:
                here: Keys = tuple(int(part) if part.isdigit() else part for part in head.split("."))
                value = self.at(here)
                written = "" if value is None or isinstance(value, dict) else short(value)
                yield Finding(self.place(here), head, written, rest)
                continue
            first, equals, rest = line.partition(" = ")
            number, _, rest = rest.partition(" ")
            if not equals or first not in names_at(keys):
                first, rest = line.split(" ", 1)
                number = ""
            here = (*keys, first) if first in names_at(keys) else keys
            value = self.at(here)
            written = number if value is None else "" if isinstance(value, dict) else short(value)
            yield Finding(self.place(here), dotted(here), written, rest if here != keys else line)

    def contradictions(self, model: Any, values: Any, keys: Keys) -> tuple[Any, list[Finding]]:
        """Return a part built from its values as they are, and its contradictions although some values are invalid.

        What cannot be told without the invalid values is left out.
        """
        built: dict[str, Any] = {}
        findings: list[Finding] = []

        def part(inner: Any, value: Any, at: Keys) -> Any:
            made, found = self.contradictions(bare(inner), value, at)
            findings.extend(found)
            return made

        for name, field in model.model_fields.items():
            given = values.get(name) if isinstance(values, dict) else None
            annotation, at = bare(field.annotation), (*keys, name)
            args = typing.get_args(annotation)
            leaf = not (is_model(annotation) or (args and is_model(args[-1])))
            if given is None or (leaf and any(keys[: len(at)] == at for keys in self.invalid)):
                built[name] = None if field.is_required() else field.get_default(call_default_factory=True)
            elif is_model(annotation):
                built[name] = part(annotation, given, at)
            elif isinstance(given, dict) and args and is_model(args[-1]):
                built[name] = {key: part(args[-1], value, (*at, key)) for key, value in given.items()}
            elif isinstance(given, list) and args and is_model(args[-1]):
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
