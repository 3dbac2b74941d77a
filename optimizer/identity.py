"""What makes two runs the same run: scenario, data, planner and solver, hashed."""

import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

from optimizer.beginning import FILE
from optimizer.scenario_file import LoadedScenario, scenario_hash
from optimizer.version import versions

_PACKAGES = Path(__file__).resolve().parent.parent
_IGNORED = (".yaml", ".yml", ".md", ".html", ".tmp", ".lock", ".qgz", ".gpkg-wal", ".gpkg-shm", ".gpkg-journal")
_SIDECARS = (".shx", ".dbf", ".prj", ".cpg")


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's content; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_files(loaded: LoadedScenario) -> list[Path]:
    """Return the files that hold the city of a scenario: those named, and those in a folder named."""
    found: set[Path] = set()
    data = loaded.scenario.data
    for text in (data.path, *(layer.path for layer in data.layers.values())):
        if text:
            found.update(_files(_reference(text) or Path(text)))
    return sorted(found)


def run_identity(loaded: LoadedScenario, close_to: Path | None = None, begin: Path | None = None) -> str:
    """Return a hash of all that decides a plan.

    `close_to` is the run folder of a plan it stays close to, `begin` of one whose search it begins with. Where the data
    lies and how many threads search do not count. OSError where a file cannot be read.
    """
    parts = [scenario_hash(loaded.scenario), *(f"{name} {number}" for name, number in versions().items())]
    parts += [f"{path.name} {file_hash(path)}" for path in data_files(loaded)]
    parts.append(_code_hash())
    if close_to is not None:
        tables = sorted((close_to / "tables").glob("*.csv"))
        parts += [f"close to {path.name} {file_hash(path)}" for path in tables]
    if begin is None:
        begin = close_to
    if begin is not None and (begin / FILE).is_file() and loaded.scenario.rule is None:
        parts.append(f"begins with {file_hash(begin / FILE)}")
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()


def _reference(name: str) -> Path | None:
    path = _PACKAGES / "geodata" / "reference" / name / f"{name}.gpkg"
    return path if path.is_file() else None


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (p for p in path.iterdir() if p.is_file() and p.suffix.lower() not in _IGNORED)
    elif path.suffix.lower() == ".shp":
        yield path
        yield from (p for p in path.parent.iterdir() if p.stem == path.stem and p.suffix.lower() in _SIDECARS)
    else:
        yield path


@functools.cache
def _code_hash() -> str:
    """Return a hash of the planner's own code: a changed planner does not reuse the plans of the old one."""
    digest = hashlib.sha256()
    for package in ("geodata", "optimizer"):
        for path in sorted((_PACKAGES / package).rglob("*.py")):
            digest.update(path.relative_to(_PACKAGES).as_posix().encode("utf-8"))
            digest.update(path.read_bytes())
    return digest.hexdigest()
