"""Rules of money by place and of what goes on: floors and ceilings (22), yearly costs and recurring money (23)."""

from typing import Any

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case
from optimizer.audit.report import Recorder
from optimizer.audit.rooms import Rooms

COST = ["purpose", "district", "community", "year", "service", "site"]
SLACK = 1e-6


def check_limits(case: Case, recorder: Recorder) -> None:
    """Check floors and ceilings of every source by purpose and place in every year, equation (22)."""
    rows = [
        row
        for name, source in case.scenario["sources"].items()
        for number, rule in enumerate(source.get("limits") or [])
        for row in _of_limit(case, name, source, number, rule)
    ]
    if not rows:
        return
    frame = pd.DataFrame(rows, columns=["source", "number", "place", "year", "paid", "least", "most"])
    frame = frame.astype(dict.fromkeys(("paid", "least", "most"), float))
    for good, limit, words in (
        (frame["paid"] >= frame["least"] - SLACK * (1 + frame["least"]), "least", "its floor is {limit}"),
        (frame["paid"] <= frame["most"] + SLACK * (1 + frame["most"]), "most", "its ceiling is {limit}"),
    ):
        recorder.judge(
            "limits",
            "ledger",
            frame,
            good.to_numpy(dtype=bool),
            key=("source", "number", "place", "year"),
            value="paid",
            limit=limit,
            message="{source} pays {value} yuan ({place}) in {year} under the rule limits.{number}; " + words,
        )


def _of_limit(
    case: Case, name: str, source: dict[str, Any], number: int, rule: dict[str, Any]
) -> list[tuple[str, str, str, int, float, float, float]]:
    """One row per place and year that a limit holds in."""
    ledger = case.tables["ledger"]
    mine = ledger[ledger["source"] == name]
    if rule["purposes"]:
        mine = mine[mine["purpose"].isin(rule["purposes"])]
    if rule["districts"]:
        mine = mine[mine["district"].isin(rule["districts"])]
    known = case.communities
    chosen = known.index.isin(rule["communities"]) | known["type"].isin(rule["types"])
    if not rule["communities"] and not rule["types"]:
        chosen = np.ones(len(known), dtype=bool)
    if rule["communities"] or rule["types"] or rule["for_each"] == "community":
        mine = mine[mine["community"].isin(known.index[chosen])]
    places = _places(case, source, rule, chosen)
    column = {"district": "district", "community": "community"}.get(rule["for_each"])
    sources = case.tables["sources"]
    new = sources[sources["source"] == name].set_index("year")["amount_yuan"]
    rows = []
    for year in case.years:
        money = float(new.get(year, 0))
        least = max(rule["at_least_yuan"] or 0.0, (rule["at_least_share"] or 0.0) * money)
        ceilings = [rule["at_most_yuan"], None if rule["at_most_share"] is None else rule["at_most_share"] * money]
        most = min([float(value) for value in ceilings if value is not None], default=np.inf)
        now = mine[mine["year"] == year]
        if column is None:
            rows.append((name, str(number), "all", year, float(now["yuan"].sum()), least, most))
            continue
        paid = now.groupby(column)["yuan"].sum().to_dict()
        rows += [(name, str(number), place, year, float(paid.get(place, 0)), least, most) for place in places]
    return rows


def _places(case: Case, source: dict[str, Any], rule: dict[str, Any], chosen: np.ndarray) -> list[str]:
    """Districts or communities in which a source may pay what a limit counts."""
    known, purposes = case.communities[chosen], set(rule["purposes"] or source["purposes"])
    for districts in (source["districts"], rule["districts"]):
        known = known[known["district"].isin(districts)] if districts else known
    earmarked = bool(source["communities"] or source["types"])
    if earmarked:
        known = known[known.index.isin(source["communities"]) | known["type"].isin(source["types"])]
    if rule["for_each"] == "community":
        own = [k for k, service in case.services.items() if service["siting"] == "own"]
        own = [k for k in own if not source["services"] or k in source["services"]]
        alone = {"work_funds", "space", "debt_relief", *(["service_capital", "service_running"] if own else [])}
        return sorted(known.index) if purposes & alone else []
    return sorted(set(known["district"]))


def check_running(case: Case, rooms: Rooms, recorder: Recorder) -> None:
    """Check what the ledger calls yearly costs, and that recurring money bears those of the last year, (23)."""
    rule = case.scenario.get("running_commitment")
    if not rule:
        return
    ledger = case.tables["ledger"]
    if "yearly_yuan" not in ledger.columns:
        recorder.find("columns", "columns are missing: yearly_yuan", table="ledger", value="yearly_yuan")
        return
    _yearly(case, ledger, rooms, recorder)
    last = case.years[-1]
    bound = ledger[ledger["year"] == last].groupby("source")["yearly_yuan"].sum()
    new = case.tables["sources"].set_index(["source", "year"])["amount_yuan"]
    prices = 1 + case.scenario["horizon"]["price_growth"]
    rows = []
    for name, source in case.scenario["sources"].items():
        growth = 0.0 if isinstance(source["amount_yuan"], list) else source["growth"]
        lasting = min((1 + growth) ** h / prices**h for h in range(rule["years_after"] + 1))
        most = rule["share"] * float(new.get((name, last), 0)) * lasting if source["recurring"] else 0.0
        rows.append((name, last, float(bound.get(name, 0)), most))
    frame = pd.DataFrame(rows, columns=["source", "year", "bound", "most"])
    recorder.judge(
        "running_commitment",
        "ledger",
        frame,
        (frame["bound"] <= frame["most"] + SLACK * (1 + frame["most"])).to_numpy(dtype=bool),
        key=("source", "year"),
        value="bound",
        limit="most",
        message="{source} pays {value} yuan of yearly costs in {year}, the last year; at most {limit} may be bound",
    )


def _yearly(case: Case, ledger: pd.DataFrame, rooms: Rooms, recorder: Recorder) -> None:
    """Running costs of stations are yearly, of rooms what the formula says for those in use; nothing else is."""
    room = rooms.rows
    due = case.prices(room["year"]) * room["site_yearly_yuan_per_m2"].to_numpy(float) * room["area_m2"].to_numpy(float)
    shared = (room["site_use"] == "station").to_numpy(dtype=bool)
    owed = pd.DataFrame(
        {
            "purpose": "space",
            "district": room["user"].map(case.communities["district"]),
            "community": room["user"].where(~shared, ""),
            "year": room["year"],
            "service": "",
            "site": room["site"],
            "due": np.minimum(due, room["cost_yuan"].to_numpy(float)),
            # Half a yuan is rounding; tables round areas to six decimals.
            "slack": 0.5 + 1e-6 * (1 + room["site_yearly_yuan_per_m2"].to_numpy(float) * case.prices(room["year"])),
        }
    )
    ledger = ledger.astype({column: str for column in COST if column != "year"})
    said = ledger.groupby(COST)[["yuan", "yearly_yuan"]].sum().reset_index()
    frame = said.merge(owed.astype({c: str for c in COST if c != "year"}), how="left", on=COST).fillna(
        {"due": 0.0, "slack": 0.0}
    )
    frame["due"] = frame["due"].where(frame["purpose"] != "service_running", frame["yuan"])
    frame["said"] = frame["yearly_yuan"].astype(float)
    recorder.judge(
        "yearly_cost",
        "ledger",
        frame,
        ((frame["said"] - frame["due"]).abs() <= frame["slack"]).to_numpy(dtype=bool),
        key=tuple(COST),
        value="said",
        limit="due",
        message="of {purpose} in {year} ({community} {service} {site}) {value} yuan are called yearly; it is {limit}",
    )
