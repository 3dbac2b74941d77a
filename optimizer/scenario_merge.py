"""Scenario files laid over one another, and the changes given on the command line laid over them."""

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optimizer.scenario_find import NoScenarioError, find_scenario, no_such_scenario, reference_cities, shipped
from optimizer.scenario_words import null_counts
from optimizer.yaml_tree import Finding, Keys, Origin, Place, dotted, read_tree, read_value, shown, value_at

_OWN = ("name", "title", "description")
CHANGED = Place("--set")  # where a change of the command line stands


@dataclass
class Merged:
    """Values of a scenario so far, where each stands, and what is wrong with them."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Keys, Origin] = field(default_factory=dict)
    deleted: dict[Keys, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    unreadable: bool = False


def add_file(merged: Merged, path: Path, stack: list[Path]) -> None:
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


def _add_base(merged: Merged, extends: Any, origin: Origin, real: Path, stack: list[Path]) -> None:
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
        message = no_such_scenario(extends, real.parent)
        merged.findings.append(Finding(origin.value, "extends", extends, message))
        return
    if base.resolve() in stack:
        chain = " -> ".join(p.name for p in [*stack[stack.index(base.resolve()) :], base])
        message = f"goes round in a circle: {chain}; take one extends out"
        merged.unreadable = True
        merged.findings.append(Finding(origin.value, "extends", extends, message))
        return
    add_file(merged, base, stack)


def _merge(
    merged: Merged, base: dict[str, Any], change: dict[str, Any], theirs: dict[Keys, Origin], at: Keys
) -> dict[str, Any]:
    """Return `base` changed by `change`; origins of what is replaced or deleted follow."""
    first = {key: None for key in change if key not in base} if at == ("guidance",) and base else {}
    out: dict[str, Any] = {**first, **base}
    for key, value in change.items():
        here = (*at, key)
        inherited = base.get(key)
        if value is None and key in base and not null_counts(here):
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


def data_exists(merged: Merged) -> None:
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


def override(merged: Merged, text: str) -> None:
    """Apply one `a.b.c=value`; the value is YAML, null deletes."""
    name, equals, raw = text.partition("=")
    name = name.strip()
    place = CHANGED
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


def _not_inside(merged: Merged, place: Place, keys: Keys) -> None:
    message = f"{dotted(keys)} holds no keys (or has no such entry); name a key that does"
    merged.findings.append(Finding(place, "", "", message))


def _put(merged: Merged, here: Any, keys: Keys, value: Any, place: Place) -> None:
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
        here.pop(last, None) if value is None and not null_counts(keys) else here.update(after)


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


def changed_keys(text: str, values: dict[str, Any]) -> list[Keys]:
    """Return the keys that one `a.b.c=value` gives, as they are called in the values of a scenario."""
    name, _, raw = text.partition("=")
    keys: list[str | int] = []
    here: Any = values
    for part in name.split("."):
        keys.append(_step(here, part.strip()))
        here = value_at(here, (keys[-1],))
    return _leaves(read_value(raw, CHANGED)[0], tuple(keys))


def _leaves(value: Any, at: Keys) -> list[Keys]:
    inside = value.items() if isinstance(value, dict) else ()
    return [leaf for key, item in inside for leaf in _leaves(item, (*at, key))] or [at]


def set_years(merged: Merged, years: int) -> None:
    """Plan for so many years; lists of yearly amounts that are longer are cut. Refuses what the changes contradict."""
    place = Place("--years")
    horizon = merged.values.setdefault("horizon", {})
    said = merged.origins.get(("horizon", "years"))
    if said and said.key == CHANGED and isinstance(horizon, dict) and horizon.get("years") != years:
        message = f"contradicts --years {years}; give one of the two"
        merged.findings.append(Finding(CHANGED, "horizon.years", str(horizon.get("years")), message))
        return
    if isinstance(horizon, dict):
        horizon["years"] = years
        merged.origins[("horizon", "years")] = Origin(place, place)
    sources = merged.values.get("sources")
    for source in sources.values() if isinstance(sources, dict) else ():
        for key in ("amount_yuan", "committed_yuan") if isinstance(source, dict) and years > 0 else ():
            if isinstance(source.get(key), list):
                source[key] = source[key][:years]
