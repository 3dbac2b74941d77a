"""Rules of who is served where: demand, reach, capacity, steadiness, equations (8) and (9)."""

import numpy as np
import pandas as pd

from optimizer.audit.inputs import ABSOLUTE, RELATIVE, Case, at_most
from optimizer.audit.levels import Levels
from optimizer.audit.report import Recorder
from optimizer.audit.stations import Stations, closed
from optimizer.audit.travel import Ways

PLACE = ["site", "service"]
PAIR = ["community", *PLACE]
KEY = ("community", "site", "service", "year")


def assignments(case: Case, stations: Stations, ways: Ways) -> pd.DataFrame:
    """Table of assignments with need, peak, people, share of the need and travel recomputed (`due_m`).

    `travel_used` is the table's travel where it agrees with the recomputed one, else the recomputed one.
    """
    frame = case.tables["assignments"]
    need = case.needs.reindex(pd.MultiIndex.from_frame(frame[["community", "service", "year"]]))
    for column in ("need_amount", "peak", "persons"):
        frame = frame.assign(**{column: need[column].to_numpy(dtype=float)})
    has = (frame["need_amount"] > 0).to_numpy(dtype=bool)
    share = np.divide(frame["amount"], frame["need_amount"], out=np.zeros(len(frame)), where=has)
    frame = frame.assign(share=share, served_peak=share * frame["peak"])
    frame = frame.merge(_pairs(case, stations, frame, ways), on=PAIR, how="left")
    agrees = _agrees(frame)
    return frame.assign(travel_used=np.where(agrees, frame["travel_m"], frame["due_m"]))


def _agrees(frame: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Whether travel is what the streets say, give or take the last metre of rounding.

    A community served by outlet and station of one site at once may travel anything between 0 and the streets.
    """
    exact = np.abs(frame["travel_m"] - frame["due_m"]) <= 1
    return np.asarray(exact | (frame["mixed"] & (frame["travel_m"] <= frame["due_m"] + 1)), dtype=bool)


def _pairs(case: Case, stations: Stations, frame: pd.DataFrame, ways: Ways) -> pd.DataFrame:
    """Each pair once: whether it is local, and travel. Own services and outlets serve their community at no travel."""
    pairs = frame[PAIR].drop_duplicates().reset_index(drop=True)
    own = (pairs["service"].map(case.service("siting")) == "own").to_numpy(dtype=bool)
    rows = stations.rows
    in_place = ["place_community", "site", "service"]
    local = pd.MultiIndex.from_frame(rows.loc[rows["own"] | (rows["level"] == "outlet"), in_place].drop_duplicates())
    wide = pd.MultiIndex.from_frame(rows.loc[~rows["own"] & (rows["level"] != "outlet"), ["site", "service"]])
    is_local = pd.MultiIndex.from_frame(pairs[PAIR]).isin(local)
    outlets = pd.MultiIndex.from_frame(rows.loc[~rows["own"] & (rows["level"] == "outlet"), ["site", "service"]])
    is_wide = pd.MultiIndex.from_frame(pairs[["site", "service"]]).isin(wide)
    to = case.places.reindex(pairs["site"])
    pairs = pairs.assign(
        own=own,
        is_local=is_local,
        is_wide=is_wide,
        mixed=is_local & is_wide,
        only_outlets=pd.MultiIndex.from_frame(pairs[["site", "service"]]).isin(outlets) & ~is_wide,
        site_community=to["community"].to_numpy(),
        limit_m=pairs["service"].map(case.service("limit_m")).astype(float),
        within=pairs["service"].map(case.service("within")),
        limit_minutes=pairs["service"].map(case.service("limit_minutes")).astype(float),
        mode=pairs["service"].map(case.service("travel")),
        to_x=to["x"].to_numpy(),
        to_y=to["y"].to_numpy(),
    )
    pairs["due_m"] = pairs["minutes"] = 0.0
    pairs["limit_m"] = pairs["limit_m"].where(pairs["limit_m"] > 0, np.inf)
    ask = (~own & ~(is_local & ~is_wide)).astype(bool)
    for mode in sorted(set(pairs.loc[ask, "mode"])):
        mine = ask & (pairs["mode"] == mode)
        pairs.loc[mine, "due_m"] = ways.travel(pairs[mine].assign(limit=pairs["limit_m"]), mode)
        timed = mine & pairs["limit_minutes"].notna()
        limits = pairs[timed].assign(limit=pairs["limit_minutes"])
        pairs.loc[timed, "minutes"] = ways.travel(limits, mode, "minutes")
    return pairs.drop(columns=["to_x", "to_y"])


def check_services(
    case: Case, stations: Stations, frame: pd.DataFrame, levels: Levels | None, recorder: Recorder
) -> None:
    """Check demand, reach, capacity and steadiness of the assignments as `assignments` returns them."""
    _demand(frame, recorder)
    _reach(case, frame, recorder)
    _capacity(case, stations, frame, levels, recorder)
    _steady(case, stations, frame, levels, recorder)


def _demand(frame: pd.DataFrame, recorder: Recorder) -> None:
    total = frame.groupby(["community", "service", "year"], as_index=False).agg(
        amount=("amount", "sum"), need_amount=("need_amount", "first")
    )
    recorder.judge(
        "demand",
        "assignments",
        total,
        at_most(total["amount"], total["need_amount"]),
        key=("community", "service", "year"),
        value="amount",
        limit="need_amount",
        message="{community} is served {value} units of {service} in {year}, but needs {limit}",
    )


def _reach(case: Case, frame: pd.DataFrame, recorder: Recorder) -> None:
    pairs = frame.sort_values("year", kind="stable").drop_duplicates(PAIR)
    here = pairs["community"] == pairs["site_community"]
    recorder.judge(
        "own_office",
        "assignments",
        pairs,
        ~((pairs["own"] | pairs["only_outlets"]) & ~pairs["is_local"] & ~here).to_numpy(dtype=bool),
        key=KEY,
        value="site",
        limit="",
        message="{community} is served {service} at {site}, which serves {site_community} only",
    )
    recorder.judge(
        "travel",
        "assignments",
        frame,
        _agrees(frame),
        key=KEY,
        value="travel_m",
        limit="due_m",
        message="{community} travels {value} m to {site}; the streets say {limit} m",
    )
    far = pairs[~pairs["own"] & pairs["is_wide"]]
    recorder.judge(
        "reach",
        "assignments",
        far,
        (far["is_local"] | (far["travel_used"] <= far["limit_m"])).to_numpy(dtype=bool),
        key=KEY,
        value="travel_used",
        limit="limit_m",
        message="{community} is served {service} at {site}, {value} m away; the limit is {limit} m",
    )
    late = far[~far["is_local"] & far["limit_minutes"].notna()]
    recorder.judge(
        "reach",
        "assignments",
        late,
        (late["minutes"] <= late["limit_minutes"] + 0.0101).to_numpy(dtype=bool),
        key=KEY,
        value="minutes",
        limit="limit_minutes",
        message="{community} is served {service} at {site}, {value} minutes away; the limit is {limit}",
    )
    whole = pd.Series("", index=case.communities.index)
    areas = {"sub_district": case.communities["sub_district"], "district": case.communities["district"], "city": whole}
    is_within = [(far["within"] == name).to_numpy(dtype=bool) for name in areas]
    far = far.assign(
        here=np.select(is_within, [far["community"].map(a).to_numpy(dtype=object) for a in areas.values()], ""),
        there=np.select(is_within, [far["site_community"].map(a).to_numpy(dtype=object) for a in areas.values()], ""),
    )
    recorder.judge(
        "area",
        "assignments",
        far,
        (far["here"] == far["there"]).to_numpy(dtype=bool),
        key=KEY,
        value="there",
        limit="here",
        message="{community} in {here} is served {service} at {site} in {there}; only its own {within} counts",
    )


def _capacity(case: Case, stations: Stations, frame: pd.DataFrame, levels: Levels | None, recorder: Recorder) -> None:
    """What is served against what is there, by the largest need of the horizon; what is referred is used too (13).

    Room is kept for what each unit refers at its most, also where another one refers it in other years.
    """
    place = ["site", "service", "year"]
    rows = stations.rows
    there = rows.groupby(place).agg(capacity=("capacity", "sum"), new=("new", "sum"))
    served = frame.groupby(place)["served_peak"].sum()
    both = there.join(served, how="outer").fillna(0.0).reset_index()
    recorder.judge(
        "capacity",
        "stations",
        both,
        at_most(both["served_peak"], both["capacity"]),
        key=("site", "service", "year"),
        value="served_peak",
        limit="capacity",
        message="{service} at {site} serves {value} units in {year} (at the peak), but has a capacity of {limit}",
    )
    outlet = rows[(rows["level"] == "outlet") & ~rows["own"]].groupby(place)["capacity"].sum()
    # Where nothing but outlets stands, whom they serve is the matter of equation (8).
    other = frame[~frame["is_local"] & ~frame["own"] & ~frame["only_outlets"]].groupby(place)["served_peak"].sum()
    mixed = there.join(outlet.rename("outlet"), how="inner").join(other, how="inner").reset_index()
    mixed["wide"] = mixed["capacity"] - mixed["outlet"]
    recorder.judge(
        "capacity",
        "stations",
        mixed,
        at_most(mixed["served_peak"], mixed["wide"]),
        key=("site", "service", "year"),
        value="served_peak",
        limit="wide",
        message="{service} at {site} serves other communities {value} units in {year}; without outlets it has {limit}",
    )
    built = both[both["new"] > 0]
    if levels is not None:
        more = levels.kept_for(case).reindex(pd.MultiIndex.from_frame(built[["site", "service"]])).fillna(0.0)
        built = built.assign(served_peak=built["served_peak"] + more.to_numpy(dtype=float))
    recorder.judge(
        "capacity_used",
        "stations",
        built,
        at_most(built["new"], built["served_peak"]),
        key=("site", "service", "year"),
        value="new",
        limit="served_peak",
        message="{service} at {site} got a new capacity of {value}, but only {limit} units are ever used",
    )


def _steady(case: Case, stations: Stations, frame: pd.DataFrame, levels: Levels | None, recorder: Recorder) -> None:
    """The share a place serves of a need changes only, upwards, when it gets new capacity or begins to hang (13).

    Where an existing station closes, what it served ends, equation (10): all of it, or, where another level of the
    service stays at the place, at most what the closed one had capacity for. Stations that exist may take on as much.
    """
    share = frame.pivot_table(index=PAIR, columns="year", values="share", aggfunc="sum", fill_value=0.0)
    share = share.reindex(columns=case.years, fill_value=0.0)
    pairs = pd.DataFrame(share.index.to_list(), columns=PAIR)
    need = case.needs["need_amount"].unstack("year").reindex(pd.MultiIndex.from_frame(pairs[["community", "service"]]))
    at = pd.MultiIndex.from_frame(pairs[["site", "service"]])
    start = stations.new.groupby(["site", "service"])["start"].min().reindex(at)
    begins = set() if levels is None else levels.begins
    for before, year in zip(case.years[:-1], case.years[1:], strict=True):
        amount = need[year].to_numpy(dtype=float)
        rows = pd.DataFrame(
            {
                "year": year,
                "due": share[before].to_numpy(dtype=float) * amount,
                "amount": share[year].to_numpy(dtype=float) * amount,
                "before": before,
            },
            index=share.index,
        ).reset_index()
        slack = 2 * ABSOLUTE + RELATIVE * amount
        change = (rows["amount"] - rows["due"]).to_numpy(dtype=float)
        hangs = np.array([(*key, year) in begins for key in at], dtype=bool)
        grows = ((start == year).to_numpy(dtype=bool) | hangs) & (change >= -slack)
        closes = at.isin(_closing(case, stations, year).index)
        stays = at.isin(_standing(stations, year))
        ends = closes & (stays | (rows["amount"] <= slack).to_numpy(dtype=bool)) & (change <= slack)
        who = pd.MultiIndex.from_frame(rows[["community", "service"]])
        # What begins to hang at the place may hide what ended there.
        ended = np.where(hangs, rows["due"], np.maximum(0.0, -change))
        lost = pd.Series(np.where(closes, ended, 0.0), who).groupby(level=[0, 1]).sum()
        taken = pd.Series(np.where(grows | (change <= slack), 0.0, change), who).groupby(level=[0, 1]).sum()
        hands = (taken <= lost + slack.max(initial=0.0)).reindex(who).to_numpy(dtype=bool) & (change >= -slack)
        grows |= ends | (hands & (lost.reindex(who) > 0).to_numpy(dtype=bool))
        recorder.judge(
            "steady_share",
            "assignments",
            rows,
            grows | (np.abs(change) <= slack),
            key=KEY,
            value="amount",
            limit="due",
            message="{community} gets {value} of {service} at {site} in {year}; its share of {before} makes {limit}",
        )
        _ended(case, stations, frame, (before, year), recorder)


def _closing(case: Case, stations: Stations, year: int) -> "pd.Series[float]":
    """Existing capacity that closes in a year, by site and service, all levels together."""
    gone = closed(case, stations)
    return gone[gone["closes"] == year].set_index(PLACE)["had"]


def _standing(stations: Stations, year: int) -> pd.MultiIndex:
    """Sites and services of stations with a capacity in a year."""
    rows = stations.rows[(stations.rows["year"] == year) & (stations.rows["capacity"] > 0)]
    return pd.MultiIndex.from_frame(rows[PLACE].drop_duplicates())


def _ended(case: Case, stations: Stations, frame: pd.DataFrame, years: tuple[int, int], recorder: Recorder) -> None:
    """No more ends at a place than what closes there could serve (at the peak), equations (9) and (10)."""
    closing = _closing(case, stations, years[1])
    mine = frame[pd.MultiIndex.from_frame(frame[PLACE]).isin(closing.index)]
    if not len(mine):
        return
    peak = mine.pivot_table(index=PAIR, columns="year", values="served_peak", aggfunc="sum")
    peak = peak.reindex(columns=list(years)).fillna(0.0)
    less = (peak[years[0]] - peak[years[1]]).clip(lower=0.0).groupby(level=PLACE).sum()
    rows = pd.DataFrame({"ended": less, "closing": closing.reindex(less.index), "year": years[1]}).reset_index()
    recorder.judge(
        "steady_share",
        "assignments",
        rows,
        at_most(rows["ended"], rows["closing"]),
        key=(*PLACE, "year"),
        value="ended",
        limit="closing",
        message="{service} at {site} serves {value} units less from {year} on; what closes there had room for {limit}",
    )
