"""Rules of money: costs paid, sources, eligibility, co-funding, equations (19) to (22)."""

from typing import Any

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case
from optimizer.audit.report import Recorder
from optimizer.audit.rooms import Rooms
from optimizer.audit.stations import Stations

COST = ["purpose", "district", "community", "year", "service", "site"]


def costs(case: Case, stations: Stations, rooms: Rooms) -> pd.DataFrame:
    """Every cost of the tables with what it belongs to: purpose, district, community, year, service, site."""
    grants = case.tables["grants"].assign(purpose="work_funds", service="", site="", yuan=lambda f: f["grant_yuan"])
    room = rooms.rows.assign(purpose="space", service="", yuan=lambda f: f["cost_yuan"])
    room["district"] = room["user"].map(case.communities["district"])
    room["community"] = room["user"].where(room["site_use"] != "station", "")
    rows = stations.rows.assign(district=stations.rows["place_community"].map(case.communities["district"]))
    rows["community"] = rows["place_community"].where(rows["own"], "")
    capital = rows.assign(purpose="service_capital", yuan=rows["capital_yuan"])
    running = rows.assign(purpose="service_running", yuan=rows["running_yuan"])
    grants["district"] = grants["community"].map(case.communities["district"])
    every = pd.concat([part[[*COST, "yuan"]] for part in (grants, room, capital, running)], ignore_index=True)
    every = every.astype({column: str for column in COST if column != "year"})
    return every.groupby(COST)[["yuan"]].sum().reset_index()


def check_costs(case: Case, stations: Stations, rooms: Rooms, recorder: Recorder) -> None:
    """Check that the ledger pays every cost in full and nothing else, equation (19)."""
    due = costs(case, stations, rooms).set_index(COST)["yuan"]
    ledger = case.tables["ledger"].astype({column: str for column in COST if column != "year"})
    paid = ledger.groupby(COST)["yuan"].sum()
    both = pd.concat({"due": due, "paid": paid}, axis=1).fillna(0).astype(np.int64)
    recorder.judge(
        "costs_paid",
        "ledger",
        both.reset_index(),
        (both["due"] == both["paid"]).to_numpy(),
        key=tuple(COST),
        value="paid",
        limit="due",
        message="{purpose} of {year} in {district} ({community} {service} {site}) costs {limit} yuan, paid are {value}",
    )


def check_sources(case: Case, recorder: Recorder) -> None:
    """Check new money, spending, carry-over and lapse of every source and year, equation (20)."""
    frame = case.tables["sources"].sort_values(["source", "year"], kind="stable").reset_index(drop=True)
    spent = case.tables["ledger"].groupby(["source", "year"])["yuan"].sum()
    index = pd.MultiIndex.from_frame(frame[["source", "year"]])
    amounts = {name: _amounts(rule, len(case.years)) for name, rule in case.scenario["sources"].items()}
    first = case.years[0]
    frame["amount_due"] = [amounts[s][y - first] for s, y in zip(frame["source"], frame["year"], strict=True)]
    recorder.judge(
        "source_amount",
        "sources",
        frame,
        # The scenario's amounts are rounded half up; where they end on half a yuan the last digit of a float decides.
        np.asarray(np.abs(frame["amount_yuan"] - frame["amount_due"]) <= 0.5 + 1e-6),
        key=("source", "year"),
        value="amount_yuan",
        limit="amount_due",
        message="{source} has {value} yuan of new money in {year}; by the scenario it is {limit}",
    )
    carried = pd.Series(frame["carried_out_yuan"].to_numpy(), index)
    before = pd.MultiIndex.from_arrays([frame["source"], frame["year"] - 1])
    frame["carried_due"] = carried.reindex(before).fillna(0).to_numpy(dtype=np.int64)
    frame["spent_due"] = spent.reindex(index).fillna(0).to_numpy(dtype=np.int64)
    out = frame["spent_yuan"] + frame["carried_out_yuan"] + frame["lapsed_yuan"]
    frame["over"] = frame["amount_yuan"] + frame["carried_in_yuan"] - out
    for good, value, limit, message in (
        (frame["over"] == 0, "over", "", "does not foot in {year}: {value} yuan over"),
        (
            frame["spent_yuan"] == frame["spent_due"],
            "spent_yuan",
            "spent_due",
            "spent {value} yuan in {year}; the ledger has {limit}",
        ),
        (
            frame["carried_in_yuan"] == frame["carried_due"],
            "carried_in_yuan",
            "carried_due",
            "carries {value} yuan into {year}; the year before left {limit}",
        ),
    ):
        recorder.judge(
            "footing",
            "sources",
            frame,
            good.to_numpy(),
            key=("source", "year"),
            value=value,
            limit=limit,
            message="{source} " + message,
        )
    share = frame["source"].map({name: rule["carry_limit_share"] for name, rule in case.scenario["sources"].items()})
    frame["most"] = (share.astype(float) * frame["amount_yuan"]).where(frame["year"] < case.years[-1], 0.0)
    recorder.judge(
        "carry",
        "sources",
        frame,
        (frame["carried_out_yuan"] <= frame["most"] + 1e-6 * (1 + frame["most"])).to_numpy(),
        key=("source", "year"),
        value="carried_out_yuan",
        limit="most",
        message="{source} carries {value} yuan out of {year}; at most {limit} may be carried",
    )


def _amounts(rule: dict[str, Any], years: int) -> list[float]:
    """New money of a source per year, before rounding to whole yuan."""
    amount = rule["amount_yuan"]
    if isinstance(amount, list):
        return [float(value) * rule["scale"] for value in amount]
    return [float(amount * (1 + rule["growth"]) ** t * rule["scale"]) for t in range(years)]


def check_eligibility(case: Case, recorder: Recorder) -> None:
    """Check that every payment is one its source may make, equation (21), and ceilings by purpose, equation (22)."""
    ledger = case.tables["ledger"]
    kind = ledger["community"].map(case.communities["type"])
    is_service = ledger["purpose"].isin(["service_capital", "service_running"])
    good = pd.Series(True, index=ledger.index)
    for name, rule in case.scenario["sources"].items():
        may = ledger["purpose"].isin(rule["purposes"])
        if rule["districts"]:
            may &= ledger["district"].isin(rule["districts"])
        if rule["services"]:
            may &= ~is_service | ledger["service"].isin(rule["services"])
        if rule["communities"] or rule["types"]:
            may &= ledger["community"].isin(rule["communities"]) | kind.isin(rule["types"])
        good &= may | (ledger["source"] != name)
    recorder.judge(
        "eligibility",
        "ledger",
        ledger,
        good.to_numpy(dtype=bool),
        key=("source", "purpose", "district", "community", "year", "service", "site"),
        value="yuan",
        limit="",
        message="{source} may not pay {value} yuan for {purpose} in {district} ({community} {service} {site})",
    )
    amounts = case.tables["sources"].set_index(["source", "year"])["amount_yuan"]
    limits = [
        {"source": name, "purpose": purpose, "share": share}
        for name, rule in case.scenario["sources"].items()
        for purpose, share in rule["ceiling_share"].items()
    ]
    frame = pd.DataFrame(limits, columns=["source", "purpose", "share"]).merge(
        pd.DataFrame({"year": case.years}), how="cross"
    )
    paid = ledger.groupby(["source", "purpose", "year"])["yuan"].sum()
    frame["paid"] = paid.reindex(pd.MultiIndex.from_frame(frame[["source", "purpose", "year"]])).fillna(0).to_numpy()
    new = amounts.reindex(pd.MultiIndex.from_frame(frame[["source", "year"]])).fillna(0).to_numpy(dtype=float)
    frame["most"] = frame["share"].astype(float) * new
    recorder.judge(
        "ceiling_share",
        "ledger",
        frame,
        (frame["paid"] <= frame["most"] + 1e-6 * (1 + frame["most"])).to_numpy(dtype=bool),
        key=("source", "purpose", "year"),
        value="paid",
        limit="most",
        message="{source} pays {value} yuan for {purpose} in {year}; its ceiling is {limit}",
    )


def check_co_funding(case: Case, recorder: Recorder) -> None:
    """Check that districts' own sources pay their part in every district and year, equation (22)."""
    sources = case.scenario["sources"]
    districts = sorted(set(case.communities["district"]))
    own = pd.DataFrame(
        [
            {"source": name, "district": district}
            for name, rule in sources.items()
            for district in districts
            if rule["role"] == "district" and (not rule["districts"] or district in rule["districts"])
        ],
        columns=["source", "district"],
    )
    ledger = case.tables["ledger"]
    for rule in case.scenario["co_funding"]:
        mine = ledger[ledger["purpose"] == rule["purpose"]]
        frame = pd.MultiIndex.from_product([districts, case.years], names=["district", "year"]).to_frame(index=False)
        index = pd.MultiIndex.from_frame(frame)
        matched = mine[mine["source"] == rule["of"]].groupby(["district", "year"])["yuan"].sum()
        paid = mine.merge(own, on=["source", "district"]).groupby(["district", "year"])["yuan"].sum()
        frame["matched"] = matched.reindex(index).fillna(0).to_numpy(dtype=float)
        frame["paid"] = paid.reindex(index).fillna(0).to_numpy(dtype=float)
        frame = frame.assign(due=rule["ratio"] * frame["matched"], of=rule["of"], purpose=rule["purpose"])
        recorder.judge(
            "co_funding",
            "ledger",
            frame,
            (frame["paid"] >= frame["due"] - 1e-6 * (1 + frame["due"])).to_numpy(dtype=bool),
            key=("purpose", "district", "year"),
            value="paid",
            limit="due",
            message="the own sources of {district} pay {value} yuan for {purpose} in {year}; {of} pays {matched}, "
            "so they owe {limit}",
        )
