"""What communities are entitled to, equations (3) and (4), before any problem is made of it."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from geodata.city import City
from optimizer.guidance import with_derived
from optimizer.scenario import Scenario

Floats = npt.NDArray[np.float64]


def communities_with_offices(city: City) -> pd.DataFrame:
    """Communities with `office` (site of the own office, else the community) and `office_area_m2`."""
    frame = pd.DataFrame(city.communities.drop(columns="geometry"))
    offices = city.sites[city.sites["use"] == "office"].drop_duplicates("community").set_index("community")
    site, area = offices["site"].to_dict(), offices["area_m2"].to_dict()
    frame["office"] = [site.get(community, community) for community in frame["community"]]
    frame["office_area_m2"] = [float(area.get(community, 0.0)) for community in frame["community"]]
    return frame


def entitlements(
    frame: pd.DataFrame, scenario: Scenario, supported: np.ndarray, index: Floats
) -> tuple[Floats, Floats]:
    """Entitlement and largest grant per community and year, equations (3) and (4), in whole units of the currency."""
    rule, unit = scenario.programmes.work_funds, scenario.currency.unit_yuan
    factor = np.ones(len(frame))
    for _, part in care_parts(frame, scenario):
        factor = factor + part
    due = np.maximum(0.0, rule.floor_yuan * factor - counted_income(frame, scenario))
    formula = due[:, None] * index[None, :] * supported[:, None]
    entitled = np.floor(formula / unit + 0.5) * unit
    if rule.ceiling_yuan is None:
        return entitled, entitled
    return entitled, np.minimum(entitled, np.floor(rule.ceiling_yuan * index / unit)[None, :] * unit)


def care_parts(frame: pd.DataFrame, scenario: Scenario) -> list[tuple[str, Floats]]:
    """What the floor is raised by, as shares of it per community, equation (3): by `type`, `hardship`, each indicator.

    An indicator is called by its column, and the column it is divided by.
    """
    rule = scenario.programmes.work_funds
    kind = np.array([scenario.types[name].care for name in frame["type"]], dtype=float)
    parts: list[tuple[str, Floats]] = [("type", kind)]
    parts.append(("hardship", rule.care_hardship * frame["hardship"].to_numpy(float)))
    wide = with_derived(frame)
    for sign in rule.care_indicators:
        value = wide[sign.column].to_numpy(float)
        value = value / np.maximum(wide[sign.per].to_numpy(float), 1.0) if sign.per else value
        level = np.clip((value - sign.none_at) / (sign.full_at - sign.none_at), 0, 1)
        parts.append((f"{sign.column} per {sign.per}" if sign.per else sign.column, sign.weight * level))
    return parts


def counted_income(frame: pd.DataFrame, scenario: Scenario) -> Floats:
    """Own income of each community a year that stands in for work funds, equation (3), before prices rise."""
    rule = scenario.programmes.work_funds.own_income
    if rule is None:
        return np.zeros(len(frame))
    served = rule.debt_service_share * frame["debt_yuan"].to_numpy(float)
    left = frame["own_income_yuan"].to_numpy(float) - served - rule.free_yuan
    return np.asarray(rule.share * np.maximum(0.0, left), dtype=float)
