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
    parts = [grants, room, capital, running]
    if "debts" in case.tables:
        debts = case.tables["debts"].assign(purpose="debt_relief", service="", site="", yuan=lambda f: f["relief_yuan"])
        parts.append(debts.assign(district=debts["community"].map(case.communities["district"])))
    every = pd.concat([part[[*COST, "yuan"]] for part in parts], ignore_index=True)
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
    amounts = {name: free_yuan(rule, len(case.years)) for name, rule in case.scenario["sources"].items()}
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
    rules = case.scenario["sources"]
    limits = frame["source"].map({name: rule.get("carry_limit_yuan") for name, rule in rules.items()}).astype(float)
    share = frame["source"].map({name: rule["carry_limit_share"] for name, rule in rules.items()})
    limits = limits.fillna(share.astype(float) * frame["amount_yuan"])
    frame["most"] = limits.where(frame["year"] < case.years[-1], 0.0)
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


def free_yuan(rule: dict[str, Any], years: int) -> list[float]:
    """New money of a source per year less what is spoken for (24), before rounding to whole yuan."""
    amount = rule["amount_yuan"]
    if isinstance(amount, list):
        new = [float(value) * rule["scale"] for value in amount]
    else:
        new = [float(amount * (1 + rule["growth"]) ** t * rule["scale"]) for t in range(years)]
    return [a - b for a, b in zip(new, spoken_for_yuan(rule, years), strict=True)]


def spoken_for_yuan(rule: dict[str, Any], years: int) -> list[int]:
    """Whole yuan of every year's new money that earlier decisions have spoken for, equation (24)."""
    taken = rule.get("committed_yuan", 0)
    return [int(np.floor(float(value) + 0.5)) for value in (taken if isinstance(taken, list) else [taken] * years)]


def check_expiry(case: Case, recorder: Recorder) -> None:
    """Check that no money is carried on beyond its years, the oldest spent first, equation (25)."""
    rows = []
    for name, rule in case.scenario["sources"].items():
        lasts = rule.get("lasts_years")
        frame = case.tables["sources"]
        mine = frame[frame["source"] == name].sort_values("year")
        vintages: list[list[int]] = []  # (year, yuan left), oldest first
        for row in mine.itertuples(index=False) if lasts else ():
            year, out = int(str(row.year)), int(str(row.carried_out_yuan))
            vintages.append([year, int(str(row.amount_yuan))])
            _spend(vintages, int(str(row.spent_yuan)))
            young = [[v, yuan] for v, yuan in vintages if v + lasts > year + 1]
            most = sum(yuan for _, yuan in young)
            rows.append((name, year, out, most))
            _spend(young, most - out)
            vintages = young
    if not rows:
        return
    result = pd.DataFrame(rows, columns=["source", "year", "carried_out_yuan", "most"])
    recorder.judge(
        "expiry",
        "sources",
        result,
        (result["carried_out_yuan"] <= result["most"]).to_numpy(dtype=bool),
        key=("source", "year"),
        value="carried_out_yuan",
        limit="most",
        message="{source} carries {value} yuan out of {year}; only {limit} of it may still be spent the year after",
    )


def _spend(vintages: list[list[int]], yuan: int) -> None:
    """Take money from the oldest first."""
    for vintage in vintages:
        taken = max(0, min(vintage[1], yuan))
        vintage[1] -= taken
        yuan -= taken


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
    """Check that payers pay their part in every year and district (or the city), and caps of matches, equation (22)."""
    for rule in case.scenario["co_funding"]:
        frame = _matches(case, rule)
        recorder.judge(
            "co_funding",
            "ledger",
            frame,
            (frame["paid"] >= frame["due"] - 1e-6 * (1 + frame["due"])).to_numpy(dtype=bool),
            key=("purpose", "district", "year"),
            value="paid",
            limit="due",
            message="{who} in {district} pays {value} yuan for {purpose} in {year}; {of} pays {matched}, "
            "so {limit} are owed",
        )
        cap = rule.get("cap_yuan")
        if cap is None:
            continue
        most = frame.groupby("year", as_index=False)["matched"].sum().assign(of=rule["of"], cap=float(cap))
        recorder.judge(
            "match_cap",
            "ledger",
            most.assign(purpose=rule["purpose"]),
            (most["matched"] <= most["cap"] + 1e-6 * (1 + most["cap"])).to_numpy(dtype=bool),
            key=("of", "purpose", "year"),
            value="matched",
            limit="cap",
            message="{of} pays {value} yuan for {purpose} in {year}; it is matched up to {limit}",
        )


def _matches(case: Case, rule: dict[str, Any]) -> pd.DataFrame:
    """What is matched, paid and due under a rule of co-funding, by year and district (`city`: all together)."""
    sources, payer = case.scenario["sources"], rule.get("payer", "district")
    districts = sorted(set(case.communities["district"]))
    by = [
        {"source": name, "district": district}
        for name, source in sources.items()
        for district in districts
        if (source["role"] == "district" if payer == "district" else name == payer)
        and (payer != "district" or not source["districts"] or district in source["districts"])
    ]
    own = pd.DataFrame(by, columns=["source", "district"])
    mine = case.tables["ledger"][case.tables["ledger"]["purpose"] == rule["purpose"]]
    matched, paid = mine[mine["source"] == rule["of"]], mine.merge(own, on=["source", "district"])
    if rule.get("within", "district") == "city":
        districts = ["city"]
        matched, paid = matched.assign(district="city"), paid.assign(district="city")
    frame = pd.MultiIndex.from_product([districts, case.years], names=["district", "year"]).to_frame(index=False)
    index = pd.MultiIndex.from_frame(frame)
    for column, part in (("matched", matched), ("paid", paid)):
        sums = part.groupby(["district", "year"])["yuan"].sum()
        frame[column] = sums.reindex(index).fillna(0).to_numpy(dtype=float)
    who = "the own money" if payer == "district" else payer
    return frame.assign(due=rule["ratio"] * frame["matched"], of=rule["of"], purpose=rule["purpose"], who=who)
