"""Levels of networks: stations hang on a centre, and referrals fit there, equation (13)."""

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case, at_most
from optimizer.audit.report import Recorder
from optimizer.audit.travel import Ways

KEY = ["site", "service", "level"]
COLUMNS = (*KEY, "centre", "travel_m")


def check_levels(case: Case, served: pd.DataFrame, ways: Ways, recorder: Recorder) -> None:
    """Check `levels.csv` where a service has levels: every station that serves hangs on its nearest centre."""
    rules = {name: rule["hierarchy"] for name, rule in case.services.items() if rule.get("hierarchy")}
    if not rules:
        return
    try:
        said = pd.read_csv(case.folder / "tables" / "levels.csv", dtype=str, keep_default_na=False, encoding="utf-8")
        said = said[list(COLUMNS)].astype({"travel_m": float})
    except (OSError, ValueError, KeyError) as error:
        recorder.find("files", f"the table cannot be read: {error}", table="levels")
        return
    stations = case.tables["stations"][KEY].drop_duplicates()
    stations = stations[stations["service"].isin(list(rules)) & (stations["level"] == "station")]
    used = served[served["amount"] > 0].drop_duplicates(["site", "service"])[["site", "service"]]
    frame = stations.merge(said, on=KEY, how="outer", indicator="there")
    frame = frame.merge(used.assign(used=True), on=["site", "service"], how="left").fillna({"used": False})
    due = _nearest(case, frame, rules, ways)
    frame = frame.assign(nearest=[d[0] for d in due], nearest_m=[d[1] for d in due], centre_m=[d[2] for d in due])
    frame["limit_m"] = frame["service"].map({k: float(rule["limit_m"]) for k, rule in rules.items()})
    hangs = frame["centre"].fillna("") != ""
    good = (frame["there"] == "both") & np.where(
        hangs,
        (frame["centre_m"] <= np.minimum(frame["nearest_m"] + 1, frame["limit_m"]))
        & (frame["travel_m"] == frame["centre_m"]),
        frame["nearest"] == "",
    )
    recorder.judge(
        "hangs_on_centre", "levels", frame, np.asarray(good, dtype=bool), key=tuple(KEY), value="centre",
        limit="nearest",
        message="{service} at {site} hangs on {value}, {travel_m} m away; the nearest within {limit_m} m is {limit}",
    )  # fmt: skip
    _referrals(case, frame, served, rules, recorder)


def _nearest(
    case: Case, frame: pd.DataFrame, rules: dict[str, dict[str, float]], ways: Ways
) -> list[tuple[str, float, float]]:
    """For each station: its nearest centre within the limit, and the ways to it and to the one it is said to have.

    Empty and infinite where there is none.
    """
    centres = case.existing.reset_index()
    centres = centres[(centres["level"] == "centre") & (centres["capacity"] > 0)]
    rows = frame[["site", "service"]].assign(n=range(len(frame)))
    pairs = rows.merge(centres[["site", "service", "community"]], on="service", suffixes=("", "_centre"))
    at, to = case.places.reindex(pairs["site"]), case.places.reindex(pairs["site_centre"])
    pairs["limit_m"] = pairs["service"].map({k: float(rule["limit_m"]) for k, rule in rules.items()})
    for name, place, column in (("x", at, "x"), ("y", at, "y"), ("to_x", to, "x"), ("to_y", to, "y")):
        pairs[name] = place[column].to_numpy(dtype=float)
    pairs["limit"], pairs["metres"] = pairs["limit_m"], np.inf
    for name in sorted(rules):
        mine = pairs["service"] == name
        pairs.loc[mine, "metres"] = ways.streets(str(case.services[name]["travel"])).travel(pairs[mine])
    area = pd.Series(pairs["service"].map(case.service("within")), dtype=object)
    for name in ("sub_district", "district"):
        here = pd.Series(at["community"].to_numpy()).map(case.communities[name]).to_numpy()
        there = pairs["community"].map(case.communities[name]).to_numpy()
        pairs = pairs.assign(**{f"same_{name}": (here == there) | (area != name).to_numpy()})
    pairs = pairs[pairs["same_sub_district"] & pairs["same_district"] & (pairs["metres"] <= pairs["limit_m"])]
    first = pairs.sort_values(["n", "metres", "site_centre"], kind="stable").drop_duplicates("n").set_index("n")
    way = pairs.set_index(["n", "site_centre"])["metres"]
    return [
        (
            str(first["site_centre"].get(n, "")),
            float(first["metres"].get(n, np.inf)),
            float(way.get((n, centre), np.inf)),
        )
        for n, centre in enumerate(frame["centre"].fillna(""))
    ]


def _referrals(
    case: Case, frame: pd.DataFrame, served: pd.DataFrame, rules: dict[str, dict[str, float]], recorder: Recorder
) -> None:
    """No station without a centre serves anybody but by outlets; referrals and a centre's own work fit its capacity."""
    mine = served[served["service"].isin(list(rules)) & ~served["only_outlets"].astype(bool)]
    levels = case.tables["stations"].drop_duplicates(["site", "service", "level"])
    is_station = pd.MultiIndex.from_frame(levels.loc[levels["level"] == "station", ["site", "service"]])
    of = frame.set_index(["site", "service"])["centre"]
    index = pd.MultiIndex.from_frame(mine[["site", "service"]])
    mine = mine.assign(station=index.isin(is_station), centre=of.reindex(index).fillna("").to_numpy())
    stray = mine[mine["station"] & ~mine["is_local"].astype(bool)]
    recorder.judge(
        "hangs_on_centre", "assignments", stray, (stray["centre"] != "").to_numpy(dtype=bool),
        key=("community", "site", "service", "year"), value="site", limit="",
        message="{community} is served {service} at {value}, which hangs on no centre",
    )  # fmt: skip
    share = mine["service"].map({k: float(rule["referral_share"]) for k, rule in rules.items()})
    # Where outlet and station share a site, the table does not tell whose cases were referred.
    mine = mine.assign(referred=mine["served_peak"] * share * ~mine["mixed"].astype(bool))
    referred = mine[mine["station"]].groupby(["centre", "service", "year"])["referred"].sum()
    referred.index = referred.index.set_names("site", level=0)
    centres = case.existing.xs("centre", level="level")["capacity"].reset_index()
    centres = centres[centres["service"].isin(list(rules))].merge(pd.DataFrame({"year": case.years}), how="cross")
    place = pd.MultiIndex.from_frame(centres[["site", "service", "year"]])
    itself = mine[~mine["station"]].groupby(["site", "service", "year"])["served_peak"].sum().reindex(place).fillna(0.0)
    centres["itself"] = itself.to_numpy(dtype=float)
    centres["load"] = centres["itself"] + referred.reindex(place).fillna(0.0).to_numpy(dtype=float)
    inclusive = centres["service"].map({k: bool(rule["inclusive"]) for k, rule in rules.items()}).astype(bool)
    good = at_most(centres["load"], centres["capacity"]) & (inclusive | (centres["itself"] <= 1e-4)).to_numpy(
        dtype=bool
    )
    recorder.judge(
        "referral", "stations", centres, good, key=("site", "service", "year"), value="load", limit="capacity",
        message="the {service} centre {site} has {value} units in {year}, of them {itself} of its own; it has {limit}",
    )  # fmt: skip
