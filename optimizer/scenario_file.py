"""Read scenarios: YAML files that extend one another, and the changes given on the command line.

`extends` names a scenario file next to this one, a scenario that ships, or a path. Mappings are merged key
by key; a key set to null is deleted, which brings its default back; lists are replaced. New classes of
`guidance` go before the inherited ones, because the first class that fits decides. `name`, `title` and
`description` are each file's own and not inherited.
"""

import difflib
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

import scenarios
from optimizer.scenario import Scenario
from optimizer.scenario_findings import Explainer
from optimizer.scenario_words import drop_empty
from optimizer.yaml_tree import Finding, Keys, Origin, Place, dotted, read_tree, read_value, shown

_ROOT = Path(__file__).resolve().parent.parent
_OWN = ("name", "title", "description")
_SUFFIXES = (".yaml", ".yml")
_IN_FOLDER = ("scenario.yaml", "base.yaml", "scenario.resolved.yaml")


class ScenarioError(Exception):
    """A scenario that cannot be used: `findings` holds one line per mistake, `values` what could be read."""

    def __init__(self, findings: Sequence[str], values: dict[str, Any] | None = None):
        self.findings = list(findings)
        self.values = values or {}
        count = len(self.findings)
        super().__init__("\n".join([*self.findings, f"{count} error{'s' if count != 1 else ''}"]))

    def __reduce__(self) -> tuple[type["ScenarioError"], tuple[list[str], dict[str, Any]]]:
        return type(self), (self.findings, self.values)


class NoScenarioError(ScenarioError):
    """There is no scenario of that name, and no such file."""


@dataclass(frozen=True)
class LoadedScenario:
    """A valid scenario, the file it was read from, and all its values (defaults filled in) as plain data."""

    scenario: Scenario
    path: Path
    resolved: dict[str, Any]


@dataclass
class _Merged:
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Keys, Origin] = field(default_factory=dict)
    deleted: dict[Keys, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    unreadable: bool = False


def shipped() -> dict[str, Path]:
    """Return the scenarios that ship: name -> file, the base first."""
    return {name: scenarios.path(name) for name in scenarios.names()}


def reference_cities() -> list[str]:
    """Return the names of the reference cities that ship."""
    folder = _ROOT / "geodata" / "reference"
    return sorted(p.parent.name for p in folder.glob("*/*.gpkg") if p.stem == p.parent.name)


def find_scenario(ref: str | Path, folder: Path | None = None) -> Path:
    """Return the file that a name or a path means; ScenarioError where there is none.

    In `extends`, `folder` is the folder of the file which says so. A folder stands for its scenario.yaml,
    base.yaml or (a run) scenario.resolved.yaml.
    """
    text = str(ref)
    looks_like_name = re.fullmatch(r"[\w-]+", text) is not None
    start = folder or Path()
    if looks_like_name and folder is None and text in shipped():
        return shipped()[text]
    for suffix in ("", *_SUFFIXES):
        path = start / (text + suffix)
        if path.is_dir():
            inside = [path / name for name in _IN_FOLDER if (path / name).is_file()]
            if inside:
                return inside[0]
        elif path.is_file():
            return path
    if looks_like_name and text in shipped():
        return shipped()[text]
    raise NoScenarioError([f"{text}  {_no_such_scenario(text, start)}"])


def _no_such_scenario(text: str, start: Path) -> str:
    path = start / text
    if path.is_dir():
        return f"this folder has no {', '.join(_IN_FOLDER[:2])}; name the scenario file"
    try:
        files = [p for p in path.parent.iterdir() if p.suffix in _SUFFIXES]
        beside = [p.name if path.suffix else p.stem for p in files]
    except OSError:
        beside = []
    near = difflib.get_close_matches(path.name, [*shipped(), *beside], 1, 0.6)
    known = f"; scenarios that ship: {', '.join(shipped()) or 'none'}"
    return "there is no such scenario" + (f"; did you mean {near[0]}?" if near else known)


def load_scenario(
    ref: str | Path, overrides: Sequence[str] = (), *, years: int | None = None, data_must_exist: bool = False
) -> LoadedScenario:
    """Read a scenario with everything it extends and apply overrides `a.b.c=value`.

    `years` shortens (or lengthens) the horizon and cuts lists of yearly amounts that are longer.
    Raises ScenarioError with every mistake that can be found at once, each with file, line and column.
    """
    path = find_scenario(ref)
    merged = _Merged()
    _add_file(merged, path, [])
    for override in overrides:
        _override(merged, override)
    if years is not None:
        _set_years(merged, years)
    if data_must_exist:
        _data_exists(merged)
    merged.values.pop("extends", None)
    merged.values.setdefault("name", _name_from(path))
    drop_empty(merged.values)
    try:
        scenario = Scenario.model_validate(merged.values, strict=True)
    except ValidationError as error:
        if not merged.unreadable:
            explainer = Explainer(merged.values, merged.origins, merged.deleted, shown(path))
            merged.findings += explainer.explain(error)
    if merged.findings:
        raise ScenarioError([str(finding) for finding in _sorted(merged)], merged.values)
    return LoadedScenario(scenario, path.resolve(), scenario.model_dump())


def _sorted(merged: _Merged) -> list[Finding]:
    order = {file: i for i, file in enumerate(reversed(merged.files))}
    last = len(order)
    seen = dict.fromkeys(merged.findings)
    return sorted(seen, key=lambda f: (order.get(f.place.file, last), f.place.line, f.place.column))


def _add_file(merged: _Merged, path: Path, stack: list[Path]) -> None:
    """Merge a file over what it extends into `merged`."""
    real = path.resolve()
    tree = read_tree(path)
    merged.findings += tree.findings
    merged.unreadable |= not tree.values
    extends = tree.values.get("extends")
    if extends is not None:
        origin = tree.origins[("extends",)]
        _add_base(merged, extends, origin, real, [*stack, real])
    for own in _OWN:
        _forget(merged.origins, (own,))
        merged.values.pop(own, None)
    tree.values.pop("extends", None)
    _absolute(tree.values, real.parent)
    merged.files.append(shown(path))
    merged.values = _merge(merged, merged.values, tree.values, tree.origins, ())


def _add_base(merged: _Merged, extends: Any, origin: Origin, real: Path, stack: list[Path]) -> None:
    if not isinstance(extends, str) or not extends:
        merged.unreadable = True
        message = "must be the name of a scenario or a path; one only"
        merged.findings.append(Finding(origin.value, "extends", str(extends), message))
        return
    try:
        base = find_scenario(Path(extends), real.parent)
        if base.resolve() == real and extends in shipped():
            base = shipped()[extends]
    except NoScenarioError:
        merged.unreadable = True
        message = _no_such_scenario(extends, real.parent)
        merged.findings.append(Finding(origin.value, "extends", extends, message))
        return
    if base.resolve() in stack:
        chain = " -> ".join(p.name for p in [*stack[stack.index(base.resolve()) :], base])
        message = f"goes round in a circle: {chain}; take one extends out"
        merged.unreadable = True
        merged.findings.append(Finding(origin.value, "extends", extends, message))
        return
    _add_file(merged, base, stack)


def _merge(
    merged: _Merged, base: dict[str, Any], change: dict[str, Any], theirs: dict[Keys, Origin], at: Keys
) -> dict[str, Any]:
    """Return `base` changed by `change`; origins of what is replaced or deleted follow."""
    first = {key: None for key in change if key not in base} if at == ("guidance",) and base else {}
    out: dict[str, Any] = {**first, **base}
    for key, value in change.items():
        here = (*at, key)
        inherited = base.get(key)
        if value is None and key in base:
            del out[key]
            _forget(merged.origins, here)
            merged.deleted[here] = theirs[here].key
            continue
        merged.deleted.pop(here, None)
        if isinstance(value, dict) and isinstance(inherited, dict):
            out[key] = _merge(merged, inherited, value, theirs, here)
        else:
            _forget(merged.origins, here)
            out[key] = value
            merged.origins.update({k: o for k, o in theirs.items() if k[: len(here)] == here})
        merged.origins[here] = theirs[here]
    return out


def _forget(origins: dict[Keys, Origin], here: Keys) -> None:
    for key in [key for key in origins if key[: len(here)] == here]:
        del origins[key]


def _absolute(values: dict[str, Any], folder: Path) -> None:
    """Make the paths of the data absolute, in place; names of reference cities stay."""
    data = values.get("data")
    if not isinstance(data, dict):
        return
    layers = data.get("layers")
    for part in (data, *(layers.values() if isinstance(layers, dict) else ())):
        path = part.get("path") if isinstance(part, dict) else None
        if isinstance(path, str) and path and not (part is data and _is_reference(path, folder)):
            part["path"] = str((folder / Path(path).expanduser()).resolve())


def _is_reference(path: str, folder: Path) -> bool:
    return path in reference_cities() or (path == "mianyang" and not (folder / path).exists())


def _data_exists(merged: _Merged) -> None:
    """Add a finding for every path of the data that leads nowhere."""
    data = merged.values.get("data")
    if not isinstance(data, dict):
        return
    layers = data.get("layers")
    parts: list[tuple[Keys, Any]] = [(("data",), data)]
    parts += [(("data", "layers", name), layer) for name, layer in (layers if isinstance(layers, dict) else {}).items()]
    for keys, part in parts:
        path = part.get("path") if isinstance(part, dict) else None
        if not isinstance(path, str) or not path or path in reference_cities() or Path(path).exists():
            continue
        origin = merged.origins.get((*keys, "path"))
        place = origin.value if origin else Place(merged.files[-1])
        near = difflib.get_close_matches(Path(path).name, reference_cities(), 1, 0.7)
        hint = f"; did you mean the reference city {near[0]}?" if near else "; paths are relative to the scenario file"
        merged.findings.append(Finding(place, dotted((*keys, "path")), path, f"there is no such file or folder{hint}"))


def _override(merged: _Merged, text: str) -> None:
    """Apply one `a.b.c=value`; the value is YAML, null deletes."""
    name, equals, raw = text.partition("=")
    name = name.strip()
    place = Place("--set")
    keys: list[str | int] = [part.strip() for part in name.split(".")]
    if not equals or not all(keys):
        merged.findings.append(Finding(place, "", text, "write KEY=VALUE, for example horizon.years=3"))
        return
    value, findings = read_value(raw, place)
    merged.findings += findings
    if findings:
        return
    here: Any = merged.values
    for i, key in enumerate(keys[:-1]):
        keys[i] = _step(here, key)
        if isinstance(here, dict):
            if keys[i] not in here:
                here[str(keys[i])] = {}
                merged.origins[tuple(keys[: i + 1])] = Origin(place, place)
            here = here[keys[i]]
        elif isinstance(here, list) and isinstance(keys[i], int):
            here = here[keys[i]]  # type: ignore[index]
        else:
            here = None
        if not isinstance(here, (dict, list)):
            _not_inside(merged, place, tuple(keys[: i + 1]))
            return
    keys[-1] = _step(here, keys[-1])
    _put(merged, here, tuple(keys), value, place)


def _step(here: Any, key: str | int) -> str | int:
    """Return the index that a key means in a list: a number, or the goal (or source matched) of that name."""
    if not isinstance(here, list):
        return key
    if str(key).isdigit() and int(key) < len(here):
        return int(key)
    for i, item in enumerate(here):
        if isinstance(item, dict) and key in (item.get("goal"), item.get("of")):
            return i
    return key


def _not_inside(merged: _Merged, place: Place, keys: Keys) -> None:
    message = f"{dotted(keys)} holds no keys (or has no such entry); name a key that does"
    merged.findings.append(Finding(place, "", "", message))


def _put(merged: _Merged, here: Any, keys: Keys, value: Any, place: Place) -> None:
    origin = Origin(place, place)
    inside = {(*keys, *k): origin for k in _paths(value)}
    last = keys[-1]
    if isinstance(here, list):
        if not isinstance(last, int):
            _not_inside(merged, place, keys)
            return
        _forget(merged.origins, keys)
        here[last] = value
        merged.origins.update(inside)
    else:
        if keys[0] == "data":
            part: dict[str, Any] = {"data": _nest(keys[1:], value)}
            _absolute(part, Path.cwd())
            value = _dig(part, keys)
        before = {str(last): here[last]} if last in here else {}
        after = _merge(merged, before, {str(last): value}, inside, keys[:-1])
        here.pop(last, None) if value is None else here.update(after)


def _nest(keys: Keys, value: Any) -> Any:
    return {keys[0]: _nest(keys[1:], value)} if keys else value


def _dig(values: Any, keys: Keys) -> Any:
    for key in keys:
        values = values[key]
    return values


def _paths(value: Any, at: Keys = ()) -> list[Keys]:
    """Return the path of a value and of everything in it."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in inner for path in _paths(item, (*at, key)))]


def _set_years(merged: _Merged, years: int) -> None:
    place = Place("--years")
    horizon = merged.values.setdefault("horizon", {})
    if isinstance(horizon, dict):
        horizon["years"] = years
        merged.origins[("horizon", "years")] = Origin(place, place)
    sources = merged.values.get("sources")
    for source in sources.values() if isinstance(sources, dict) else ():
        if isinstance(source, dict) and isinstance(source.get("amount_yuan"), list) and years > 0:
            source["amount_yuan"] = source["amount_yuan"][:years]


def _name_from(path: Path) -> str:
    stem = path.resolve().parent.name if path.name in _IN_FOLDER else path.stem
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
