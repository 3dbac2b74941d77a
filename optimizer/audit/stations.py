"""Stations as the table has them, beside what exists: new capacity, start years, what existing ones take up."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from optimizer.audit.inputs import ABSOLUTE, RELATIVE, Case

KEY = ["site", "service", "level"]


@dataclass(frozen=True)
class Stations:
    """Stations of a plan.

    `rows`: the table of stations (one row per station and year) with `old` (existing capacity), `old_m2`,
    `old_yuan` (running cost of the first year the budgets bear), `facilities`, `exists`, `new` (capacity above the
    existing), `start` (first year with new capacity, 0 without), `own` (no new centre, but at its community's own
    office), `place_community`, `use` of the place, `closes` (the year a station
    that exists is said to close, 0 without); nothing exists from then on; `in_place`:
    shared ones that exist and stand in no building to be taken, so that new capacity is an upgrade where they are;
    `grow_most`, what that may be at most, equation (9).
    `new`: one row per station with new capacity, at its start.
    """

    rows: pd.DataFrame
    new: pd.DataFrame


def stations(case: Case) -> Stations:
    """Join the table of stations to what exists."""
    rows = case.tables["stations"]
    index = pd.MultiIndex.from_frame(rows[KEY])
    old = case.existing.reindex(index)
    place = case.places.reindex(rows["site"])
    rows = rows.assign(
        exists=index.isin(case.existing.index),
        old=old["capacity"].fillna(0.0).to_numpy(dtype=float),
        old_m2=old["area_m2"].fillna(0.0).to_numpy(dtype=float),
        old_yuan=old["paid_yuan"].fillna(0.0).to_numpy(dtype=float),
        facilities=old["facilities"].fillna(0).to_numpy(dtype=int),
        place_community=np.where(index.isin(case.existing.index), old["community"], place["community"]),
        use=place["use"].to_numpy(),
    )
    own = (rows["service"].map(case.service("siting")) == "own").to_numpy(dtype=bool)
    rows["own"] = own & ~((rows["level"] == "centre") & (rows["use"] == "station")).to_numpy(dtype=bool)
    closed = (
        rows[(rows["status"] == "closed") & rows["exists"] & (rows["capacity"] <= ABSOLUTE)].groupby(KEY)["year"].min()
    )
    rows["closes"] = closed.reindex(index).fillna(0).to_numpy(dtype=int)
    gone = (rows["closes"] > 0) & (rows["year"] >= rows["closes"])
    for column in ("old", "old_m2", "old_yuan"):
        rows[column] = rows[column].where(~gone, 0.0)
    more = rows["capacity"] - rows["old"]
    rows["new"] = more.where(more > ABSOLUTE + RELATIVE * rows["old"], 0.0)
    start = rows[rows["new"] > 0].groupby(KEY)["year"].min().reindex(index).fillna(0)
    rows["start"] = start.to_numpy(dtype=int)
    rows["in_place"] = rows["exists"] & ~rows["own"] & (rows["use"] != "station")
    rows["grow_most"] = _grow_most(case, rows)
    return Stations(rows, rows[(rows["new"] > 0) & (rows["year"] == rows["start"])].reset_index(drop=True))


def closed(case: Case, stations: Stations) -> pd.DataFrame:
    """What closes at a place (site, service) in a year (closes): its existing capacity (had), all levels together."""
    rows = stations.rows[stations.rows["closes"] > 0].drop_duplicates(KEY)
    had = case.existing["capacity"].reindex(pd.MultiIndex.from_frame(rows[KEY])).fillna(0.0).to_numpy(dtype=float)
    return rows.assign(had=had).groupby([*KEY[:2], "closes"], as_index=False).agg(had=("had", "sum"))


def _grow_most(case: Case, rows: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Largest new capacity of a station where it stands; none of those that close or have to, outlets and centres."""
    old = case.existing.reindex(pd.MultiIndex.from_frame(rows[KEY]))
    rules = {service: rule.get("upgrade") for service, rule in case.services.items()}
    share = rows["service"].map({s: (r or {}).get("most_capacity_share") for s, r in rules.items()}).astype(float)
    per_unit = rows["service"].map(case.service("area_m2_per_unit")).astype(float)
    spare, capacity = (old[c].fillna(0.0).to_numpy(dtype=float) for c in ("spare_m2", "capacity"))
    floor = np.divide(spare, per_unit, out=np.zeros(len(rows)), where=(per_unit > 0).to_numpy())
    most = np.where(share.notna(), share.fillna(0.0) * capacity, floor)
    leased = (old["lease_until"] > 0) & (old["lease_until"] < case.years[-1])
    stays = ~(leased | (old["must"] == "close")).to_numpy(dtype=bool) | (old["must"] == "keep").to_numpy(dtype=bool)
    may = rows["service"].map({s: r is not None for s, r in rules.items()}).astype(bool) & (rows["level"] == "station")
    may &= rows["in_place"] & (rows["closes"] == 0)
    return np.where(may & (stays | (len(case.years) == 1)), most, 0.0)
