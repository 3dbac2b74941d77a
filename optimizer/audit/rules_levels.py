"""Levels of networks: what hangs on what, and what is referred fits there, equation (13)."""

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case, at_most, near
from optimizer.audit.levels import UNIT, Levels, lasting
from optimizer.audit.report import Recorder
from optimizer.audit.stations import Stations
from optimizer.audit.travel import Ways

PLACE = ["site", "service", "year"]


def check_levels(
    case: Case, stations: Stations, levels: Levels | None, served: pd.DataFrame, ways: Ways, recorder: Recorder
) -> None:
    """Check the tables of levels where a service has them: who hangs on what, and that referrals fit there."""
    if levels is None:
        return
    rows = stations.rows[stations.rows["service"].isin(list(levels.rules))]
    rows = rows[[*UNIT, "year", "capacity", "exists", "start", "place_community"]]
    hangs = _hangs(case, rows, levels, ways, recorder)
    _flows(case, rows, hangs, levels, served, recorder)


def _hangs(case: Case, rows: pd.DataFrame, levels: Levels, ways: Ways, recorder: Recorder) -> pd.DataFrame:
    """Check every row of `levels`; return them with what is recomputed."""
    due = rows[rows["level"].isin(["station"])].drop_duplicates(UNIT)[[*UNIT, "exists", "start", "place_community"]]
    frame = due.merge(levels.hangs, on=UNIT, how="outer", indicator="there")
    frame = frame.fillna({"hangs_on": "", "hangs_on_level": "", "centre": "", "since": 0, "start": 0, "travel_m": 0.0})
    frame["limit_m"] = frame["service"].map({k: float(rule["limit_m"]) for k, rule in levels.rules.items()})
    frame["metres"] = _metres(case, frame, "hangs_on", ways)
    frame["nearest"], frame["nearest_m"] = _nearest(case, frame, ways)
    new_ones = frame["service"].map(case.opens_centres).astype(bool)
    last, first = case.years[-1], case.years[0]
    upper = rows.rename(columns={"site": "hangs_on", "level": "hangs_on_level"})
    in_years = upper[upper["capacity"] > 0].groupby(["hangs_on", "service", "hangs_on_level"])["year"]
    index = pd.MultiIndex.from_frame(frame[["hangs_on", "service", "hangs_on_level"]])
    for name, of in (("from", in_years.min()), ("years", in_years.size())):
        frame[name] = of.reindex(index).fillna(0).to_numpy(dtype=int)
    stays = (frame["from"] > 0) & (frame["from"] <= frame["since"]) & (frame["years"] == last - frame["from"] + 1)
    begins = np.where(frame["exists"].eq(True), frame["since"] >= first, frame["since"] == frame["start"])
    hung = (
        stays & begins & (frame["hangs_on_level"] == "centre") & (frame["centre"] == frame["hangs_on"])
        & (frame["metres"] <= frame["limit_m"]) & (frame["travel_m"] == frame["metres"])
        & (new_ones | ((frame["nearest"] != "") & (frame["metres"] <= frame["nearest_m"] + 1)))
    )  # fmt: skip
    alone = (frame["since"] == 0) & (frame["centre"] == "") & (new_ones | (frame["nearest"] == ""))
    good = (frame["there"] == "both") & np.where(frame["hangs_on"] != "", hung, alone)
    recorder.judge(
        "hangs_on_centre", "levels", frame, np.asarray(good, dtype=bool), key=tuple(UNIT), value="hangs_on",
        limit="nearest",
        message="{service} at {site} hangs on {value}, {travel_m} m away, since {since}; that is there from {from} on, "
        "{metres} m away; the nearest existing one within {limit_m} m is {limit}",
    )  # fmt: skip
    return frame[frame["there"] == "both"].drop(columns="there")


def _metres(case: Case, frame: pd.DataFrame, to: str, ways: Ways) -> "pd.Series[float]":
    """Metres from each unit to the site in a column, infinite where it is none, too far, or in another area."""
    metres = pd.Series(np.inf, index=frame.index)
    known = frame["site"].isin(case.places.index) & frame[to].isin(case.places.index) & frame["service"].notna()
    pairs = frame[known]
    pairs = pairs.assign(limit=pairs["limit_m"].to_numpy(dtype=float))
    at, there = case.places.reindex(pairs["site"]), case.places.reindex(pairs[to])
    for name, place, column in (("x", at, "x"), ("y", at, "y"), ("to_x", there, "x"), ("to_y", there, "y")):
        pairs[name] = place[column].to_numpy(dtype=float)
    for service in sorted(set(pairs["service"])):
        rule = case.services[service]
        mine = pairs["service"] == service
        way = np.asarray(ways.streets(str(rule["travel"])).travel(pairs[mine]), dtype=float)
        within = str(rule["hierarchy"].get("within") or rule["within"])
        if within != "city":
            area = case.communities[within]
            here, other = (p["community"].map(area).to_numpy()[mine.to_numpy()] for p in (at, there))
            way = np.where(here == other, way, np.inf)
        metres.loc[pairs.index[mine]] = way
    return metres


def _nearest(case: Case, frame: pd.DataFrame, ways: Ways) -> tuple["pd.Series[str]", "pd.Series[float]"]:
    """The nearest existing centre within the limit, and the way there; empty and infinite where there is none."""
    centres = lasting(case)
    centres = centres[centres["level"] == "centre"][["site", "service"]].rename(columns={"site": "to"})
    rows = frame[["site", "service", "limit_m"]].assign(n=np.arange(len(frame)))
    pairs = rows.merge(centres, on="service")
    pairs = pairs.assign(metres=_metres(case, pairs, "to", ways))
    pairs = pairs[pairs["metres"] <= pairs["limit_m"]]
    first = pairs.sort_values(["n", "metres", "to"], kind="stable").drop_duplicates("n").set_index("n")
    found = first.reindex(np.arange(len(frame)))
    return (
        pd.Series(found["to"].fillna("").to_numpy(), frame.index),
        pd.Series(found["metres"].fillna(np.inf).to_numpy(dtype=float), frame.index),
    )


def _flows(
    case: Case, rows: pd.DataFrame, hangs: pd.DataFrame, levels: Levels, served: pd.DataFrame, recorder: Recorder
) -> None:
    """Check `referrals`: what is served, taken in and referred foots, fits, and begins when the unit hangs."""
    rows = rows[rows["level"].isin(["station", "centre"])]
    frame = rows.merge(levels.referrals, on=[*UNIT, "year"], how="outer", indicator="there")
    frame = frame.fillna({"served": 0.0, "referred_in": 0.0, "referred_on": 0.0, "capacity": 0.0})
    frame = frame.merge(hangs[[*UNIT, "hangs_on", "hangs_on_level", "since"]], on=UNIT, how="left")
    frame = frame.fillna({"hangs_on": "", "hangs_on_level": "", "since": 0})
    lower = (frame["level"] != "centre").to_numpy()
    share = frame["service"].map({k: float(rule["referral_share"]) for k, rule in levels.rules.items()})
    total = frame["served"] + frame["referred_in"]
    into = frame[lower].groupby(["hangs_on", "service", "hangs_on_level", "year"])["referred_on"].sum()
    index = pd.MultiIndex.from_frame(frame[[*UNIT, "year"]])
    frame["due_in"] = into.reindex(index).fillna(0.0).to_numpy(dtype=float)
    frame["due_on"] = np.where(lower, share * total, 0.0)
    idle = lower & ((frame["since"] == 0) | (frame["year"] < frame["since"])).to_numpy()
    exclusive = frame["service"].map({k: not rule["inclusive"] for k, rule in levels.rules.items()}).astype(bool)
    quiet = idle | (~lower & exclusive.to_numpy())
    good = (frame["there"] == "both") & near(frame["referred_in"], frame["due_in"])
    good &= near(frame["referred_on"], frame["due_on"]) & (~quiet | (frame["served"] <= 1e-4))
    good &= frame[["served", "referred_in", "referred_on"]].min(axis=1) >= 0
    recorder.judge(
        "referral", "referrals", frame, good.to_numpy(dtype=bool), key=(*UNIT, "year"), value="referred_on",
        limit="due_on",
        message="{service} at {site} serves {served}, takes in {referred_in} and refers {value}; by what hangs on it "
        "it takes in {due_in} and must refer {limit}, and it may serve since {since} only",
    )  # fmt: skip
    _fits(frame, levels.at_peak(case), recorder)
    _foots(case, frame, served[served["service"].isin(list(levels.rules))], recorder)


def _fits(frame: pd.DataFrame, peak: pd.DataFrame, recorder: Recorder) -> None:
    """What a unit serves and takes in, at the peak of the need, fits into its capacity."""
    load = (peak["served"] + peak["referred_in"]).set_axis(pd.MultiIndex.from_frame(peak[[*UNIT, "year"]]))
    frame = frame.assign(load=load.reindex(pd.MultiIndex.from_frame(frame[[*UNIT, "year"]])).fillna(0.0).to_numpy())
    recorder.judge(
        "referral", "stations", frame, at_most(frame["load"], frame["capacity"]), key=(*UNIT, "year"), value="load",
        limit="capacity",
        message="the {service} {level} {site} has {value} units at the peak, of them {referred_in} referred in {year}; "
        "its capacity is {limit}",
    )  # fmt: skip


def _foots(case: Case, frame: pd.DataFrame, mine: pd.DataFrame, recorder: Recorder) -> None:
    """What units of a site serve is what the assignments say, less what outlets that hang on nothing may serve."""
    said = frame.groupby(PLACE)["served"].sum().rename("served")
    due = mine.groupby(PLACE)["amount"].sum()
    away = mine[~mine["is_local"].astype(bool)].groupby(PLACE)["amount"].sum()
    old = case.existing.reset_index()
    free = old[old["level"] == "outlet"].groupby(["site", "service"])["capacity"].sum()
    both = pd.concat([said, due.rename("due"), away.rename("away")], axis=1).fillna(0.0).reset_index()
    both["free"] = free.reindex(pd.MultiIndex.from_frame(both[["site", "service"]])).fillna(0.0).to_numpy(dtype=float)
    least = np.maximum(both["due"] - both["free"], both["away"])
    recorder.judge(
        "referral", "referrals", both, at_most(both["served"], both["due"]) & at_most(least, both["served"]),
        key=tuple(PLACE), value="served", limit="due",
        message="{service} at {site} is said to serve {value} in {year}; the assignments say {limit}",
    )  # fmt: skip
