"""Read scenarios: YAML files that extend one another, and the changes given on the command line.

`extends` names a scenario file next to this one, a scenario that ships, or a path. Mappings are merged key
by key; a key set to null is deleted, which brings its default back; lists are replaced. New classes of
`guidance` go before the inherited ones, because the first class that fits decides. `name`, `title` and
`description` are each file's own and not inherited.
"""

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

from optimizer.scenario import Scenario
from optimizer.scenario_find import (
    IN_FOLDER,
    NoScenarioError,
    ScenarioError,
    find_scenario,
    reference_cities,
    shipped,
)
from optimizer.scenario_findings import Explainer
from optimizer.scenario_merge import Merged, add_file, changed_keys, data_exists, override, set_years
from optimizer.scenario_words import drop_empty, short
from optimizer.yaml_tree import Finding, Keys, Place, dotted, shown, value_at

__all__ = [
    "LoadedScenario",
    "NoScenarioError",
    "ScenarioError",
    "find_scenario",
    "json_schema",
    "load_scenario",
    "reference_cities",
    "resolved_yaml",
    "scenario_hash",
    "shipped",
]


@dataclass(frozen=True)
class LoadedScenario:
    """A valid scenario, the file it was read from, and all its values (defaults filled in) as plain data.

    `places` says where each key stands that a file or the command line gives, `changes` what the command line changed,
    each as `key = value`.
    """

    scenario: Scenario
    path: Path
    resolved: dict[str, Any]
    places: dict[Keys, Place] = field(default_factory=dict)
    changes: tuple[str, ...] = ()


def load_scenario(
    ref: str | Path, overrides: Sequence[str] = (), *, years: int | None = None, data_must_exist: bool = False
) -> LoadedScenario:
    """Read a scenario with everything it extends and apply overrides `a.b.c=value`.

    `years` shortens (or lengthens) the horizon and cuts lists of yearly amounts that are longer.
    Raises ScenarioError with every mistake that can be found at once, each with file, line and column.
    """
    path = find_scenario(ref)
    merged = Merged()
    add_file(merged, path, [])
    for change in overrides:
        override(merged, change)
    if years is not None:
        set_years(merged, years)
    if data_must_exist:
        data_exists(merged)
    merged.values.pop("extends", None)
    merged.values.setdefault("name", _name_from(path))
    drop_empty(merged.values)
    try:
        scenario = Scenario.model_validate(merged.values, strict=True)
    except ValidationError as error:
        if not merged.unreadable:
            explainer = Explainer(merged.values, merged.origins, merged.deleted, shown(path))
            said = {(f.place, f.path) for f in merged.findings}  # what is no number is told by the file
            merged.findings += [f for f in explainer.explain(error) if (f.place, f.path) not in said]
    if merged.findings:
        raise ScenarioError([str(finding) for finding in _sorted(merged)], merged.values)
    places = {keys: origin.key for keys, origin in merged.origins.items()}
    return LoadedScenario(scenario, path.resolve(), scenario.model_dump(), places, _said(overrides))


def _said(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return changes as `key = value`; the last of a key holds."""
    pairs = (text.partition("=") for text in overrides)
    last = {key.strip(): short(value) for key, _, value in pairs}
    return tuple(f"{key} = {value}" for key, value in last.items())


def erased(refs: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """Return a line for every change that would make alike what the files of scenarios to be compared say differently.

    Years must be alike in a comparison; names and how a plan is searched are not compared: these may be changed.
    """
    try:
        plain = [load_scenario(ref) for ref in refs] if overrides else []
    except ScenarioError:
        return []  # said where the scenarios are read with the changes
    lines: list[str] = []
    for text in overrides:
        for loaded in plain[1:]:
            lines += [_erased(text, keys, plain[0], loaded) for keys in changed_keys(text, loaded.resolved)
                      if keys[0] not in ("name", "title", "description", "solver") and keys != ("horizon", "years")
                      and value_at(loaded.resolved, keys) != value_at(plain[0].resolved, keys)]  # fmt: skip
    return list(dict.fromkeys(lines))


def _erased(text: str, keys: Keys, first: LoadedScenario, loaded: LoadedScenario) -> str:
    place = loaded.places.get(keys)
    if place is None or place == first.places.get(keys):
        place = first.places.get(keys, Place(shown(loaded.path)))
    values = [short(value_at(each.resolved, keys)) for each in (loaded, first)]
    names = [each.scenario.name for each in (loaded, first)]
    said = f"{values[0]} in {names[0]}, {values[1]} in {names[1]}: --set {text} would erase this difference"
    remedy = "leave --set out, or take the key out of the file"
    return f"{place}  {dotted(keys)}  is {said}; {remedy}"


def _sorted(merged: Merged) -> list[Finding]:
    order = {file: i for i, file in enumerate(reversed(merged.files))}
    last = len(order)
    seen = dict.fromkeys(merged.findings)
    return sorted(seen, key=lambda f: (order.get(f.place.file, last), f.place.line, f.place.column))


def _name_from(path: Path) -> str:
    stem = path.resolve().parent.name if path.name in IN_FOLDER else path.stem
    name = re.sub(r"[^a-z0-9_]+", "_", stem.lower()).strip("_")[:40]
    return name if name[:1].isalpha() else f"scenario_{name}"[:40].rstrip("_")


def resolved_yaml(scenario: Scenario) -> str:
    """Return a scenario as YAML with every default filled in; the same scenario gives the same text."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 10_000
    stream = io.StringIO()
    yaml.dump(_whole(scenario.model_dump()), stream)
    return "# Everything this scenario extends and every default is filled in.\n" + stream.getvalue()


def _whole(value: Any) -> Any:
    """Return plain data with whole floats as integers, so that money reads as people write it."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def scenario_hash(scenario: Scenario) -> str:
    """Return a hash of all that decides the plan: not where the data lies, nor how many threads search."""
    data = scenario.model_dump()
    data["solver"].pop("threads")
    for part in (data["data"], *data["data"]["layers"].values()):
        part["path"] = Path(part["path"]).name
    return hashlib.sha256(repr(_whole(data)).encode("utf-8")).hexdigest()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file, for editors.

    A file that extends another gives only what differs, so no key is required and null (delete) is allowed;
    `allot check` finds what is missing.
    """
    schema = _relaxed(Scenario.model_json_schema())
    extends = {
        "type": "string",
        "title": "Extends",
        "description": "Scenario that this one changes: a name, or a path relative to this file.",
    }
    schema["properties"] = {"extends": extends, **schema["properties"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Scenario of allot"}


def _relaxed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_relaxed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: _relaxed(value) for key, value in schema.items() if key not in ("required", "minProperties")}
    for kind in ("properties", "patternProperties"):
        if kind in schema:
            out[kind] = {key: _or_null(value) for key, value in out[kind].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        out["additionalProperties"] = _or_null(out["additionalProperties"])
    return out


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    choices = schema.get("anyOf")
    if choices is not None:
        return schema if {"type": "null"} in choices else {**schema, "anyOf": [*choices, {"type": "null"}]}
    kept: dict[str, Any] = {key: schema[key] for key in ("title", "description", "default") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in kept}
    return {**kept, "anyOf": [rest, {"type": "null"}]}
