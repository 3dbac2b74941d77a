"""Files of a city: where each table is, and its rows as they stand in the file."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from geodata import encoding as enc
from geodata.findings import Finding, InputError, did_you_mean, listed
from geodata.schema import TABLES
from geodata.text_files import read_text

EXTENSIONS = (
    ".gpkg", ".geojson", ".json", ".shp", ".zip", ".parquet", ".geoparquet", ".fgb", ".graphml", ".csv", ".txt", ".tsv"
)  # fmt: skip
_TEXT = (".csv", ".txt", ".tsv")
_PARQUET = (".parquet", ".geoparquet")
_SIDECARS = (".shx", ".dbf", ".prj", ".cpg")


@dataclass
class Raw:
    """Rows of a table as they stand in the file; a GeoDataFrame where there are geometries."""

    frame: pd.DataFrame
    file: Path
    layer: str
    short_names: bool = False  # the format cuts column names to 10 characters
    findings: list[Finding] = field(default_factory=list)


def shown(path: Path) -> str:
    """Return a path as people are shown it: relative to the working folder if it lies inside."""
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix() or "."
    except (ValueError, OSError):
        return path.as_posix()


def typed(path: Path) -> str:
    """Return a path as it is typed in a command: in quotes where it has blanks."""
    text = shown(path)
    return f'"{text}"' if any(c.isspace() for c in text) else text


def reference_cities() -> list[str]:
    """Return the names of the cities that ship with the package."""
    root = resources.files("geodata") / "reference"
    return sorted(d.name for d in root.iterdir() if (d / f"{d.name}.gpkg").is_file()) if root.is_dir() else []


def resolve(path: str | Path, base: Path | None) -> Path:
    """Return the file or folder of a city; InputError where it does not exist.

    A bare name of a city that ships means that city; anything else is a path, relative to `base`.
    """
    name = str(path)
    if name in reference_cities():
        return Path(str(resources.files("geodata") / "reference" / name / f"{name}.gpkg"))
    full = Path(path).expanduser()
    if base is not None and not full.is_absolute():
        full = base / full
    if full.exists():
        return full
    siblings = sorted(p.name for p in full.parent.iterdir()) if full.parent.is_dir() else []
    hint = did_you_mean(full.name, siblings + reference_cities())
    ships = f"cities that ship: {listed(reference_cities())}" if reference_cities() else ""
    remedy = hint or "; ".join(part for part in ("give the path of a file or folder", ships) if part)
    raise InputError([Finding("error", shown(full), remedy=remedy, message="there is no such file or folder")])


def find_table(place: Path, table: str) -> Path | None:
    """Return the file that holds a table: in a folder `<table>.<extension>`, else its one GeoPackage of many layers."""
    if not place.is_dir():
        return place
    found = [p for p in sorted(place.iterdir()) if _stem(p) == table and p.suffix.casefold() in EXTENSIONS]
    if len(found) > 1:
        names = listed(p.name for p in found)
        remedy = f"remove all but one, or name one in the scenario (data.layers.{table}.path)"
        raise InputError(
            [Finding("error", shown(place), table, message=f"several files hold this table: {names}", remedy=remedy)]
        )
    if found:
        return found[0]
    packages = [p for p in sorted(place.iterdir()) if p.suffix.casefold() == ".gpkg" and p.stem not in TABLES]
    return packages[0] if len(packages) == 1 else None


def _stem(path: Path) -> str:
    stem = path.stem
    return stem[:-4] if path.suffix.casefold() == ".zip" and stem.casefold().endswith(".shp") else stem


def companions(path: Path) -> list[Path]:
    """Return the file and, for a Shapefile, the files that belong to it."""
    if path.suffix.casefold() != ".shp":
        return [path]
    beside = [p for p in path.parent.iterdir() if p.stem == path.stem and p.suffix.casefold() in _SIDECARS]
    return [path, *sorted(beside)]


@contextmanager
def _readable(file: Path, table: str, encoding: str) -> Iterator[None]:
    """Turn whatever a reader raises into an InputError that names the file."""
    try:
        yield
    except InputError:
        raise
    except UnicodeDecodeError:
        said = f"text is not in the declared encoding {encoding}" if encoding else "text is not in UTF-8"
        remedy = f"declare its encoding in the scenario (data.layers.{table}.encoding), for example GBK"
        raise InputError([Finding("error", shown(file), table, message=said, remedy=remedy)]) from None
    except LookupError:
        said = f"there is no encoding {encoding}" if encoding else "is damaged"
        remedy = "for example GBK or UTF-8" if encoding else ""
        raise InputError([Finding("error", shown(file), table, message=said, remedy=remedy)]) from None
    except Exception as error:  # readers raise their own kinds; every one means that the file cannot be read
        lines = str(error).strip().splitlines() or [type(error).__name__]
        said = f"cannot be read ({lines[0][:200]})"
        remedy = f"give a file of one of these formats: {listed(EXTENSIONS)}"
        if file.suffix.casefold() in EXTENSIONS:
            remedy = "it is damaged or not what its name says: take a sound copy, or write it anew from where it came"
        raise InputError([Finding("error", shown(file), table, message=said, remedy=remedy)]) from None


def read_rows(file: Path, table: str, layer: str = "", encoding: str = "", only: bool = True) -> Raw | None:
    """Return the rows of a table in a file; None where the file has no layer of that name.

    `layer` names the layer; where it is empty it is the one called like the table, or, with `only`, the only one.
    Raises InputError where the file or a layer that was asked for by name is missing or cannot be read.
    """
    if not file.exists():
        siblings = sorted(p.name for p in file.parent.iterdir()) if file.parent.is_dir() else []
        hint = did_you_mean(file.name, siblings) or "give the path of a file"
        raise InputError([Finding("error", shown(file), table, message="there is no such file", remedy=hint)])
    suffix = file.suffix.casefold()
    with _readable(file, table, encoding):
        if suffix in _TEXT:
            if not only and _stem(file) != table:
                return None
            frame, findings = read_text(file, shown(file), table, encoding)
            return Raw(frame, file, file.stem, findings=findings)
        if suffix == ".graphml":
            from geodata.street_graphml import lines_of_graphml

            return Raw(lines_of_graphml(file), file, file.stem) if only or _stem(file) == table else None
        if suffix in _PARQUET:
            return _read_parquet(file) if only or _stem(file) == table else None
        return _read_vector(file, table, layer, encoding, only)


def _read_vector(file: Path, table: str, layer: str, encoding: str, only: bool) -> Raw | None:
    sources = _sources(file)
    names = [name for _, name in sources]
    if layer:
        if layer not in names:
            remedy = did_you_mean(layer, names) or f"layers are {listed(names)}"
            raise InputError(
                [Finding("error", shown(file), table, message=f"there is no layer {layer!r}", remedy=remedy)]
            )
        chosen = layer
    elif table in names:
        chosen = table
    elif only and len(names) == 1:
        chosen = names[0]
    else:
        return None
    source = next(path for path, name in sources if name == chosen)
    options = {"encoding": encoding} if encoding else {}
    frame = gpd.read_file(source, layer=chosen, on_invalid="ignore", **options)
    if isinstance(frame, gpd.GeoDataFrame) and frame.geometry.name != "geometry":
        frame = frame.rename_geometry("geometry")
    shape = source.casefold().endswith(".shp")
    raw = Raw(frame, file, chosen, short_names=shape)
    if shape and not encoding:
        _put_right(raw, table)
    return raw


def _sources(file: Path) -> list[tuple[str, str]]:
    """Every layer of a file as (path to open, layer name)."""
    if file.suffix.casefold() != ".zip":
        return [(str(file), str(name)) for name in pyogrio.list_layers(file)[:, 0]]
    if not zipfile.is_zipfile(file):
        raise ValueError("not a zip archive")
    archive = f"/vsizip/{file.resolve().as_posix()}"
    try:
        inside = pyogrio.vsi_listtree(archive)
    except NotADirectoryError:  # a single file inside is taken for the archive itself
        with zipfile.ZipFile(file) as opened:
            inside = [f"{archive}/{name}" for name in opened.namelist()]
    wanted = tuple(e for e in EXTENSIONS if e not in (*_TEXT, *_PARQUET, ".zip", ".graphml"))
    members = sorted(m for m in inside if m.casefold().endswith(wanted) and "__MACOSX" not in m)
    found = [(member, str(name)) for member in members for name in pyogrio.list_layers(member)[:, 0]]
    if not found:
        raise ValueError("there is no Shapefile in this archive")
    return found


def _put_right(raw: Raw, table: str) -> None:
    """Text of a Shapefile without declared encoding: put right what was certainly read wrongly, and say so."""
    frame, example = enc.unscramble(raw.frame)
    if example is None:
        return
    raw.frame = frame
    raw.findings.append(
        Finding(
            "warning",
            shown(raw.file),
            table,
            value=example[0],
            message=f"text was read in the wrong encoding and has been put right ({example[1]})",
            remedy=f"declare it in the scenario (data.layers.{table}.encoding: GBK)",
        )
    )


def _read_parquet(file: Path) -> Raw:
    import pyarrow.parquet as pq

    metadata = pq.read_schema(file).metadata or {}
    if b"geo" in metadata:
        frame = gpd.read_parquet(file)
        if frame.geometry.name != "geometry":
            frame = frame.rename_geometry("geometry")
        return Raw(frame, file, file.stem)
    return Raw(pd.read_parquet(file), file, file.stem)
