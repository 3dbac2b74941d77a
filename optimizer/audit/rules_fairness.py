"""Indices of inequality and pairs with reason for envy, recomputed from the tables, equations (27) to (30)."""

from typing import Any

import numpy as np
import pandas as pd

from optimizer.audit.goals import SHARE_SLACK, scores
from optimizer.audit.inputs import SPACE, Case, Floats, near
from optimizer.audit.report import Recorder
from optimizer.audit.tables import WHOLE_HORIZON

INDEX_SLACK = 2e-5  # of indices, which are quotients of sums of scores of six decimals
EPSILON = 0.5  # where the scenario names none
ALIKE, CLEARLY_LESS = 0.9, 0.8  # of needs and of what is got, equation (30)
LISTED_PAIRS = 20  # pairs with reason for envy that a record lists at most, the worst ones
KINDS = ("mean", "gini", "atkinson", "theil")


def check_indices(case: Case, met: pd.DataFrame, recorder: Recorder) -> None:
    """Check the indices of inequality before and after the plan, and envy; a record without is found elsewhere."""
    if "fairness" not in case.record:
        return
    said = case.record["fairness"]
    asked = (case.scenario.get("fairness") or {}).get("atkinson_at_most") or {}
    epsilon = float(asked.get("epsilon", EPSILON))
    _as_defined("inequality", "epsilon", said["epsilon"], epsilon, recorder)
    for when, frame in (("before", before(case, met)), ("after", met)):
        due = indices(case, frame, epsilon)
        for name, value in due.items():
            recorder.checked("inequality", 1)
            given = float(said[when][name])
            slack = INDEX_SLACK if epsilon < 1 else 1e-3  # from 1 on a tiny score weighs heavily
            if not abs(given - value) <= slack:
                recorder.find(
                    "inequality",
                    f"{name} {when} the plan is {value:.6f} by the tables, the record says {given:.6f}",
                    table="run.json",
                    row=f"fairness.{when}.{name}",
                    value=given,
                    limit=value,
                )
    _check_envy(met, case, said["envy"], recorder)


def _as_defined(rule: str, part: str, said: object, due: float, recorder: Recorder) -> None:
    """Check that a parameter of the measures is the scenario's or that of their definition."""
    recorder.checked(rule, 1)
    if said != due:
        words = f"{part} is {said}; it must be {due:g}"
        recorder.find(rule, words, table="run.json", row=f"fairness.{part}", value=said, limit=due)


def indices(case: Case, met: pd.DataFrame, epsilon: float) -> dict[str, float]:
    """Return mean, Gini, Atkinson and Theil of the scores over the horizon, by community and by resident."""
    whole = scores(case, met).xs(WHOLE_HORIZON, level="year")
    x = np.maximum(0.0, whole.to_numpy(dtype=float))
    people = case.communities["population"].reindex(whole.index).to_numpy(dtype=float)
    found: dict[str, float] = {}
    for end, w in (("", np.ones_like(x)), ("_persons", people)):
        values = _indices(x, w, epsilon) if w.sum() > 0 else (0.0, 0.0, 0.0, 0.0)
        found |= {f"{kind}{end}": value for kind, value in zip(KINDS, values, strict=True)}
    return found


def _indices(x: Floats, w: Floats, epsilon: float) -> tuple[float, float, float, float]:
    part = w / w.sum()
    mean = float(part @ x)
    if mean <= 0:
        return 0.0, 0.0, 0.0, 0.0
    differences = sum(float(p * (part @ np.abs(x - a))) for p, a in zip(part, x, strict=True))
    ratio, p = (x / mean)[part > 0], part[part > 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(ratio)
        alike = float(np.exp(p @ logs)) if epsilon == 1 else float((p @ ratio ** (1 - epsilon)) ** (1 / (1 - epsilon)))
        theil = float(p @ np.where(ratio > 0, ratio * logs, 0.0))
    return mean, differences / (2 * mean), float(np.clip(1 - alike, 0.0, 1.0)), theil


def before(case: Case, met: pd.DataFrame) -> pd.DataFrame:
    """Return `met` with the shares of what stands before the plan: rooms, and stations for those sent there first."""
    table = case.tables["assignments"]
    first = table[table["year"] == case.years[0]].copy()
    there = case.existing.groupby(["site", "service"])["capacity"].sum()
    pair = pd.MultiIndex.from_frame(first[["site", "service"]])
    asked = first.groupby(["site", "service"])["amount"].sum().reindex(pair).to_numpy(dtype=float)
    has = there.reindex(pair).fillna(0.0).to_numpy(dtype=float)
    first["kept"] = first["amount"].to_numpy(dtype=float) * np.minimum(1.0, has / asked)
    kept = first.groupby(["community", "service"])["kept"].sum()
    year = met[met["year"] == case.years[0]].set_index(["community", "need"])["need_amount"]
    key = pd.MultiIndex.from_frame(met[["community", "need"]])
    start = year.reindex(key).to_numpy(dtype=float)
    served = kept.reindex(key).fillna(0.0).to_numpy(dtype=float)
    share = np.divide(served, start, out=np.zeros_like(served), where=start > 0)
    need = met["need_amount"].to_numpy(dtype=float)
    counted = (case.communities["office_area_m2"] - case.communities["others_m2"]).clip(lower=0.0)
    area = met["community"].map(counted).to_numpy(dtype=float)
    rooms = np.divide(area, need, out=np.ones_like(need), where=need > 0)
    share = np.where(met["need"] == SPACE, rooms, share)
    return met.assign(share=np.where(need > 0, np.minimum(share, 1.0), 1.0))


def _check_envy(met: pd.DataFrame, case: Case, said: dict[str, Any], recorder: Recorder) -> None:
    """Check that every pair listed is one, with its figures, and that so many pairs there are."""
    for part, due in (("alike", ALIKE), ("clearly_less", CLEARLY_LESS)):
        _as_defined("envy", f"envy.{part}", said[part], due, recorder)
    alike, less = ALIKE, CLEARLY_LESS
    heft = met["persons"] * met["weight"] * met["year"].map(case.year_weight).astype(float) * (met["need_amount"] > 0)
    sums = met.assign(need=heft, got=heft * met["share"]).groupby("community")[["need", "got"]].sum()
    people = case.communities["population"].astype(float)
    per = sums.div(people.where(people > 0), axis=0).reindex(case.communities.index).fillna(0.0)
    for pair in said["worst"]:
        recorder.checked("envy", 3)
        one, other = str(pair["community"]), str(pair["other"])
        needs = per["need"][one], per["need"][other]
        ratio = per["got"][one] / per["got"][other]
        right = (
            case.communities["type"][one] == case.communities["type"][other]
            and min(needs) >= alike * max(needs) * (1 - SHARE_SLACK)
            and ratio <= less + INDEX_SLACK
            and abs(ratio - float(pair["got_share"])) <= INDEX_SLACK
            and near(np.array([pair["need_per_resident"], pair["other_need_per_resident"]]), np.array(needs)).all()
        )
        if not right:
            recorder.find(
                "envy",
                f"{one} is said to get {pair['got_share']} of what {other} gets per resident; by the tables it gets "
                f"{ratio:.6f}, with needs of {needs[0]:.6f} and {needs[1]:.6f}",
                table="run.json",
                row="fairness.envy",
                value=pair["got_share"],
                limit=float(ratio),
            )
    (fewest, _), (most, worst) = (_pairs(case, per, alike, less, turn * INDEX_SLACK) for turn in (-1, 1))
    recorder.checked("envy", 2)
    listed = [(str(pair["community"]), str(pair["other"])) for pair in said["worst"]]
    first = min((float(pair["got_share"]) for pair in said["worst"]), default=np.inf)
    of_all = min(int(said["pairs"]), LISTED_PAIRS)
    if len(set(listed)) != of_all or len(listed) != of_all or (fewest and first > worst + 2 * INDEX_SLACK):
        recorder.find(
            "envy",
            f"{len(set(listed))} pairs are listed, the worst with {first:.6f}; the {of_all} worst of {said['pairs']} "
            f"must be, and the worst of all has {worst:.6f}",
            table="run.json",
            row="fairness.envy.worst",
            value=len(set(listed)),
            limit=of_all,
        )
    if not fewest <= int(said["pairs"]) <= most:
        recorder.find(
            "envy",
            f"{said['pairs']} pairs are said to have reason for envy; by the tables it is {fewest} to {most}",
            table="run.json",
            row="fairness.envy.pairs",
            value=said["pairs"],
            limit=most,
        )


def _pairs(case: Case, per: pd.DataFrame, alike: float, less: float, slack: float) -> tuple[int, float]:
    """Count the pairs, with limits moved by `slack` (above 0: more pairs), and how little the worst of them gets."""
    total, worst = 0, np.inf
    for names in case.communities.groupby("type").groups.values():
        frame = per.loc[names]
        need, got = frame["need"].to_numpy(dtype=float), frame["got"].to_numpy(dtype=float)
        for a, b in zip(need, got, strict=True):
            close = (np.minimum(a, need) >= (alike - slack) * np.maximum(a, need)) & (need > 0) & (got > 0)
            pairs = close & (b <= (less + slack) * got)
            total += int(pairs.sum())
            worst = min(worst, float((b / got[pairs]).min(initial=np.inf)))
    return total, worst
