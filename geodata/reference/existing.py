"""Facilities of the reference city in the study's numbers; their places, capacities and costs are synthetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geodata.reference.buildings import near
from geodata.reference.layout import CRS, SUB_DISTRICTS, rng
from geodata.reference.people import Floats, whole

Ints = NDArray[np.int64]
COLUMNS = ("facility", "name", "kind", "community", "site", "service", "level", "capacity", "area_m2", "running_yuan")
# Floor area per unit of the services that stand at the own office (the same figures as in scenarios/base.yaml).
AREA_PER_UNIT = {"affairs": 0.015, "security": 0.012}


@dataclass(frozen=True)
class Kind:
    """One kind of facility: the key of its number in facts.csv and what it is worth today."""

    fact: str
    kind: str
    service: str
    level: str
    running_yuan: int  # a year each; 0 where others pay
    low: float = 0.0  # share of the need met today: of its community, or (networks) of all
    high: float = 0.0


KINDS = (
    Kind("affairs_centres", "community service centre", "affairs", "centre", 6000, 0.25, 0.25),
    Kind("affairs_stations", "community service station", "affairs", "station", 3000, 0.3, 0.6),
    Kind("affairs_outlets", "community service outlet", "affairs", "outlet", 100, 0.01, 0.02),
    Kind("security_patrols", "security patrol", "security", "station", 1500, 0.3, 0.65),
    Kind("fitness_paths", "fitness path", "fitness", "station", 300, 0.4, 0.9),
    Kind("health_centres", "health service centre", "health", "centre", 30_000, 0.30, 0.30),
    Kind("health_stations", "health and family-planning station", "health", "station", 10_000, 0.22, 0.22),
    Kind("legal_agencies", "legal service agency", "legal", "station", 1000, 0.5, 0.5),
    Kind("libraries", "community library or reading room", "library", "station", 800, 0.5, 0.5),
    Kind("elderly_facilities", "facility for the elderly", "elderly", "outlet", 300, 0.2, 0.3),
    Kind("donation_sites", "donation site", "", "outlet", 0),
    Kind("police_offices", "police office", "", "station", 0),
)


def _spread_over(count: int, weights: Floats, once: bool) -> Ints:
    """How many facilities each community gets: by weight; `once`: none gets two (unless all have one)."""
    share = np.zeros(len(weights), dtype=np.int64)
    if count >= len(weights):
        share += 1
        count -= len(weights)
    if once or count == 0:
        share[np.argsort(-weights, kind="stable")[:count]] += 1
        return share
    return share + whole(weights, count)


def _centres(communities: pd.DataFrame, count: int, offices: Mapping[str, float]) -> Ints:
    """One each in the first `count` sub-districts: where the office is largest."""
    share = np.zeros(len(communities), dtype=np.int64)
    area = communities["community"].map(offices).to_numpy(dtype=float)
    for sub in SUB_DISTRICTS[:count]:
        rows = np.flatnonzero((communities["sub_district"] == sub.name).to_numpy())
        share[rows[area[rows].argmax()]] = 1
    return share


def _health(communities: pd.DataFrame, kind: Kind, count: int) -> Ints:
    """Health centres and stations: spread over the sub-districts, at their most populous communities."""
    share = np.zeros(len(communities), dtype=np.int64)
    people = communities["population"].to_numpy()
    first = 0 if kind.level == "centre" else 1
    order: Sequence[str] = [s.name for s in SUB_DISTRICTS] if first == 0 else [s.name for s in SUB_DISTRICTS[::-1]]
    for number in range(count):
        rows = np.flatnonzero((communities["sub_district"] == order[number % len(order)]).to_numpy())
        ranked = rows[np.argsort(-people[rows], kind="stable")]
        share[ranked[first + 2 * (number // len(order))]] += 1
    return share


def _capacities(kind: Kind, rows: Ints, need: Floats, office: Floats, draw: Floats) -> tuple[Floats, Floats]:
    """Capacity and floor area of each facility; `rows` is the community of each."""
    if not kind.service:
        return np.zeros(len(rows)), np.zeros(len(rows))
    share = kind.low + (kind.high - kind.low) * draw
    if kind.service in {"health", "legal", "library"}:
        local = need[rows] * (0.5 + draw)
        return np.rint(local * kind.low * need.sum() / local.sum()), np.zeros(len(rows))
    capacity = share * need[rows]
    area = np.zeros(len(rows))
    if kind.service in AREA_PER_UNIT and kind.level != "outlet":
        part = {"affairs": 0.55, "security": 0.3}[kind.service] * (0.2 if kind.level == "centre" else 1)
        capacity = np.minimum(capacity, part * office[rows] / AREA_PER_UNIT[kind.service])
        area = np.floor(capacity) * AREA_PER_UNIT[kind.service]
    return np.floor(capacity), np.round(area, 3)


def build_facilities(
    communities: gpd.GeoDataFrame, offices: pd.DataFrame, areas: Mapping[str, float], needs: pd.DataFrame,
    facts: Mapping[str, float],
) -> gpd.GeoDataFrame:  # fmt: skip
    """Return all facilities, sorted by identifier. Their numbers are those of facts.csv."""
    random = rng(51)

    def draw() -> float:
        return float(random.random())

    frame = pd.DataFrame(communities.drop(columns="geometry"))
    amount = needs.pivot_table(index="community", columns="need", values="amount").loc[frame["community"]]
    office = np.array([areas[name] for name in frame["community"]], dtype=np.float64)
    polygons = list(communities.geometry)
    xy = offices[["x", "y"]].to_numpy(dtype=float)
    parts, points = [], []
    for kind in KINDS:
        count = int(facts[kind.fact])
        people = frame["elderly" if kind.service == "elderly" else "population"].to_numpy(dtype=float)
        weights = np.array(people * (0.5 + random.random(len(frame))))
        if kind.fact == "affairs_centres":
            share = _centres(frame, count, areas)
        elif kind.service == "health":
            share = _health(frame, kind, count)
        else:
            share = _spread_over(count, weights, once=kind.level == "station" and bool(kind.service))
        rows = np.repeat(np.arange(len(frame)), share)
        need = np.array(amount[kind.service] if kind.service else np.zeros(len(frame)), dtype=np.float64)
        capacity, area = _capacities(kind, rows, need, office, random.random(len(rows)))
        slug = kind.fact.rstrip("s")
        parts.append(
            pd.DataFrame(
                {
                    "facility": [f"{slug}_{n:04d}" for n in range(1, len(rows) + 1)],
                    "name": [f"{frame['name'][r]}, {kind.kind}" for r in rows],
                    "kind": kind.kind,
                    "community": frame["community"].to_numpy()[rows],
                    "site": "",
                    "service": kind.service,
                    "level": kind.level,
                    "capacity": capacity,
                    "area_m2": area,
                    "running_yuan": kind.running_yuan,
                }
            )
        )
        at_office = bool(kind.service) and kind.level != "outlet"
        for r in rows:
            place = (xy[r, 0], xy[r, 1]) if at_office else near(polygons[r], xy[r, 0], xy[r, 1], 300.0, draw)
            points.append(shapely.Point(place))
    facilities = pd.concat(parts, ignore_index=True)[list(COLUMNS)]
    return gpd.GeoDataFrame(facilities, geometry=points, crs=CRS).sort_values("facility", ignore_index=True)
