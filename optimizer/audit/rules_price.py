"""The price of fairness against the tables, equation (36): every figure that can be counted again, and their order."""

from typing import Any

import numpy as np
import pandas as pd

from optimizer.audit.goals import GOAL_SLACK, SHARE_SLACK, scores
from optimizer.audit.inputs import Case
from optimizer.audit.report import Recorder, reason
from optimizer.audit.tables import WHOLE_HORIZON

RULE, TABLE = "price_of_fairness", "price_of_fairness"
FIGURES = ["unmet_need", "unmet_need_without", "score", "score_without"]
ROUNDING = 1e-6  # of figures of six decimals


def check_price(case: Case, met: pd.DataFrame, recorder: Recorder) -> None:
    """Check the price of fairness where the scenario asks for it: that it is said, and follows from the tables."""
    if not (case.scenario.get("fairness") or {}).get("price"):
        if "price" in (case.record.get("fairness") or {}):
            _wrong("the record has a price of fairness, but the scenario does not ask for one", recorder)
        return
    price = (case.record.get("fairness") or {}).get("price")
    recorder.checked(RULE, 1)
    if price is None or (not price["found"] and price.get("stopped") not in ("hand", "time")):
        _wrong("the price of fairness is asked for, but the record has none", recorder)
        return
    if not price["found"]:
        return
    table = _table(case, recorder)
    if table is None:
        return
    heft = met["persons"] * met["weight"] * met["year"].map(case.year_weight).astype(float) * (met["need_amount"] > 0)
    sums = met.assign(all=heft, unmet=heft * (1 - met["share"])).groupby("community")[["all", "unmet"]].sum()
    sums = sums.reindex(case.communities.index).fillna(0.0)
    _communities(case, met, table, sums, recorder)
    _ends(case, table, sums, price, recorder)
    _interval(price, float(sums["all"].sum()), recorder)


def _wrong(message: str, recorder: Recorder, *, row: str = "", value: object = "", limit: object = "") -> None:
    place = "fairness.price" + (f".{row}" if row else "")
    recorder.find(RULE, message, table="run.json", row=place, value=value, limit=limit)


def _table(case: Case, recorder: Recorder) -> pd.DataFrame | None:
    """The table by community; scores that are empty are no number."""
    try:
        path = case.folder / "tables" / f"{TABLE}.csv"
        frame = pd.read_csv(path, dtype={"community": str}, na_values=[""], keep_default_na=False, encoding="utf-8")
        frame = frame.set_index("community")[FIGURES].astype(float)
    except (OSError, ValueError, KeyError) as error:
        recorder.find("files", f"the table cannot be read: {reason(error)}", table=TABLE)
        return None
    if sorted(frame.index) != sorted(case.communities.index):  # also where one stands twice
        recorder.find("complete", "the communities are not those of the city", table=TABLE)
        return None
    ordered: pd.DataFrame = frame.loc[case.communities.index]
    return ordered


def _communities(case: Case, met: pd.DataFrame, table: pd.DataFrame, sums: pd.DataFrame, recorder: Recorder) -> None:
    """What every community has with fairness is that of the plan; without, it lies between nothing and everything."""
    whole = scores(case, met).xs(WHOLE_HORIZON, level="year").reindex(table.index)
    slack = ROUNDING + GOAL_SLACK * sums["all"]
    good = (table["unmet_need"] - sums["unmet"]).abs() <= slack + SHARE_SLACK * sums["all"]
    good &= (table["unmet_need_without"] >= 0) & (table["unmet_need_without"] <= sums["all"] + slack)
    scored = whole.notna()
    right = ((table["score"] - whole).abs() <= SHARE_SLACK) & table["score_without"].between(0, 1 + SHARE_SLACK)
    good &= (scored & right) | (~scored & table["score"].isna() & table["score_without"].isna())
    frame = table.assign(due=sums["unmet"], all=sums["all"], whole=whole).reset_index()
    recorder.judge(
        RULE, TABLE, frame, good.to_numpy(dtype=bool), key=("community",), value="unmet_need", limit="due",
        message="{community} is said to have {value} person-needs unmet and a score of {score}, without fairness "
        "{unmet_need_without} and {score_without}; the plan leaves {limit} of {all} and a score of {whole}",
    )  # fmt: skip


def _ends(case: Case, table: pd.DataFrame, sums: pd.DataFrame, price: dict[str, Any], recorder: Recorder) -> None:
    """The figures of both plans follow from the table; those of the plan with fairness are those of its stage."""
    stage: dict[str, Any] = next((s for s in case.record["stages"] if s["goal"] == price["goal"]), {})
    kept = table.loc[~table.index.isin([str(name) for name in case.record["set_aside"]])]
    due: dict[str, float] = {}
    for end, more in (("with", ""), ("without", "_without")):
        unmet, total = float(table[f"unmet_need{more}"].sum()), float(sums["all"].sum())
        if price["goal"] == "unmet_need":
            due[f"{end}.value"] = unmet
        lowest = kept[f"score{more}"].min()
        due[f"worst_off.{end}"] = 1.0 if np.isnan(lowest) else float(lowest)
        due[f"met_share.{end}"] = 1 - unmet / total if total > 0 else 1.0
    due |= {f"with.{key}": float(stage.get(key, np.nan)) for key in ("bound", "reached") if key in stage}
    if "reached" in due:
        due["with.reached"] = min(due["with.reached"], float(stage["value"]))
    for name, value in due.items():
        first, second = name.split(".")
        said = float(price[first][second])
        recorder.checked(RULE, 1)
        if not abs(said - value) <= SHARE_SLACK + len(table) * ROUNDING + 2 * GOAL_SLACK * abs(value):
            _wrong(f"{name} is {value:,.6f} by the tables, the record says {said:,.6f}", recorder, row=name,
                   value=said, limit=value)  # fmt: skip


def _interval(price: dict[str, Any], total: float, recorder: Recorder) -> None:
    """No value is better than its bound; the price lies between bound less value and value less bound, none below 0."""
    there, alone, points = price["with"], price["without"], price["goal"] != "unmet_need"
    slack = ROUNDING + 1e-4 * abs(there["value"])  # whole units of money may pass a bound by a hair
    for end, said in (("with", there), ("without", alone)):
        value, bound = float(said["value"]), float(said["bound"])
        recorder.checked(RULE, 1)
        if bound > value + slack:
            message = f"the value {end} fairness, {value:,.6f}, is below what no plan is below, {bound:,.6f}"
            _wrong(message, recorder, row=end, value=value, limit=bound)
    low = max(0.0, there["bound"] - alone["value"])
    high = max(low, there["reached"] - alone["bound"])
    of_low, of_high = (alone[key] if points else total - alone[key] for key in ("value", "bound"))
    amount = ROUNDING + 2 * GOAL_SLACK * abs(there["value"])
    due = {"low": (low, amount), "high": (high, amount)}
    due["low_share"] = low / of_low if of_low > 0 else 0.0, ROUNDING
    due["high_share"] = high / of_high if of_high > 0 else 0.0, ROUNDING
    for name, (value, apart) in due.items():
        recorder.checked(RULE, 1)
        if not abs(float(price[name]) - value) <= apart:
            message = f"{name} is {price[name]:g}; values and bounds make {value:g}"
            _wrong(message, recorder, row=name, value=price[name], limit=value)
