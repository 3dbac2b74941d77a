"""Who lives in the communities of the reference city: numbers, types, incomes, debts, hardship.

All of it is synthetic except what `mianyang/studied_communities.csv` and `mianyang/facts.csv` say.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geodata.reference.layout import FOOTPRINTS, SUB_DISTRICTS, metres, rng

Floats = NDArray[np.float64]

MAIN_CITY_PEOPLE_PER_MIGRANT = 7  # "about 1/7 of the city's people"
LAID_OFF_TOTAL = 35_000  # synthetic; the study: over 25,000 were helped into work
SMALLEST, LARGEST = 800, 12_000
ZONE_COMMUNITIES = {"Gaoxin High-tech Zone": 21, "Fucheng South": 8, "Youxian Fringe": 8}
ZONE_NAMES = {
    "Gaoxin High-tech Zone": "High-tech Zone",
    "Fucheng South": "Economic Zone",
    "Youxian Fringe": "Agricultural Science Zone",
}
# Kind of sub-district -> how many communities of each type it gets; the rest is pure residential.
TYPE_COUNTS = {
    "core": {"old_core": 8, "urban_rural_fringe": 0, "enterprise": 2},
    "inner": {"old_core": 0, "urban_rural_fringe": 0, "enterprise": 5},
    "zone": {"old_core": 0, "urban_rural_fringe": 4, "enterprise": 6},
    "outer": {"old_core": 0, "urban_rural_fringe": 4, "enterprise": 5},
    "fringe": {"old_core": 0, "urban_rural_fringe": 12, "enterprise": 3},
    "town": {"old_core": 2, "urban_rural_fringe": 1, "enterprise": 3},
}
MIGRANT_FACTOR = {"pure_residential": 0.9, "enterprise": 0.8, "urban_rural_fringe": 2.2, "old_core": 1.0}
LAID_OFF_FACTOR = {"pure_residential": 0.8, "enterprise": 3.5, "urban_rural_fringe": 1.4, "old_core": 1.0}
MIN_INCOME_FACTOR = {"pure_residential": 0.9, "enterprise": 1.6, "urban_rural_fringe": 1.3, "old_core": 1.1}


def whole(amounts: Floats, total: int) -> NDArray[np.int64]:
    """Round to whole numbers that sum to `total` (largest remainder; ties to the earlier row)."""
    scaled = amounts * (total / amounts.sum())
    base: NDArray[np.int64] = np.floor(scaled).astype(np.int64)
    order = np.argsort(-(scaled - base), kind="stable")
    base[order[: total - int(base.sum())]] += 1
    return base


def bounded(amounts: Floats, low: Floats | float, high: Floats | float, total: int) -> Floats:
    """Scale amounts so that, clipped to [low, high], they sum to `total`."""
    small, large = 1e-6, 1e6
    for _ in range(200):
        middle = (small * large) ** 0.5
        if np.clip(amounts * middle, low, high).sum() < total:
            small = middle
        else:
            large = middle
    return np.clip(amounts * small, low, high)


def assign_types(frame: pd.DataFrame, centres: Mapping[str, Floats], fixed: Mapping[int, str]) -> list[str]:
    """Type of every community: the old core in the middle, the fringe at the edge, enterprises between.

    `frame` has `sub_district`; `fixed` gives rows whose type is known; they count towards the numbers.
    """
    types = np.array(["pure_residential"] * len(frame), dtype=object)
    chance = rng(21).random(len(frame))
    for sub in SUB_DISTRICTS:
        rows = np.flatnonzero((frame["sub_district"] == sub.name).to_numpy())
        town = FOOTPRINTS[sub.footprint]
        away = np.hypot(*(centres[sub.name] - metres(town.lon, town.lat)).T)
        counts = dict(TYPE_COUNTS[sub.kind])
        free = [k for k in range(len(rows)) if int(rows[k]) not in fixed]
        for row in rows.tolist():
            if row in fixed:
                types[row] = fixed[row]
                counts[fixed[row]] = max(0, counts.get(fixed[row], 0) - 1)
        by_distance = sorted(free, key=lambda k: (away[k], k))
        inner = by_distance[: counts["old_core"]]
        outer = by_distance[len(by_distance) - counts["urban_rural_fringe"] :]
        rest = sorted(set(free) - set(inner) - set(outer), key=lambda k: (chance[rows[k]], k))
        for name, members in (
            ("old_core", inner),
            ("urban_rural_fringe", outer),
            ("enterprise", rest[: counts["enterprise"]]),
        ):
            types[rows[members]] = name
    return [str(word) for word in types]


def populations(main_city: NDArray[np.bool_], migrants_total: int) -> NDArray[np.int64]:
    """Residents: lognormal, clipped; the main city sums to 7 residents per migrant."""
    random = rng(22).standard_normal(len(main_city))
    total = MAIN_CITY_PEOPLE_PER_MIGRANT * migrants_total
    people = np.zeros(len(main_city), dtype=np.int64)
    shape = np.exp(0.45 * random[main_city])
    people[main_city] = whole(bounded(shape, SMALLEST, LARGEST, total), total)
    people[~main_city] = np.rint(np.clip(3000 * np.exp(0.5 * random[~main_city]), SMALLEST, LARGEST))
    return people


def _factor(types: "pd.Series[str]", factors: Mapping[str, float]) -> Floats:
    return np.array([factors[kind] for kind in types], dtype=np.float64)


def add_people(frame: pd.DataFrame, migrants_total: int) -> None:
    """Add population and its groups to `frame` (columns `type` and `main_city` must be there)."""
    random = rng(23)
    count = len(frame)
    main = frame["main_city"].to_numpy(dtype=bool)
    kind = frame["type"]
    people = populations(main, migrants_total)
    frame["population"] = people
    frame["households"] = np.rint(people / (2.6 + 0.4 * random.random(count))).astype(np.int64)
    older = kind.map({"old_core": 0.03, "urban_rural_fringe": -0.01}).fillna(0.0).to_numpy(dtype=float)
    frame["elderly"] = np.rint(people * (0.12 + 0.04 * random.random(count) + older)).astype(np.int64)
    frame["children"] = np.rint(people * (0.13 + 0.05 * random.random(count))).astype(np.int64)
    draw = people * _factor(kind, MIGRANT_FACTOR) * (0.4 + 1.2 * random.random(count))
    migrants = np.zeros(count, dtype=np.int64)
    limit = np.array(0.45 * people[main], dtype=np.float64)
    migrants[main] = whole(bounded(draw[main], 0.0, limit, migrants_total), migrants_total)
    frame["migrants"] = migrants
    draw = people * _factor(kind, LAID_OFF_FACTOR) * (0.5 + random.random(count))
    frame["laid_off"] = whole(
        bounded(draw, 0.0, np.array(0.25 * people, dtype=np.float64), LAID_OFF_TOTAL), LAID_OFF_TOTAL
    )
    share = (0.02 + 0.05 * random.random(count) ** 1.5) * _factor(kind, MIN_INCOME_FACTOR)
    frame["min_income_households"] = np.rint(frame["households"] * share).astype(np.int64)


def add_means(frame: pd.DataFrame) -> None:
    """Add own income and debt: most live on little, a few are rich, some are in debt."""
    random = rng(24)
    count = len(frame)
    income = np.where(random.random(count) < 0.2, 0.0, 30_000 * random.random(count) ** 1.4)
    chance, size = random.random(count), random.random(count)
    outside = frame["type"].isin(["urban_rural_fringe", "enterprise"]).to_numpy()
    order = np.lexsort((np.arange(count), chance + np.where(outside, 0.0, 1.0)))
    income[order[:4]] = 520_000 + 400_000 * size[order[:4]]
    income[order[4:16]] = 60_000 + 150_000 * size[order[4:16]]
    frame["own_income_yuan"] = (np.rint(income / 100) * 100).astype(np.int64)
    debt = np.zeros(count)
    owing = order[20:44]
    debt[owing] = 10_000 + 240_000 * size[owing] ** 2
    frame["debt_yuan"] = (np.rint(debt / 1000) * 1000).astype(np.int64)


def hardship(frame: pd.DataFrame) -> Floats:
    """Hardship from 0 to 1: half from minimum income, three tenths from laid-off people, two from debt.

    0.5 * min(1, share of households on minimum income / 0.10) + 0.3 * min(1, share of people laid off / 0.08)
    + 0.2 * min(1, debt / 300,000 yuan), to three decimals.
    """
    poor = np.minimum(1, frame["min_income_households"] / frame["households"] / 0.10)
    jobless = np.minimum(1, frame["laid_off"] / frame["population"] / 0.08)
    owing = np.minimum(1, frame["debt_yuan"] / 300_000)
    return np.asarray(np.round(0.5 * poor + 0.3 * jobless + 0.2 * owing, 3), dtype=float)
