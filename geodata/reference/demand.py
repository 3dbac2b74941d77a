"""What the communities of the reference city need of each service: norm x people x local variation."""

import geopandas as gpd
import numpy as np
import pandas as pd

from geodata.reference.layout import rng

# Service -> (group of people, units a year per head); the same norms stand in scenarios/base.yaml.
NORMS = {
    "affairs": ("households", 1.5),
    "elderly": ("elderly", 0.3),
    "fitness": ("population", 0.25),
    "health": ("population", 1.0),
    "legal": ("population", 0.05),
    "library": ("population", 2.0),
    "security": ("population", 0.3),
    "training": ("laid_off", 0.5),
}
# Service -> (group, households or population it is a share of, how much more need at a share of 1).
MORE = {
    "affairs": ("min_income_households", "households", 2.0),
    "elderly": ("min_income_households", "households", 1.0),
    "fitness": ("children", "population", 0.5),
    "health": ("elderly", "population", 1.0),
    "legal": ("migrants", "population", 1.0),
    "library": ("children", "population", 1.0),
    "security": ("migrants", "population", 0.8),
    "training": ("migrants", "population", 1.0),
}
NOISE = 0.1  # local variation that has no cause here: at most a tenth more or less


def build_needs(communities: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return community, need, amount (units a year, whole) and persons, sorted by community and need.

    amount = norm x group x (1 + more x share of a needy group) x (1 +- a tenth at random). People concerned
    are all residents; for elderly care the elderly; for training the households of the laid-off (2.6 each)
    and the migrants, at most all residents.
    """
    noise = rng(41).random((len(communities), len(NORMS)))
    people = communities["population"].to_numpy(dtype=float)
    parts = []
    for column, (need, (group, rate)) in enumerate(NORMS.items()):
        needy, whole, more = MORE[need]
        share = communities[needy].to_numpy(dtype=float) / communities[whole].to_numpy(dtype=float)
        factor = (1 + more * share) * (1 + NOISE * (2 * noise[:, column] - 1))
        amount = np.rint(rate * communities[group].to_numpy(dtype=float) * factor)
        persons = people
        if need == "elderly":
            persons = communities["elderly"].to_numpy(dtype=float)
        elif need == "training":
            persons = np.minimum(people, np.rint(2.6 * communities["laid_off"] + communities["migrants"]))
        parts.append(
            pd.DataFrame({"community": communities["community"], "need": need, "amount": amount, "persons": persons})
        )
    needs = pd.concat(parts).sort_values(["community", "need"], ignore_index=True)
    return needs.astype({"amount": np.int64, "persons": np.int64})
