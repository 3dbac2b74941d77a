"""Classes of guidance: which programmes may support a community, by the scenario's rules."""

from collections.abc import Mapping, Sequence

import pandas as pd

from optimizer.scenario import GuidanceRule


def classify(communities: pd.DataFrame, rules: Mapping[str, GuidanceRule]) -> list[str]:
    """Return the class of each community: the first rule whose conditions all hold.

    `communities` has the columns of the data schema plus `office_area_m2`. A condition names one of its columns,
    or `own_income_yuan_per_person`; limits are inclusive. Raises KeyError for an unknown column.
    """
    frame = with_derived(communities)
    chosen = [""] * len(frame)
    for name, rule in rules.items():
        fits = pd.Series(True, index=frame.index)
        if rule.types:
            fits &= frame["type"].isin(rule.types)
        for column, limits in rule.when.items():
            if limits.at_least is not None:
                fits &= frame[column] >= limits.at_least
            if limits.at_most is not None:
                fits &= frame[column] <= limits.at_most
        chosen = [old or (name if fit else "") for old, fit in zip(chosen, fits, strict=True)]
    return chosen


def with_derived(communities: pd.DataFrame) -> pd.DataFrame:
    """Return communities with the columns that follow from others."""
    return communities.assign(
        own_income_yuan_per_person=communities["own_income_yuan"] / communities["population"].clip(lower=1)
    )


def condition_columns(rules: Mapping[str, GuidanceRule]) -> Sequence[str]:
    """Return every column the rules look at, in order of mention."""
    return list(dict.fromkeys(column for rule in rules.values() for column in rule.when))
