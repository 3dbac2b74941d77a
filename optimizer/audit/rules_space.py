"""Rules of rooms: extensions, station buildings and halls, equations (5) and (7)."""

import numpy as np
import pandas as pd

from optimizer.audit.inputs import SPACE, Case, at_most, near
from optimizer.audit.report import Recorder
from optimizer.audit.rooms import Rooms
from optimizer.audit.travel import Ways


def check_rooms(case: Case, rooms: Rooms, recorder: Recorder) -> None:
    """Check rooms taken: instrument, class, first year, size, use to the end, cost."""
    _instruments(case, rooms.rows, recorder)
    _sizes(case, rooms.taken, recorder)
    _given(case, rooms.rows, recorder)
    _years(case, rooms, recorder)


def check_musts(case: Case, rooms: Rooms, recorder: Recorder) -> None:
    """Check sites that must be taken, in full, or left, equation (7)."""
    places = case.places[case.places["must"].isin(["take", "leave"])].reset_index()
    said = rooms.taken.groupby("site")["largest_m2"].max().reindex(places["site"])
    asked = places.assign(taken=said.notna().to_numpy(), taken_m2=said.fillna(0.0).to_numpy())
    full = near(asked["taken_m2"], asked["area_m2"])
    recorder.judge(
        "must_take",
        "space",
        asked,
        np.where(asked["must"] == "take", asked["taken"] & full, ~asked["taken"]).astype(bool),
        key=("site",),
        value="taken_m2",
        limit="area_m2",
        message="{site} must be: {must}; it is taken with {value} m2 of its {limit}",
    )


def _instruments(case: Case, frame: pd.DataFrame, recorder: Recorder) -> None:
    allowed = case.scenario["programmes"]["space"]["instruments"]
    good = frame["instrument"].isin(allowed) & (frame["instrument"] == frame["site_instrument"])
    good &= frame["use"].isin(["extension", "station", "hall"]) & (frame["use"] == frame["site_use"])
    good &= frame["is_hall"] | (frame["community"] == frame["site_community"])
    recorder.judge(
        "instrument",
        "space",
        frame,
        good.to_numpy(dtype=bool),
        key=("community", "site", "year"),
        value="instrument",
        limit="site_instrument",
        message="{site} is had as {value} ({use}) for {community}; it is {limit} ({site_use}) in {site_community}, "
        f"and the scenario allows {', '.join(allowed)}",
    )
    supported = frame["user"].map(case.communities["may_space"]).astype(bool) | (frame["site_use"] == "station")
    recorder.judge(
        "room_class",
        "space",
        frame,
        supported.to_numpy(dtype=bool),
        key=("community", "site", "year"),
        value="site",
        limit="",
        message="{site} is taken for {user}, whose class of guidance has no space",
    )


def _sizes(case: Case, one: pd.DataFrame, recorder: Recorder) -> None:
    """First year and size of everything taken."""
    first = np.maximum(one["site_first_year"], case.years[0])
    frame = one.assign(first=first)
    recorder.judge(
        "room_first_year",
        "space",
        frame,
        (frame["take_year"] >= first).to_numpy(dtype=bool),
        key=("user", "site"),
        value="take_year",
        limit="first",
        message="{site} is in use from {use_year}, so it is taken in {value}, but it can be had from {limit} only",
    )
    built = frame[~frame["is_hall"] & (frame["area_m2"] > 0)]
    good = at_most(built["largest_m2"], built["site_area_m2"]) & at_most(built["site_min_area_m2"], built["area_m2"])
    recorder.judge(
        "room_size",
        "space",
        built,
        good,
        key=("user", "site"),
        value="largest_m2",
        limit="site_area_m2",
        message="{site} is taken with {value} m2; it has {limit} m2 and must have at least {site_min_area_m2}",
    )


def _given(case: Case, rows: pd.DataFrame, recorder: Recorder) -> None:
    """What swaps give up, and that no more of an office is given up than the community has there."""
    recorder.judge(
        "given_up",
        "space",
        rows,
        near(rows["given_m2"], rows["gives_m2"]),
        key=("user", "site", "year"),
        value="given_m2",
        limit="gives_m2",
        message="{site} is said to be had for {value} m2 of the office given up in {year}; it is {limit}",
    )
    where = case.communities
    own = (where["office_area_m2"] - where["others_m2"]).clip(lower=0.0)
    given = rows.groupby(["user", "year"])["gives_m2"].sum().reset_index()
    given["own_m2"] = given["user"].map(own).fillna(0.0).to_numpy(dtype=float)
    recorder.judge(
        "given_up",
        "space",
        given,
        at_most(given["gives_m2"], given["own_m2"]),
        key=("user", "year"),
        value="gives_m2",
        limit="own_m2",
        message="{user} has given up {value} m2 of its office in {year}; it has {limit} m2 there",
    )


def _years(case: Case, rooms: Rooms, recorder: Recorder) -> None:
    """Area and cost of every building in every year against what follows from its taking, equations (5) and (7)."""
    years = rooms.taken.merge(pd.DataFrame({"year": case.years}), how="cross")
    said = rooms.rows[["site", "user", "year", "area_m2", "cost_yuan"]]
    said = said.rename(columns={"area_m2": "said_m2", "cost_yuan": "said_yuan"})
    years = years.merge(said, on=["site", "user", "year"], how="left").fillna({"said_m2": 0.0, "said_yuan": 0})
    so_far = years.groupby(["site", "user"])["said_m2"].cummax()
    at_once = years["area_m2"].where(years["year"] >= years["use_year"], 0.0)
    years["due_m2"] = so_far.where(years["in_parts"], at_once)
    recorder.judge(
        "room_in_use",
        "space",
        years,
        near(years["said_m2"], years["due_m2"]),
        key=("user", "site", "year"),
        value="said_m2",
        limit="due_m2",
        message="{site} gives {value} m2 in {year}; taken in {take_year} and in use from {use_year}, it gives {limit}",
    )
    years["more_m2"] = _more(years, so_far)
    price = case.prices(years["year"])
    taken = (years["year"] == years["take_year"]).to_numpy(dtype=bool)
    fixed = years["site_fixed_yuan"].where(~years["is_hall"], 0.0)
    once = price * (taken * fixed + years["site_capital_yuan_per_m2"] * years["more_m2"])
    yearly = price * years["site_yearly_yuan_per_m2"] * years["said_m2"]
    slack = price * 2e-6 * (years["site_capital_yuan_per_m2"] + years["site_yearly_yuan_per_m2"])
    years["due_yuan"] = once + yearly
    # Up to two amounts rounded half up, and the six decimals of sizes.
    limit = 0.5 * ((once > 0).astype(int) + (yearly > 0)) + slack + 1e-6
    unseen = (years["area_m2"] == 0).to_numpy(dtype=bool)  # not in use within the horizon, so of no known size
    least = price * (fixed + years["site_capital_yuan_per_m2"] * years["site_min_area_m2"])
    most = price * (fixed + years["site_capital_yuan_per_m2"] * years["site_area_m2"])
    between = taken & (years["said_yuan"] >= least - 1) & (years["said_yuan"] <= most + 1)
    good = np.where(unseen & taken, between, np.abs(years["said_yuan"] - years["due_yuan"]) <= limit)
    recorder.judge(
        "room_cost",
        "space",
        years,
        good.astype(bool),
        key=("user", "site", "year"),
        value="said_yuan",
        limit="due_yuan",
        message="{site} costs {value} yuan in {year}; by the formula it is {limit}",
    )


def _more(years: pd.DataFrame, so_far: "pd.Series[float]") -> "pd.Series[float]":
    """Area paid for in each year: what comes into use `lead` years later; of whole rooms, all at once."""
    group = years["site"] + "|" + years["user"]
    grown = so_far - so_far.groupby(group).shift(1).fillna(0.0)
    used = pd.Series(grown.to_numpy(), pd.MultiIndex.from_arrays([group, years["year"]]))
    later = used.reindex(pd.MultiIndex.from_arrays([group, years["year"] + years["lead"]])).fillna(0.0)
    bit_by_bit = pd.Series(later.to_numpy(dtype=float), years.index)
    return bit_by_bit.where(years["in_parts"], years["area_m2"].where(years["year"] == years["take_year"], 0.0))


def check_halls(case: Case, rooms: Rooms, ways: Ways, recorder: Recorder) -> None:
    """Check halls: hours, sub-district, reach and the part of the target, equation (7)."""
    rule = case.scenario["programmes"]["space"]
    frame = rooms.rows[rooms.rows["is_hall"]].reset_index(drop=True)
    credit = frame["site_area_m2"] * frame["site_hours_per_week"].astype(float) / rule["hall_full_hours"]
    halls = (
        frame.assign(credit=credit).groupby(["site", "year"]).agg(used=("area_m2", "sum"), credit=("credit", "first"))
    )
    recorder.judge(
        "hall_hours",
        "space",
        halls.reset_index(),
        at_most(halls["used"], halls["credit"]),
        key=("site", "year"),
        value="used",
        limit="credit",
        message="{site} is shared as {value} m2 in {year}; its hours allow {limit}",
    )
    _hall_reach(case, frame, ways, recorder)
    users = frame.groupby(["user", "year"])[["area_m2"]].sum().reset_index()
    target = case.needs.xs(SPACE, level="need")["need_amount"].reindex(
        pd.MultiIndex.from_frame(users[["user", "year"]])
    )
    users["most"] = rule["hall_share_of_target"] * target.to_numpy(dtype=float)
    recorder.judge(
        "hall_share",
        "space",
        users,
        at_most(users["area_m2"], users["most"]),
        key=("user", "year"),
        value="area_m2",
        limit="most",
        message="{user} shares halls of {value} m2 in {year}; at most {limit} m2 count",
    )


def _hall_reach(case: Case, frame: pd.DataFrame, ways: Ways, recorder: Recorder) -> None:
    rule = case.scenario["programmes"]["space"]
    pairs = frame.drop_duplicates(["user", "site"])[["user", "site", "site_community"]].reset_index(drop=True)
    to = case.places.reindex(pairs["site"])
    pairs = pairs.assign(to_x=to["x"].to_numpy(dtype=float), to_y=to["y"].to_numpy(dtype=float))
    pairs["limit_m"] = pairs["limit"] = float(rule["hall_limit_m"])
    pairs["travel_m"] = ways.travel(pairs.assign(community=pairs["user"]), "walking")
    sub_district = case.communities["sub_district"]
    pairs["here"], pairs["there"] = pairs["user"].map(sub_district), pairs["site_community"].map(sub_district)
    near_enough = (pairs["here"] == pairs["there"]) & (pairs["travel_m"] <= pairs["limit_m"])
    recorder.judge(
        "hall_reach",
        "space",
        pairs,
        near_enough.to_numpy(dtype=bool),
        key=("user", "site"),
        value="travel_m",
        limit="limit_m",
        message="{user} ({here}) shares {site} ({there}), {value} m away; allowed are {limit} m in its sub-district",
    )
