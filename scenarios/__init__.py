"""Scenarios that ship: `base` and named changes to it, each a YAML file beside this one.

A change says `extends: base` and then only what differs. `path("base")` finds a scenario whether the
project runs from a checkout or from an installed wheel.
"""

from importlib.resources import files
from pathlib import Path


def names() -> list[str]:
    """Names of the scenarios that ship, `base` first and the others by name."""
    found = sorted(entry.name[:-5] for entry in files(__name__).iterdir() if entry.name.endswith(".yaml"))
    return sorted(found, key=lambda name: (name != "base", name))


def path(name: str) -> Path:
    """File of the scenario called `name`; raise KeyError, naming those that ship, if there is none."""
    if name not in names():
        raise KeyError(f"no scenario {name!r} ships; there are {', '.join(names())}")
    return Path(str(files(__name__) / f"{name}.yaml"))
