"""Deposits of developers, recomputed from the rooms taken and the inputs, equation (7)."""

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case
from optimizer.audit.report import Recorder, reason
from optimizer.audit.rooms import Rooms

AMOUNTS = ["paid_in_yuan", "paid_back_yuan", "held_yuan"]


def check_deposits(case: Case, rooms: Rooms, recorder: Recorder) -> None:
    """Check `deposits.csv` where the scenario asks developers for deposits."""
    rule = case.scenario["programmes"]["space"].get("deposit")
    if not rule:
        return
    try:
        path = case.folder / "tables" / "deposits.csv"
        said = pd.read_csv(path, dtype={"site": str, "community": str}, keep_default_na=False, encoding="utf-8")
        said = said[["site", "community", "year", *AMOUNTS]].astype(dict.fromkeys(["year", *AMOUNTS], np.int64))
    except (OSError, ValueError, KeyError) as error:
        recorder.find("files", f"the table cannot be read: {reason(error)}", table="deposits")
        return
    due = _due(case, rooms, float(rule["yuan_per_m2"]))
    both = due.merge(said, on=["site", "year"], how="outer", suffixes=("_due", ""), indicator="there")
    good = (both["there"] == "both") & ~both.duplicated(["site", "year"], keep=False)
    good &= both["community"] == both["community_due"]
    for column in AMOUNTS:
        good &= (both[column] - both[f"{column}_due"]).abs() <= 0.5 + 1e-6
    held = both["paid_in_yuan"].fillna(0).groupby(both["site"]).sum()
    back = both["paid_back_yuan"].fillna(0).groupby(both["site"]).sum()
    good &= both["site"].map(held) == both["site"].map(back)  # to the yuan
    recorder.judge(
        "deposit", "deposits", both.fillna({c: 0 for x in AMOUNTS for c in (x, f"{x}_due")}),
        good.to_numpy(dtype=bool), key=("site", "year"), value="held_yuan", limit="held_yuan_due",
        message="the deposit for {site} in {year}: {paid_in_yuan} yuan in, {paid_back_yuan} back, {value} held; by the "
        "rooms taken {paid_in_yuan_due} in, {paid_back_yuan_due} back, {limit} held",
    )  # fmt: skip


def _due(case: Case, rooms: Rooms, yuan_per_m2: float) -> pd.DataFrame:
    """One row per project and year, from the first rooms taken to the last handed over."""
    project = case.places["project_m2"].astype(float).fillna(0.0)
    taken = rooms.taken.assign(project_m2=project.reindex(rooms.taken["site"]).to_numpy(dtype=float))
    taken = taken[(taken["site_instrument"] == "hand_over") & (taken["project_m2"] > 0)]
    largest = rooms.rows["area_m2"] >= rooms.rows.groupby("site")["area_m2"].transform("max") - 1e-9
    back = rooms.rows[largest & (rooms.rows["area_m2"] > 0)].groupby("site")["year"].min()
    rows = []
    columns = (taken[c].tolist() for c in ("site", "site_community", "project_m2", "take_year", "use_year"))
    for site, community, m2, first, use in zip(*columns, strict=True):
        last, yuan = int(back.get(site, use)), case.price[first] * yuan_per_m2 * m2
        rows += [
            (site, community, year, yuan * (year == first), yuan * (year == last), yuan * (year < last))
            for year in range(first, last + 1)
        ]
    return pd.DataFrame(rows, columns=["site", "community", "year", *AMOUNTS])
