"""Where scenarios are: those that ship, files, folders; and the error of a scenario that cannot be used."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import scenarios

_ROOT = Path(__file__).resolve().parent.parent
_SUFFIXES = (".yaml", ".yml")
IN_FOLDER = ("scenario.yaml", "base.yaml", "scenario.resolved.yaml")


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
            inside = [path / name for name in IN_FOLDER if (path / name).is_file()]
            if inside:
                return inside[0]
        elif path.is_file():
            return path
    if looks_like_name and text in shipped():
        return shipped()[text]
    raise NoScenarioError([f"{text}  {no_such_scenario(text, start)}"])


def no_such_scenario(text: str, start: Path) -> str:
    """Say that a name or path means no scenario, seen from the folder `start`, and which was meant."""
    path = start / text
    if path.is_dir():
        return f"this folder has no {', '.join(IN_FOLDER[:2])}; name the scenario file"
    try:
        files = [p for p in path.parent.iterdir() if p.suffix in _SUFFIXES]
        beside = [p.name if path.suffix else p.stem for p in files]
    except OSError:
        beside = []
    near = difflib.get_close_matches(path.name, [*shipped(), *beside], 1, 0.6)
    known = f"; scenarios that ship: {', '.join(shipped()) or 'none'}"
    return "there is no such scenario" + (f"; did you mean {near[0]}?" if near else known)
