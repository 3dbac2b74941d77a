"""Tables finished: what follows from other columns filled in, several lines of a street split, rows sorted."""

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import CRS

from geodata.schema import PERSONS_PER_HOUSEHOLD, Table
from geodata.values import convert


def finish(frame: pd.DataFrame, table: Table, rows: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a projected table with values that follow from others filled in, sorted by its key; rows likewise."""
    if table.name == "streets":
        frame, rows = _single_lines(frame, rows)
        frame["street"] = _numbered(frame["street"])
        length = frame.geometry.length.to_numpy()
        frame["length_m"] = frame["length_m"].where(frame["length_m"].notna(), length)
    if table.name == "communities":
        frame["sub_district"] = frame["sub_district"].where(frame["sub_district"] != "", frame["district"])
        households = frame["population"] / PERSONS_PER_HOUSEHOLD
        frame["households"] = frame["households"].where(frame["households"].notna(), households)
    if table.name == "needs":
        frame["persons"] = frame["persons"].where(frame["persons"].notna(), frame["amount"])
    if table.name in ("communities", "sites", "districts"):
        frame["name"] = frame["name"].where(frame["name"] != "", frame[table.key[0]])
    position = frame[list(table.key)].assign(_at=range(len(frame))).sort_values([*table.key, "_at"])["_at"].to_numpy()
    return frame.iloc[position].reset_index(drop=True), rows[position]


def _single_lines(frame: pd.DataFrame, rows: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Streets of several separate lines split into one row a line, named `id/1`, `id/2`, each as long as it is."""
    many = np.array([s is not None and s.geom_type == "MultiLineString" for s in frame.geometry], dtype=bool)
    if not many.any():
        return frame, rows
    parts = gpd.GeoDataFrame(frame.assign(_row=rows, _many=many))
    frame = parts.explode(index_parts=False).reset_index(drop=True)
    number = frame.groupby("street").cumcount() + 1
    split = frame["_many"]
    frame["street"] = frame["street"].where(~split, frame["street"] + "/" + number.astype("str"))
    frame.loc[split, "length_m"] = np.nan
    return frame.drop(columns=["_row", "_many"]), frame["_row"].to_numpy()


def _numbered(names: pd.Series) -> pd.Series:
    """Several rows of one street, as OpenStreetMap has them, told apart: `id/1`, `id/2`."""
    number = names.groupby(names).cumcount() + 1
    return names.where(~(names.duplicated(keep=False) & (names != "")), names + "/" + number.astype("str"))


def empty(table: Table, crs: CRS | None) -> pd.DataFrame:
    """Return the table without rows, every column of its type."""
    nothing = pd.Series([], dtype=object)
    frame = pd.DataFrame({column.name: convert(nothing, column, {})[0] for column in table.columns})
    return frame if table.geometry == "none" else gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries([], crs=crs))
