"""Rooms as the table of space has them, beside the buildings themselves: whose they are, when they are taken."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case, Floats

PLACE = ("use", "instrument", "area_m2", "min_area_m2", "first_year", "lead_years", "hours_per_week", "community")
COSTS = ("fixed_yuan", "capital_yuan_per_m2", "yearly_yuan_per_m2")
LAND = ("gives_m2", "plot_m2", "land_yuan_per_m2")


@dataclass(frozen=True)
class Rooms:
    """Rooms of a plan.

    `rows`: the table of space with the building's own figures (`site_` before their names), `is_hall`, `in_parts`
    (halls and rooms without smallest size and fixed cost may be taken bit by bit), `gives_m2`, the floor of the office
    that a swap gives up for them while they are in use, and `user`, the community whose rooms they are: the one that
    shares a hall, else the one the building lies in. Land is part of the fixed cost, less what is given up.
    `taken`: one row per building (per user and hall) with its first and its largest size, the year it is taken and
    the year its use begins.
    """

    rows: pd.DataFrame
    taken: pd.DataFrame

    def area_m2(self, use: str) -> "pd.Series[float]":
        """Area in use by (user, year) for extensions and halls, by (site, year) for station buildings.

        Less what swaps give up, equation (5).
        """
        frame = self.rows[self.rows["site_use"] == use]
        frame = frame.assign(net_m2=frame["area_m2"] - frame["gives_m2"])
        return frame.groupby(["site" if use == "station" else "user", "year"])["net_m2"].sum()


def rooms(case: Case) -> Rooms:
    """Join the table of space to the buildings."""
    frame = case.tables["space"]
    site = case.places.reindex(frame["site"])[[*PLACE, *COSTS, *LAND]].add_prefix("site_").reset_index(drop=True)
    frame = pd.concat([frame, site], axis=1)
    is_hall = frame["site_use"] == "hall"
    swaps = (frame["site_instrument"] == "swap") & (frame["site_use"] == "extension")
    gives = frame["site_gives_m2"].where(swaps, 0.0).fillna(0.0)
    land = land_yuan(case, frame["site"])
    frame["site_min_area_m2"] = np.maximum(frame["site_min_area_m2"], gives)
    frame["site_fixed_yuan"] += land
    whole = (frame["site_use"] == "station") | (frame["site_min_area_m2"] > 0) | (frame["site_fixed_yuan"] > 0)
    frame["site_fixed_yuan"] -= frame["site_capital_yuan_per_m2"] * gives
    frame["gives_m2"] = gives.where(frame["area_m2"] > 0, 0.0)
    user = frame["community"].where(is_hall, frame["site_community"])
    counter = case.scenario["programmes"]["one_stop"].get("counter_yuan", 0.0)
    frame["site_fixed_yuan"] += counter * (frame["site_use"] == "station")
    frame = frame.assign(is_hall=is_hall, in_parts=is_hall | ~whole, user=user)
    return Rooms(frame, _taken(frame))


def land_yuan(case: Case, sites: "pd.Series[str]") -> Floats:
    """Return what is paid for the land of new buildings, by site, in prices of the first year."""
    place = case.places.reindex(sites)
    yuan = (place["plot_m2"] * place["land_yuan_per_m2"]).where(place["instrument"] == "build", 0.0).fillna(0.0)
    return yuan.to_numpy(dtype=float) * float(case.scenario["programmes"]["space"].get("land_fee_share", 1.0))


def _taken(rows: pd.DataFrame) -> pd.DataFrame:
    """When and how large everything is taken.

    The first row is the year it is paid for; where nothing is paid for taking it, its use tells the year.
    A building whose use begins after the horizon has size 0 here.
    """
    frame = rows.sort_values("year", kind="stable")
    key = ["site", "user"]
    first = frame.groupby(key).first().drop(columns=["area_m2", "cost_yuan", "community", "instrument", "use"])
    in_use = frame[frame["area_m2"] > 0].groupby(key)
    used = in_use.agg(area_m2=("area_m2", "first"), largest_m2=("area_m2", "max"), use_year=("year", "min"))
    one = first.join(used).reset_index().fillna({"area_m2": 0.0, "largest_m2": 0.0})
    one["lead"] = one["site_lead_years"].where(~one["is_hall"], 0)
    free = one["site_fixed_yuan"] + one["site_capital_yuan_per_m2"] * one["area_m2"] <= 0
    by_use = (one["use_year"] - one["lead"]).where(free | one["in_parts"])
    one["take_year"] = by_use.fillna(one["year"]).astype(int)
    one["use_year"] = one["take_year"] + one["lead"]
    return one.drop(columns="year")
