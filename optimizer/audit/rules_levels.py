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
    lower = (rows["level"] == "station") | ((rows["level"] == "outlet") & rows["service"].map(levels.of_outlets))
    due = rows[lower.to_numpy(dtype=bool)].drop_duplicates(UNIT)[[*UNIT, "exists", "start", "place_community"]]
    frame = due.merge(levels.hangs, on=UNIT, how="outer", indicator="there")
    frame = frame.fillna({"hangs_on": "", "hangs_on_level": "", "centre": "", "since": 0, "start": 0, "travel_m": 0.0})
    frame["limit_m"] = [levels.limit_m(k, at) for k, at in zip(frame["service"], frame["level"], strict=True)]
    frame["metres"] = _metres(case, frame, "hangs_on", ways)
    frame["nearest"], frame["nearest_m"] = _nearest(case, frame, ways)
    old = case.existing.reindex(pd.MultiIndex.from_frame(frame[UNIT]))
    for name in ("tied_site", "tied_level"):
        frame[name] = old[name].fillna("").to_numpy()
    chooses = frame["service"].map(case.opens_centres).astype(bool) | (frame["level"] == "outlet")
    nearest = (frame["nearest"] != "") & (frame["metres"] <= frame["nearest_m"] + 1)
    tied = (frame["tied_site"] != "").to_numpy(dtype=bool)
    as_said = (frame["tied_site"] == frame["hangs_on"]) & (frame["tied_level"] == frame["hangs_on_level"])
    hung = (
        _there(case, rows, frame) & _above(case, levels, frame) & (frame["metres"] <= frame["limit_m"])
        & (frame["travel_m"] == frame["metres"]) & np.where(tied, as_said, chooses | nearest)
    )  # fmt: skip
    most = rows.groupby(UNIT)["capacity"].max().reindex(pd.MultiIndex.from_frame(frame[UNIT])).fillna(0).to_numpy()
    may_be_alone = chooses | tied | (frame["nearest"] == "") | (most == 0)  # what has no capacity needs no centre
    alone = (frame["since"] == 0) & (frame["centre"] == "") & may_be_alone
    good = (frame["there"] == "both") & np.where(frame["hangs_on"] != "", hung, alone)
    recorder.judge(
        "hangs_on_centre", "levels", frame, np.asarray(good, dtype=bool), key=tuple(UNIT), value="hangs_on",
        limit="nearest",
        message="{service} at {site} ({level}) hangs on {value}, {travel_m} m away, since {since}; that is there from "
        "{from} on, {metres} m away; the nearest existing centre within {limit_m} m is {limit}",
    )  # fmt: skip
    return frame[frame["there"] == "both"].drop(columns="there")


def _there(case: Case, rows: pd.DataFrame, frame: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each hangs on what stands to the end, from the year on in which it opens or later; adds `from`."""
    upper = rows.rename(columns={"site": "hangs_on", "level": "hangs_on_level"})
    in_years = upper[upper["capacity"] > 0].groupby(["hangs_on", "service", "hangs_on_level"])["year"]
    index = pd.MultiIndex.from_frame(frame[["hangs_on", "service", "hangs_on_level"]])
    for name, of in (("from", in_years.min()), ("years", in_years.size())):
        frame[name] = of.reindex(index).fillna(0).to_numpy(dtype=int)
    stays = (frame["from"] > 0) & (frame["from"] <= frame["since"])
    stays &= frame["years"] == case.years[-1] - frame["from"] + 1
    exists = frame["exists"].eq(True)
    return stays & np.where(exists, frame["since"] >= case.years[0], frame["since"] == frame["start"]).astype(bool)


def _above(case: Case, levels: Levels, frame: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each hangs on the level above, which hangs itself by then, and the centre is that of the tree."""
    itself = frame.set_index(UNIT)[["since", "centre"]]
    itself = itself[~itself.index.duplicated()]
    upper = itself.reindex(pd.MultiIndex.from_frame(frame[["hangs_on", "service", "hangs_on_level"]]))
    on_station = (frame["hangs_on_level"] == "station").to_numpy(dtype=bool)
    begun = upper["since"].fillna(0).to_numpy(dtype=int)
    centre = np.where(on_station, upper["centre"].fillna("").to_numpy(), frame["hangs_on"])
    outlet = (frame["level"] == "outlet").to_numpy(dtype=bool)
    inclusive = frame["service"].map(levels.inclusive).eq(True).to_numpy(dtype=bool)
    home = case.places["community"].reindex(frame["site"]).to_numpy()
    own = (frame["service"].map(case.service("siting")) == "own").to_numpy(dtype=bool)
    near_by = ~own | (home == case.places["community"].reindex(frame["hangs_on"]).to_numpy())
    of_outlet = near_by & np.where(
        on_station, (begun > 0) & (begun <= frame["since"]), inclusive & (frame["hangs_on_level"] == "centre")
    ).astype(bool)
    good = np.where(outlet, of_outlet, frame["hangs_on_level"] == "centre") & (frame["centre"] == centre)
    return pd.Series(np.asarray(good, dtype=bool), frame.index)


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
    rows = rows[(rows["level"] != "outlet") | rows["service"].map(levels.of_outlets)]
    frame = rows.merge(levels.referrals, on=[*UNIT, "year"], how="outer", indicator="there")
    frame = frame.fillna({"served": 0.0, "referred_in": 0.0, "referred_on": 0.0, "capacity": 0.0})
    frame = frame.merge(hangs[[*UNIT, "hangs_on", "hangs_on_level", "since"]], on=UNIT, how="left")
    frame = frame.fillna({"hangs_on": "", "hangs_on_level": "", "since": 0})
    lower = (frame["level"] != "centre").to_numpy()
    share = np.array([levels.share(k, at) for k, at in zip(frame["service"], frame["level"], strict=True)])
    total = frame["served"] + frame["referred_in"]
    into = frame[lower].groupby(["hangs_on", "service", "hangs_on_level", "year"])["referred_on"].sum()
    index = pd.MultiIndex.from_frame(frame[[*UNIT, "year"]])
    frame["due_in"] = into.reindex(index).fillna(0.0).to_numpy(dtype=float)
    frame["due_on"] = np.where(lower, share * total, 0.0)
    idle = lower & ((frame["since"] == 0) | (frame["year"] < frame["since"])).to_numpy()
    quiet = idle | (~lower & ~frame["service"].map(levels.inclusive).astype(bool).to_numpy())
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
    _foots(case, levels, frame, served[served["service"].isin(list(levels.rules))], recorder)


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


def _foots(case: Case, levels: Levels, frame: pd.DataFrame, mine: pd.DataFrame, recorder: Recorder) -> None:
    """What units of a site serve is what the assignments say, less what outlets that hang on nothing may serve."""
    said = frame.groupby(PLACE)["served"].sum().rename("served")
    due = mine.groupby(PLACE)["amount"].sum()
    away = mine[~mine["is_local"].astype(bool)].groupby(PLACE)["amount"].sum()
    old = case.existing.reset_index()
    loose = (old["level"] == "outlet") & ~old["service"].map(levels.of_outlets).eq(True)
    free = old[loose].groupby(["site", "service"])["capacity"].sum()
    both = pd.concat([said, due.rename("due"), away.rename("away")], axis=1).fillna(0.0).reset_index()
    both["free"] = free.reindex(pd.MultiIndex.from_frame(both[["site", "service"]])).fillna(0.0).to_numpy(dtype=float)
    least = np.maximum(both["due"] - both["free"], both["away"])
    recorder.judge(
        "referral", "referrals", both, at_most(both["served"], both["due"]) & at_most(least, both["served"]),
        key=tuple(PLACE), value="served", limit="due",
        message="{service} at {site} is said to serve {value} in {year}; the assignments say {limit}",
    )  # fmt: skip
