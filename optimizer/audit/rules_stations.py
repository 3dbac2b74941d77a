"""Rules of stations: time, size, place, floor and cost, equations (9) to (12) and (19)."""

from typing import Any

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case, at_most, near
from optimizer.audit.report import Recorder
from optimizer.audit.rooms import Rooms
from optimizer.audit.stations import KEY, Stations

PLACE = ("site", "service", "level", "year")


def check_stations(case: Case, stations: Stations, rooms: Rooms, recorder: Recorder) -> None:
    """Check every rule of stations that does not need to know whom they serve."""
    _names(case, stations.rows, recorder)
    _time(case, stations.rows, recorder)
    _status(stations.rows, recorder)
    _size(case, stations.new, recorder)
    _place(case, stations, rooms, recorder)
    _floor(case, stations.rows, rooms, recorder)
    _class(case, stations.rows, recorder)
    _cost(case, stations.rows, recorder)


def _names(case: Case, rows: pd.DataFrame, recorder: Recorder) -> None:
    """Community and district of a station are those it lies in."""
    frame = rows.assign(place_district=rows["place_community"].map(case.communities["district"]))
    good = (frame["community"] == frame["place_community"]) & (frame["district"] == frame["place_district"])
    recorder.judge(
        "names",
        "stations",
        frame,
        good.to_numpy(dtype=bool),
        key=PLACE,
        value="community",
        limit="place_community",
        message="{site} is said to lie in {community}, {district}; it lies in {place_community}, {place_district}",
    )


def _time(case: Case, rows: pd.DataFrame, recorder: Recorder) -> None:
    """Every station has one size from its start to the end; what exists stays, equation (10)."""
    first = rows[rows["new"] > 0].sort_values("year", kind="stable").groupby(KEY)
    size, start = first["new"].first(), first["year"].first()
    due = case.existing.drop(index=_optional(case, rows))
    index = due.index.union(size.index)
    frame = pd.DataFrame(index.to_list(), columns=KEY)
    frame["old"] = case.existing["capacity"].reindex(index).fillna(0.0).to_numpy(dtype=float)
    frame["size"] = size.reindex(index).fillna(0.0).to_numpy(dtype=float)
    frame["start"] = start.reindex(index).fillna(case.years[-1] + 1).to_numpy(dtype=int)
    frame["exists"] = index.isin(case.existing.index)
    years = frame.merge(pd.DataFrame({"year": case.years}), how="cross")
    closed = rows[rows["closes"] > 0].groupby(KEY)["closes"].first()
    years["closes"] = (
        closed.reindex(pd.MultiIndex.from_frame(years[KEY])).fillna(case.years[-1] + 1).to_numpy(dtype=int)
    )
    years["old"] = years["old"].where(years["year"] < years["closes"], 0.0)
    years["due"] = years["old"] + years["size"].where(years["year"] >= years["start"], 0.0)
    # The row of the year in which a station closes is its last, unless there is more to be said of the place.
    there = years["exists"] & (years["year"] <= years["closes"])
    years = years[there | (years["year"] >= years["start"])]
    years = years.merge(rows[[*PLACE, "capacity"]], on=list(PLACE), how="left").fillna({"capacity": -1.0})
    good = near(years["capacity"], years["due"]) & (years["capacity"] >= 0).to_numpy()
    recorder.judge(
        "stays_open",
        "stations",
        years.assign(capacity=years["capacity"].where(years["capacity"] >= 0, 0.0)),
        good,
        key=PLACE,
        value="capacity",
        limit="due",
        message="{service} at {site} has a capacity of {value} in {year}; by what is there and opened it is {limit}",
    )
    gone = (rows["closes"] > 0) & (rows["year"] > rows["closes"])
    empty = rows[(~rows["exists"] | gone) & (rows["new"] <= 0)]
    recorder.judge(
        "stays_open",
        "stations",
        empty,
        np.zeros(len(empty), dtype=bool),
        key=PLACE,
        value="capacity",
        limit="",
        message="{service} at {site} stands in the table of {year} with no capacity",
    )


def _optional(case: Case, rows: pd.DataFrame) -> "pd.Index[Any]":
    """Existing stations that may be left out: without capacity or, own ones, where the class has no services."""
    old = case.existing
    own = old.index.get_level_values("service").map(case.service("siting")) == "own"
    outside = own & ~old["community"].map(case.communities["may_services"]).to_numpy(dtype=bool)
    absent = ~old.index.isin(pd.MultiIndex.from_frame(rows[KEY]))
    free: pd.Index[Any] = old.index[absent & (outside | ((old["capacity"] <= 0) & (old["paid_yuan"] <= 0)).to_numpy())]
    return free


def _status(rows: pd.DataFrame, recorder: Recorder) -> None:
    start, year = rows["start"].to_numpy(), rows["year"].to_numpy()
    begun = np.where(rows["exists"], "upgraded", "opened")
    due = np.where((start > 0) & (year == start), begun, np.where((start > 0) & (year > start), "kept", "existing"))
    due = np.where((rows["closes"] == year) & (start != year), "closed", due)
    frame = rows.assign(due=due)
    recorder.judge(
        "status",
        "stations",
        frame,
        (frame["status"] == frame["due"]).to_numpy(),
        key=PLACE,
        value="status",
        limit="due",
        message="{service} at {site} is called {value} in {year}; by its capacities it is {limit}",
    )


def _size(case: Case, new: pd.DataFrame, recorder: Recorder) -> None:
    """New capacity within the limits of the service, or of the upgrade, equation (9); no outlets.

    Centres open only where the scenario has new ones (13), and never where a station or centre is.
    """
    stays = new["in_place"].to_numpy(dtype=bool)
    least = np.where(stays, 0.0, case.of_level(new, "min_capacity"))
    frame = new.assign(least=least, most=np.where(stays, new["grow_most"], case.of_level(new, "max_capacity")))
    good = at_most(frame["new"], frame["most"]) & at_most(frame["least"], frame["new"])
    old = case.existing.reset_index()
    old = old[(old["level"] != "outlet") & (old["capacity"] > 0)][["site", "service"]]
    twice = _twice([frame[["site", "service"]], *([old] if len(old) else [])])
    alone = [key not in twice for key in zip(frame["site"], frame["service"], strict=True)]
    centre = frame["service"].map(case.opens_centres).astype(bool) & (frame["use"] == "station")
    centre &= np.array(alone, dtype=bool)
    recorder.judge(
        "station_size",
        "stations",
        frame,
        good & ((frame["level"] == "station") | ((frame["level"] == "centre") & centre)).to_numpy(dtype=bool),
        key=PLACE,
        value="new",
        limit="most",
        message="{service} at {site} ({level}) gets a new capacity of {value}; a station may have {least} to {most}",
    )


def _twice(frames: list[pd.DataFrame]) -> set[tuple[str, str]]:
    """Sites and services of which several things stand in the rows."""
    rows = pd.concat(frames, ignore_index=True)
    return set(rows[rows.duplicated()].itertuples(index=False, name=None))


def _place(case: Case, stations: Stations, rooms: Rooms, recorder: Recorder) -> None:
    """New stations are at the own office or in a building in use, which enough services share, equation (11)."""
    new = stations.new
    building = rooms.taken[rooms.taken["site_use"] == "station"].set_index("site")
    ready = building["use_year"].where(building["use_year"] <= case.years[-1]).reindex(new["site"])
    office = new["place_community"].map(case.communities["office"])
    frame = new.assign(ready=ready.fillna(0).to_numpy(dtype=int))
    frame["where"] = np.where(new["own"], "its own office", "a station building in use")
    good = np.where(new["own"], new["site"] == office, (frame["ready"] > 0) & (frame["ready"] <= frame["start"]))
    good = good | new["in_place"].to_numpy(dtype=bool)  # whether and how far it may grow is the matter of (9)
    recorder.judge(
        "building_taken",
        "stations",
        frame,
        good.astype(bool),
        key=PLACE,
        value="start",
        limit="ready",
        message="{service} opens at {site} in {value}, which is not {where} by then",
    )
    listed = case.places["services"].reindex(new["site"]).fillna("").astype(str)
    fits = [
        bool(stays) or not _words(text) or service in _words(text)
        for stays, text, service in zip(new["own"] | new["in_place"], listed, new["service"], strict=True)
    ]
    recorder.judge(
        "site_services",
        "stations",
        new.assign(listed=listed.to_numpy()),
        np.array(fits, dtype=bool),
        key=PLACE,
        value="service",
        limit="listed",
        message="{site} is no place for {value}; it is for {limit}",
    )
    least = int(case.scenario["programmes"]["one_stop"]["min_services"])
    last = stations.rows[stations.rows["year"] == case.years[-1]]
    sharing = last[last["new"] > 0].groupby("site")["service"].nunique()
    shared = building.reset_index()[["site"]].assign(least=least)
    shared["services"] = shared["site"].map(sharing).fillna(0).astype(int)
    recorder.judge(
        "one_stop",
        "space",
        shared,
        (shared["services"] >= least).to_numpy(dtype=bool),
        key=("site",),
        value="services",
        limit="least",
        message="{site} is taken for {value} services; there must be at least {limit}",
    )


def _words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",") if word.strip()}


def _floor(case: Case, rows: pd.DataFrame, rooms: Rooms, recorder: Recorder) -> None:
    """New stations fit in the rooms: offices and station buildings, equation (12); and their own floor."""
    frame = rows.assign(new_m2=case.of_level(rows, "area_m2_per_unit") * rows["new"])
    frame["due"] = frame["old_m2"] + frame["new_m2"]
    recorder.judge(
        "station_area",
        "stations",
        frame,
        near(frame["area_m2"], frame["due"]),
        key=PLACE,
        value="area_m2",
        limit="due",
        message="{service} at {site} is said to use {value} m2 in {year}; its capacity needs {limit}",
    )
    where = case.communities
    old = case.existing.reset_index()
    old = old[
        (old["service"].map(case.service("siting")) == "own") & (old["site"] == old["community"].map(where["office"]))
    ]
    used = old.groupby("community")["area_m2"].sum().reindex(where.index).fillna(0.0)
    free = (where["office_area_m2"] - where["others_m2"] - where["outlet_m2"] - used).clip(lower=0.0)
    offices = (
        frame[frame["own"] & (frame["new"] > 0)].groupby(["place_community", "year"])["new_m2"].sum().reset_index()
    )
    offices = offices.rename(columns={"place_community": "place"})
    more = rooms.area_m2("extension").reindex(pd.MultiIndex.from_frame(offices[["place", "year"]])).fillna(0.0)
    offices["room_m2"] = offices["place"].map(free).to_numpy(dtype=float) + more.to_numpy(dtype=float)
    shared = frame[(frame["use"] == "station") & (frame["new"] > 0)].groupby(["site", "year"])["new_m2"].sum()
    buildings = shared.reset_index().rename(columns={"site": "place"})
    room = rooms.area_m2("station").reindex(pd.MultiIndex.from_frame(buildings[["place", "year"]]))
    counter_m2 = float(case.scenario["programmes"]["one_stop"].get("counter_m2", 0.0))
    buildings["room_m2"] = np.maximum(room.to_numpy(dtype=float) - counter_m2, 0.0)
    # A building that is not taken at all is the matter of equation (11).
    both = pd.concat([offices, buildings[room.notna().to_numpy()]], ignore_index=True)
    recorder.judge(
        "floor",
        "stations",
        both,
        at_most(both["new_m2"], both["room_m2"]),
        key=("place", "year"),
        value="new_m2",
        limit="room_m2",
        message="new stations at {place} need {value} m2 in {year}; there are {limit} m2",
    )


def _class(case: Case, rows: pd.DataFrame, recorder: Recorder) -> None:
    supported = rows["place_community"].map(case.communities["may_services"]).astype(bool)
    frame = rows[rows["own"] & ~supported]
    good = (frame["new"] <= 0) & (frame["capital_yuan"] + frame["running_yuan"] == 0)
    recorder.judge(
        "station_class",
        "stations",
        frame,
        good.to_numpy(dtype=bool),
        key=PLACE,
        value="new",
        limit="",
        message="{service} at {site} is opened or paid for, but the class of {place_community} has no services",
    )


def _cost(case: Case, rows: pd.DataFrame, recorder: Recorder) -> None:
    """Capital in the start year, running cost from then on, existing running cost every year."""
    of = {name: case.of_level(rows, name) for name in _COSTS}
    price = case.prices(rows["year"])
    opens = (rows["year"] == rows["start"]).to_numpy() & (rows["new"] > 0).to_numpy()
    runs = (rows["new"] > 0).to_numpy()
    new = rows["new"].to_numpy(dtype=float)
    skip = rows["own"] & ~rows["place_community"].map(case.communities["may_services"]).astype(bool)
    closing = rows["service"].map(closing_yuan(case, "yuan")).to_numpy(dtype=float)
    moving = rows["service"].map(closing_yuan(case, "moving_yuan")).to_numpy(dtype=float)
    closes = (rows["year"] == rows["closes"]).to_numpy()
    fixed = np.where(rows["moved"] == 1, moving, of["fixed_yuan"])
    grows = rows["in_place"].to_numpy(dtype=bool)
    fixed = np.where(grows, rows["service"].map(_upgrade_yuan(case)).to_numpy(dtype=float), fixed)
    yearly = np.where(grows, 0.0, of["running_yuan"])
    frame = rows.assign(
        capital_due=price * (opens * (fixed + of["capital_yuan_per_unit"] * new) + closes * closing),
        running_due=price * (rows["old_yuan"] + runs * (yearly + of["running_yuan_per_unit"] * new)),
    )
    # Each facility and the new part may have been rounded alone; the capacity has six decimals.
    items = {"capital": 0.5 * (opens.astype(int) + closes), "running": 0.5 * (runs + np.maximum(1, rows["facilities"]))}
    for kind, half in items.items():
        slack = price * 1e-6 * of[f"{kind}_yuan_per_unit"] + 1e-6
        good = np.abs(frame[f"{kind}_yuan"] - frame[f"{kind}_due"]) <= half + slack
        recorder.judge(
            "station_cost",
            "stations",
            frame,
            np.asarray(good | skip, dtype=bool),
            key=PLACE,
            value=f"{kind}_yuan",
            limit=f"{kind}_due",
            message=f"{{service}} at {{site}} has {kind} cost of {{value}} yuan in {{year}}; by the formula {{limit}}",
        )


def closing_yuan(case: Case, name: str) -> dict[str, float]:
    """Cost of closing or moving by service, 0 where the scenario names none."""
    rules = case.service("closing") if all("closing" in rule for rule in case.services.values()) else {}
    return {service: float((rules.get(service) or {}).get(name) or 0.0) for service in case.services}


def _upgrade_yuan(case: Case) -> dict[str, float]:
    """Fixed cost of an upgrade by service, 0 where the scenario has none."""
    return {name: float((rule.get("upgrade") or {}).get("fixed_yuan", 0.0)) for name, rule in case.services.items()}


_COSTS = ("fixed_yuan", "capital_yuan_per_unit", "running_yuan", "running_yuan_per_unit")
