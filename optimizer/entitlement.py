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
    care = frame["type"].map({name: kind.care for name, kind in scenario.types.items()}).to_numpy(float)
    factor = 1 + care + rule.care_hardship * frame["hardship"].to_numpy(float)
    wide = with_derived(frame)
    for sign in rule.care_indicators:
        value = wide[sign.column].to_numpy(float)
        value = value / np.maximum(wide[sign.per].to_numpy(float), 1.0) if sign.per else value
        factor = factor + sign.weight * np.clip((value - sign.none_at) / (sign.full_at - sign.none_at), 0, 1)
    due = rule.floor_yuan * factor
    if rule.own_income is not None:
        served = rule.own_income.debt_service_share * frame["debt_yuan"].to_numpy(float)
        left = frame["own_income_yuan"].to_numpy(float) - served - rule.own_income.free_yuan
        due = np.maximum(0.0, due - rule.own_income.share * np.maximum(0.0, left))
    formula = due[:, None] * index[None, :] * supported[:, None]
    entitled = np.floor(formula / unit + 0.5) * unit
    if rule.ceiling_yuan is None:
        return entitled, entitled
    return entitled, np.minimum(entitled, np.floor(rule.ceiling_yuan * index / unit)[None, :] * unit)
