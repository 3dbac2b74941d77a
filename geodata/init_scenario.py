"""The scenario a new city starts with: the base scenario, its money and its distances fitted to the city."""

import io
import math
import re
import unicodedata
from collections.abc import Collection, Mapping
from importlib import resources
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
from ruamel.yaml import YAML

from geodata.groups import neighbour_distance_m
from geodata.init_norms import places
from geodata.street_words import DETOUR

BASE_CITY = "mianyang"
NEIGHBOUR_M = 1000.0  # travel between neighbours which the limits of the base scenario suit


def base_scenario() -> dict[str, Any]:
    """Return the base scenario that ships, as plain data."""
    text = (resources.files("scenarios") / "base.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = YAML(typ="safe").load(text)
    return data


def base_city() -> tuple[int, float]:
    """Return the communities and the people of the city of the base scenario."""
    file = resources.files("geodata") / "reference" / BASE_CITY / f"{BASE_CITY}.gpkg"
    with resources.as_file(file) as path:
        frame = pyogrio.read_dataframe(path, layer="communities", columns=["population"], read_geometry=False)
    return len(frame), float(frame["population"].sum())


def slug(text: str, taken: Collection[str] = (), fallback: str = "city") -> str:
    """Return a key of a scenario made from a text: small letters, digits and `_`, unlike those taken."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").casefold()
    key = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:30].strip("_")
    if not key or not key[0].isalpha():
        key = f"{fallback}_{key}".strip("_")
    number, unique = 2, key
    while unique in taken:
        unique, number = f"{key}_{number}", number + 1
    return unique


def size_factor(communities: int, people: float, base: tuple[int, float]) -> float:
    """Return the size of a (part of a) city relative to the base city: half by communities, half by people.

    Work funds and rooms follow the number of communities, services the number of people.
    """
    return 0.5 * communities / base[0] + 0.5 * people / base[1]


def distance_factor(communities: gpd.GeoDataFrame) -> float:
    """Return by how much the limits of travel are longer than in the base scenario, at least 1.

    The limits of the base scenario suit neighbours 1,000 m apart; where the middle travel between neighbouring
    communities (straight line x 1.3) is longer, the limits are longer in proportion.
    """
    return max(1.0, neighbour_distance_m(places(communities)) * DETOUR / NEIGHBOUR_M)


def _round(value: float, digits: int = 3) -> int:
    """Round up to a few significant digits."""
    if value <= 0:
        return 0
    step = 10 ** max(0, math.floor(math.log10(value)) + 1 - digits)
    return int(math.ceil(value / step - 1e-9) * step)


def sources(base: Mapping[str, Any], communities: gpd.GeoDataFrame, size: tuple[int, float]) -> dict[str, Any]:
    """Return changes to the sources: amounts scaled to the city, the base city's districts replaced by its own."""
    out: dict[str, Any] = {}
    whole = size_factor(len(communities), float(communities["population"].sum()), size)
    there = set(communities["type"])
    district_money = 0.0
    for name, rule in base["sources"].items():
        amount = rule["amount_yuan"]
        first = float(amount[0] if isinstance(amount, list) else amount)
        if rule.get("role") == "district":
            district_money += first
            out[name] = None
            continue
        out[name] = {"amount_yuan": _round(first * whole)}
        if rule.get("districts") or rule.get("communities"):
            out[name] |= {"districts": [], "communities": []}
        if rule.get("types") and not there & set(rule["types"]):
            out[name]["types"] = []
    only = len(set(communities["district"])) == 1
    for district, rows in communities.groupby("district", sort=True):
        part = size_factor(len(rows), float(rows["population"].sum()), size)
        title = "District finance" if only else f"{district} finance"
        out[slug(title, set(out), "district")] = {
            "title": title,
            "role": "district",
            "districts": [str(district)],
            "amount_yuan": _round(district_money * part),
            "growth": 0.03,
        }
    return out


def services(base: Mapping[str, Any], communities: gpd.GeoDataFrame, needs: pd.DataFrame) -> dict[str, Any]:
    """Return changes to services: longer limits for wide cities, smaller smallest stations for small needs."""
    factor = distance_factor(communities)
    where = communities.set_index("community")["district"] + "\n" + communities.set_index("community")["sub_district"]
    out: dict[str, Any] = {}
    for name, rule in base["programmes"]["services"].items():
        changed: dict[str, Any] = {}
        if rule["siting"] == "network" and factor > 1:
            changed["limit_m"] = _round(float(rule["limit_m"]) * factor, 2)
        amounts = needs[needs["need"] == name]
        if rule["siting"] == "network":
            together = amounts.groupby(amounts["community"].map(where))["amount"].sum()
        else:
            together = amounts["amount"]
        least = float(together.min()) / 2 if len(together) else 0.0
        if least < float(rule.get("min_capacity", 0.0)):
            changed["min_capacity"] = math.floor(least) if least >= 1 else 0
        if changed:
            out[name] = changed
    return out


def scenario(
    name: str, title: str, first_year: int, communities: gpd.GeoDataFrame, needs: pd.DataFrame
) -> dict[str, Any]:
    """Return the starter scenario of a city as plain data; it extends the base scenario."""
    base = base_scenario()
    years = int(base["horizon"]["years"])
    programmes: dict[str, Any] = {}
    factor = distance_factor(communities)
    hall = float(base["programmes"].get("space", {}).get("hall_limit_m", 1500.0))
    if factor > 1:
        programmes["space"] = {"hall_limit_m": _round(hall * factor, 2)}
    changed = services(base, communities, needs)
    if changed:
        programmes["services"] = changed
    out = {
        "extends": "base",
        "name": name,
        "title": f"{title} {first_year}-{first_year + years - 1}",
        "description": (
            f"A first scenario for {title}, made from polygons and populations. Budgets follow the base scenario: half "
            "by the number of communities, half by the number of people. Replace what is estimated by what is known."
        ),
        "data": {"path": "city.gpkg"},
        "horizon": {"first_year": first_year},
        "programmes": programmes,
        "sources": sources(base, communities, base_city()),
    }
    return {key: value for key, value in out.items() if value != {}}


def as_yaml(data: Mapping[str, Any], *comments: str) -> str:
    """Return plain data as YAML with comment lines on top."""
    writer = YAML()
    writer.default_flow_style = False
    writer.width = 120
    writer.allow_unicode = True
    writer.representer.add_representer(type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null"))
    stream = io.StringIO()
    writer.dump(dict(data), stream)
    return "".join(f"# {line}\n" for line in comments) + stream.getvalue()
