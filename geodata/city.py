"""A city as it was read: its tables, and where every row came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geodata.findings import Finding, Severity


@dataclass(frozen=True)
class Origin:
    """Where a table came from: its file and layer, the data row (from 1) of every row, and its columns' names."""

    file: str
    layer: str
    rows: NDArray[np.int64]
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class City:
    """Tables of a city with exactly the columns of `geodata.schema`, sorted by their keys.

    Geometries are in `metric_crs` (metres). `files` are the files read, `findings` what was found while reading.
    `origins` names the origin of each table that was read; `unread` the tables that were there but could not be read.
    """

    communities: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame
    facilities: gpd.GeoDataFrame
    streets: gpd.GeoDataFrame
    people: gpd.GeoDataFrame
    barriers: gpd.GeoDataFrame
    needs: pd.DataFrame
    districts: gpd.GeoDataFrame
    metric_crs: str
    files: tuple[Path, ...] = ()
    name: str = ""
    findings: tuple[Finding, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()

    def table(self, name: str) -> pd.DataFrame:
        """Return the table called `name`; a GeoDataFrame unless it is `needs`."""
        frame: pd.DataFrame = getattr(self, name)
        return frame

    def finding(
        self,
        severity: Severity,
        table: str,
        position: int | None,
        message: str,
        *,
        feature: str = "",
        column: str = "",
        value: object = "",
        limit: str = "",
        remedy: str = "",
    ) -> Finding:
        """Return a finding about the row at `position` of a table (None: about the table), with file and row named."""
        origin = self.origins.get(table)
        row = None
        if position is not None and origin is not None and position < len(origin.rows):
            row = int(origin.rows[position])
        name = column
        if origin is not None and column in origin.columns and origin.columns[column] != column:
            name = f"{origin.columns[column]} ({column})"
        return Finding(
            severity,
            origin.file if origin else "",
            table,
            row,
            feature,
            name,
            str(value),
            limit,
            remedy,
            message,
        )
