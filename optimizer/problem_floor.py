"""What the floor of offices is used for, so that no room counts twice: equations (5) and (12)."""

import numpy as np
import pandas as pd

from geodata.city import City
from optimizer.problem import Floats
from optimizer.scenario import Scenario


def office_floor(city: City, scenario: Scenario, frame: pd.DataFrame, own_m2: Floats) -> tuple[Floats, Floats]:
    """Return (n,) office area that counts towards the target (5), and what new own stations may use of it (12), in m2.

    `frame` has `office` and `office_area_m2` of every community; `own_m2` (n,) is what its own stations use. Facilities
    whose `site` names the office have their floor in it: that of network outlets serves the community, so only new
    stations cannot have it; that of shared stations (with what they may grow into) and of all else is not the
    community's.
    """
    facilities = city.facilities
    own = {name for name, service in scenario.services.items() if service.siting == "own"}
    inside = facilities[~facilities["service"].isin(own)]
    floor = inside["area_m2"].to_numpy(float) + inside["spare_m2"].to_numpy(float)
    outlet = (inside["level"] == "outlet").to_numpy(bool)
    mine = [
        pd.Series(np.where(keep, floor, 0.0)).groupby(inside["site"].to_numpy()).sum() for keep in (outlet, ~outlet)
    ]
    outlets, others = (frame["office"].map(m2).fillna(0.0).to_numpy(float) for m2 in mine)
    area = frame["office_area_m2"].to_numpy(float)
    return np.maximum(0.0, area - others), np.maximum(0.0, area - others - outlets - own_m2)
