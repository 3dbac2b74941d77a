"""Versions of the planner and of what it solves with."""

import sys
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "allot-planner"
SOLVERS = ("highspy", "pulp")


def version() -> str:
    """Return the version of the planner; read from the checkout where it is not installed."""
    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    if project.is_file():
        import tomllib

        content = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {})
        if content.get("name") == DISTRIBUTION:
            return str(content["version"])
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


def versions() -> dict[str, str]:
    """Return the versions that a plan depends on: the planner, the solvers, Python."""
    found = {"allot": version(), "python": ".".join(map(str, sys.version_info[:3]))}
    for name in SOLVERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found
