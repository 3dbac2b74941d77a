"""Groups of communities that fairness speaks of: who is in them, and what about them cannot be meant."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from geodata.city import City
from geodata.findings import Finding, did_you_mean
from optimizer.guidance import classify, with_derived
from optimizer.scenario import Scenario
from optimizer.scenario_fairness import Group


def members(communities: pd.DataFrame, classes: Sequence[str], groups: Sequence[Group]) -> np.ndarray:
    """(n, groups) who is in which group.

    `communities` has the columns of the data schema plus `office_area_m2`; `classes` (n,) are classes of guidance. A
    column divided by another is 0 where the other is 0. Raises KeyError for an unknown column.
    """
    frame, found = with_derived(communities), np.ones((len(communities), len(groups)), dtype=bool)
    for g, group in enumerate(groups):
        if group.districts:
            found[:, g] &= frame["district"].isin(group.districts).to_numpy()
        if group.types:
            found[:, g] &= frame["type"].isin(group.types).to_numpy()
        if group.classes:
            found[:, g] &= np.isin(np.array(classes, dtype=object), group.classes)
        if group.column and group.at_least is not None:
            value = frame[group.column].to_numpy(dtype=float)
            if group.per:
                per = frame[group.per].to_numpy(dtype=float)
                value = np.divide(value, per, out=np.zeros_like(value), where=per > 0)
            found[:, g] &= value >= group.at_least
    return found


def check_groups(city: City, scenario: Scenario) -> list[Finding]:
    """Return what names something the city has not, groups without communities, and shares that are too large."""
    if scenario.fairness is None or not scenario.fairness.groups:
        return []
    groups = scenario.fairness.groups
    communities = pd.DataFrame(city.communities.drop(columns="geometry"))
    offices = city.sites[city.sites["use"] == "office"].drop_duplicates("community").set_index("community")
    communities["office_area_m2"] = communities["community"].map(offices["area_m2"]).fillna(0.0).astype(float)
    frame = with_derived(communities)
    numbers = [str(c) for c in frame.columns if is_numeric_dtype(frame[c])]
    found: list[Finding] = []
    for g, group in enumerate(groups):
        at = f"fairness.groups.{g}"
        columns = [(key, word) for key, word in (("column", group.column), ("per", group.per)) if word]
        found += [_wrong(f"{at}.{key}", w, "a column of numbers", numbers) for key, w in columns if w not in numbers]
        known = sorted(set(frame["district"]))
        found += [_wrong(f"{at}.districts", w, "a district", known) for w in group.districts if w not in known]
    if found:
        return found
    who = members(communities, classify(communities, scenario.guidance), groups)
    for g in np.flatnonzero(~who.any(axis=0)).tolist():
        found.append(
            Finding(
                "error",
                file="scenario",
                column=f"fairness.groups.{g}",
                value=groups[g].name(g),
                limit="at least one community",
                remedy="widen its conditions or drop the group",
                message="no community is in this group",
            )
        )
    return found or _too_much(who, groups)


def _too_much(who: np.ndarray, groups: Sequence[Group]) -> list[Finding]:
    """Shares of money of groups that share no community, above 1 in sum: the largest first, as many as go together."""
    shares = np.array([group.least_share_of_money or 0.0 for group in groups])
    chosen, taken = list[int](), np.zeros(len(who), dtype=bool)
    for g in np.argsort(-shares, kind="stable").tolist():
        if shares[g] > 0 and not (who[:, g] & taken).any():
            chosen.append(g)
            taken |= who[:, g]
    total = float(shares[chosen].sum())
    if total <= 1 + 1e-9:
        return []
    return [
        Finding(
            "error",
            file="scenario",
            column="fairness.groups",
            value=f"{total:g}",
            limit="1 in sum over groups that share no community",
            remedy="lower least_share_of_money of "
            + ", ".join(f"{groups[g].name(g)} ({shares[g]:g})" for g in sorted(chosen)),
            message="least shares of money are more than all the money",
        )
    ]


def _wrong(at: str, word: str, what: str, known: Sequence[str]) -> Finding:
    return Finding(
        "error",
        file="scenario",
        column=at,
        value=word,
        limit=f"{what} of the city",
        remedy=did_you_mean(word, known) or f"name {what} that is there",
        message=f"there is no {what.split(' ', 1)[1]} {word}",
    )
