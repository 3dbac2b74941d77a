"""What is said of where the data come from, if the city carries such a layer."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from optimizer.report.html import Html, join, table, tag
from optimizer.report.sections import section
from optimizer.words import number, spelled

if TYPE_CHECKING:
    from geodata.city import City

LAYER = "provenance"
KINDS = ("report", "derived", "synthetic")


def read_provenance(city: "City") -> pd.DataFrame:
    """Return the layer `provenance` of the city's files; empty where there is none."""
    import pyogrio

    for path in city.files:
        if Path(path).suffix.lower() != ".gpkg" or not Path(path).is_file():
            continue
        try:
            names = [str(name) for name, _ in pyogrio.list_layers(path)]
            if LAYER in names:
                frame: pd.DataFrame = pyogrio.read_dataframe(path, layer=LAYER, read_geometry=False)
                return frame.fillna("").astype(str)
        except (OSError, RuntimeError, ValueError):
            continue
    return pd.DataFrame()


def provenance_section(city: "City") -> Html:
    """Return what is reported, derived and synthetic, as far as the city's data say so."""
    frame = read_provenance(city)
    title = "Where the data come from"
    if frame.empty:
        return section("data", title, tag("p", "The data do not say where they come from."))
    kind = _kind_column(frame)
    parts: list[object] = []
    if kind:
        counts = frame[kind].str.lower().value_counts()
        said = [f"{number(counts[k])} {k}" for k in KINDS if k in counts]
        parts.append(tag("p", "Of the columns described: ", tag("strong", ", ".join(said)), "."))
        if counts.get("synthetic", 0):
            parts.append(
                tag("p", "Synthetic data are made up so that the whole can be tried; they are not facts about a "
                    "real community and must not be used to decide about one.", class_="note")
            )  # fmt: skip
    names = [str(c) for c in frame.columns]
    rows = [list(row) for row in frame.itertuples(index=False, name=None)]
    inner = table("Where every column comes from", [spelled(n) for n in names], rows, hidden_caption=True)
    parts.append(tag("details", tag("summary", "Column by column"), inner))
    return section("data", title, join(parts))


def _kind_column(frame: pd.DataFrame) -> str:
    """Return the column whose words are report, derived and synthetic; empty where none is."""
    for column in frame.columns:
        values = set(frame[column].str.lower())
        if values and values <= set(KINDS):
            return str(column)
    return ""
