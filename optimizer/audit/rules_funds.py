"""Rules of classes of guidance and work funds, equations (3) and (4)."""

import numpy as np
import pandas as pd

from optimizer.audit.inputs import DEBT_RELIEF, WORK_FUNDS, Case, at_most, unit_yuan
from optimizer.audit.report import Recorder


def check_classes(case: Case, recorder: Recorder) -> None:
    """Check the class of every community in the table of grants and in the record."""
    frame = case.tables["grants"].assign(due=case.tables["grants"]["community"].map(case.communities["class"]))
    recorder.judge(
        "class_of_guidance",
        "grants",
        frame,
        (frame["class"] == frame["due"]).to_numpy(),
        key=("community", "year"),
        value="class",
        limit="due",
        message="{community} is classed {value}; by the scenario's rules it is {limit}",
    )
    said = case.record.get("classes", {})
    said = said if isinstance(said, dict) else {}
    record = pd.DataFrame({"community": case.communities.index, "due": case.communities["class"].to_numpy()})
    record["class"] = [str(said.get(community, "without a class")) for community in record["community"]]
    recorder.judge(
        "class_of_guidance",
        "run.json",
        record,
        (record["class"] == record["due"]).to_numpy(),
        key=("community",),
        value="class",
        limit="due",
        message="{community} is classed {value}; by the scenario's rules it is {limit}",
    )


def check_units(case: Case, recorder: Recorder) -> None:
    """Check that grants and the payments for them are whole units of the currency, equation (3)."""
    unit = unit_yuan(case.scenario)
    ledger = case.tables["ledger"]
    paid = ledger[ledger["purpose"] == WORK_FUNDS].assign(unit=unit)
    for table, frame, value, key in (
        ("grants", case.tables["grants"].assign(unit=unit), "grant_yuan", ("community", "year")),
        ("ledger", paid, "yuan", ("source", "community", "year")),
    ):
        recorder.judge(
            "unit",
            table,
            frame,
            (frame[value] % unit == 0).to_numpy(dtype=bool),
            key=key,
            value=value,
            limit="unit",
            message="{community}: {value} yuan of work funds in {year} is no multiple of {limit}",
        )


def check_grants(case: Case, recorder: Recorder) -> None:
    """Check entitlements, a hard floor and the limit of grants, equations (3) and (4)."""
    rule = case.scenario["programmes"]["work_funds"]
    frame = case.tables["grants"]
    due = case.needs.xs(WORK_FUNDS, level="need")
    due = due.reindex(pd.MultiIndex.from_frame(frame[["community", "year"]]))
    frame = frame.assign(due=due["need_amount"].to_numpy(dtype=float), formula=due["formula"].to_numpy(dtype=float))
    recorder.judge(
        "entitlement",
        "grants",
        frame,
        (frame["entitled_yuan"] == frame["due"]).to_numpy(),
        key=("community", "year"),
        value="entitled_yuan",
        limit="due",
        message="{community} is said to be entitled to {value} yuan in {year}; by the formula it is {formula}",
    )
    if rule["hard_floor"]:
        recorder.judge(
            "hard_floor",
            "grants",
            frame,
            (frame["grant_yuan"] >= frame["due"]).to_numpy(),
            key=("community", "year"),
            value="grant_yuan",
            limit="due",
            message="{community} gets {value} yuan in {year}, less than the hard floor of {limit}",
        )
    ceiling = np.inf if rule["ceiling_yuan"] is None else rule["ceiling_yuan"] * case.prices(frame["year"])
    frame["most"] = np.minimum(frame["due"], ceiling)
    recorder.judge(
        "grant_limit",
        "grants",
        frame,
        at_most(frame["grant_yuan"], frame["most"]),
        key=("community", "year"),
        value="grant_yuan",
        limit="most",
        message="{community} gets {value} yuan in {year}, but at most {limit} may be granted",
    )


def relieved(case: Case) -> "pd.Series[int]":
    """What is paid off by (community, year), all years so far together, equation (26)."""
    debts = case.tables.get("debts")
    if debts is None:
        return pd.Series(dtype=np.int64, index=pd.MultiIndex.from_arrays([[], []], names=["community", "year"]))
    ordered = debts.sort_values("year").set_index(["community", "year"])["relief_yuan"]
    return ordered.groupby(level="community").cumsum()


def check_debts(case: Case, recorder: Recorder) -> None:
    """Check that every debt that may be paid off has its rows, that they foot, and that no more is paid, (26)."""
    if not case.scenario["programmes"].get(DEBT_RELIEF):
        return
    debts = case.tables.get("debts")
    if debts is None:
        recorder.find("files", "the table is missing, but the scenario has debt relief", table="debts")
        return
    owed = case.needs.xs(DEBT_RELIEF, level="need")["need_amount"]
    owed = owed[owed > 0]
    frame = owed.reset_index(name="owed").merge(debts, how="outer", on=["community", "year"]).sort_values("year")
    frame = frame.fillna(dict.fromkeys(("debt_yuan", "relief_yuan", "left_yuan"), -1.0)).fillna({"owed": 0.0})
    before = frame.groupby("community")["relief_yuan"].cumsum() - frame["relief_yuan"]
    frame["due"] = frame["owed"] - before
    good = (frame["debt_yuan"] == frame["due"]) & (frame["left_yuan"] == frame["due"] - frame["relief_yuan"])
    recorder.judge(
        "debt_relief",
        "debts",
        frame,
        (good & (frame["relief_yuan"] >= 0) & (frame["left_yuan"] >= 0)).to_numpy(dtype=bool),
        key=("community", "year"),
        value="debt_yuan",
        limit="due",
        message="of the debt of {community} {value} yuan are left in {year}, of which {relief_yuan} are paid off and "
        "{left_yuan} stay; by the debt and what was paid before there are {limit}",
    )
