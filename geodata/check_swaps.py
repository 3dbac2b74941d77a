"""Checks of what sites say about swaps and land: what is given up is there, and only new buildings take land."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from geodata.check_columns import feature
from geodata.city import City
from geodata.findings import Finding, Severity


def check_swaps(city: City) -> list[Finding]:
    """Return findings about `gives_m2`, `plot_m2` and `land_yuan_per_m2` of sites."""
    sites = city.sites
    offices = sites[sites["use"] == "office"].drop_duplicates("community").set_index("community")["area_m2"]
    office = sites["community"].map(offices).fillna(0.0)
    gives = sites["gives_m2"]
    swap = (sites["instrument"] == "swap") & (sites["use"] == "extension")
    build, land = sites["instrument"] == "build", (sites["plot_m2"] > 0) | (sites["land_yuan_per_m2"] > 0)
    found: list[Finding] = []
    found += _rows(city, (gives > 0) & ~swap, "gives_m2", "does nothing here: only swaps of extensions give rooms up",
                   "an extension with instrument = swap", "leave it empty", "warning")  # fmt: skip
    found += _rows(city, swap & (gives > sites["area_m2"]), "gives_m2", "is more than the new rooms have",
                   "at most area_m2", "a swap must not leave less than there was")  # fmt: skip
    found += _rows(city, swap & (gives > office), "gives_m2", "is more than the office of the community has",
                   "at most the area of its office", "correct it, or the area of the office")  # fmt: skip
    found += _rows(city, land & ~build, "plot_m2", "does nothing here: only new buildings take land",
                   "instrument = build", "leave plot_m2 and land_yuan_per_m2 empty", "warning")  # fmt: skip
    priced = build & (sites["land_yuan_per_m2"] > 0) & (sites["plot_m2"] <= 0)
    found += _rows(city, priced, "plot_m2", "is 0, so its price of land counts for nothing", "above 0",
                   "give the size of the plot", "warning")  # fmt: skip
    return found


def _rows(
    city: City, rows: "pd.Series[bool]", column: str, message: str, limit: str, remedy: str,
    severity: Severity = "error",
) -> Iterable[Finding]:  # fmt: skip
    for p in np.flatnonzero(rows.to_numpy()).tolist():
        yield city.finding(
            severity, "sites", p, message, feature=feature(city, "sites", p), column=column,
            value=f"{city.sites[column].iloc[p]:g}", limit=limit, remedy=remedy,
        )  # fmt: skip
