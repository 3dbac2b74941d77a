"""Every bad or odd input that `allot check` names, on a small city that has nothing else wrong."""

import time
from collections.abc import Callable
from pathlib import Path

import eviltransform
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from ruamel.yaml import YAML
from shapely.geometry import LineString, Point, Polygon, box

import scenarios
from geodata.check import check_city
from geodata.findings import Finding
from geodata.read import read_city
from geodata.schema import TABLES

Tables = dict[str, pd.DataFrame]
Found = Callable[[Tables], list[Finding]]


def lines(findings: list[Finding]) -> list[str]:
    return [f"{f.severity}: {f.text().split('   ', 1)[-1]}" for f in findings]


def test_the_small_city_is_correct(tables: Tables, found: Found) -> None:
    assert lines(found(tables)) == []


Change = Callable[[Tables], object]


def put(table: str, row: int, column: str, value: object) -> Change:
    """A change of one cell."""

    def change(tables: Tables) -> None:
        frame = tables[table].copy()
        if column not in frame:
            frame[column] = None
        if column != "geometry":
            frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        tables[table] = frame

    return change


def drop(table: str, *rows: int) -> Change:
    return lambda tables: tables.update({table: tables[table].drop(index=list(rows))})


def add(table: str, row: int, **values: object) -> Change:
    """A copy of a row with some values changed, at the end."""

    def change(tables: Tables) -> None:
        frame = tables[table]
        new = frame.iloc[[row]].assign(**values)
        tables[table] = pd.concat([frame, new], ignore_index=True)

    return change


BOW = Polygon([(104.70, 31.46), (104.71, 31.47), (104.71, 31.46), (104.70, 31.47)])


def widen(layer: str, **columns: list[object]) -> Change:
    """Give a layer more columns."""

    def change(tables: Tables) -> None:
        tables[layer] = tables[layer].assign(**columns)

    return change


def extra(layer: str, columns: dict[str, list[object]], shapes: list[object]) -> Change:
    """Give the city one more layer."""

    def change(tables: Tables) -> None:
        tables[layer] = gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")

    return change


CASES: dict[str, tuple[Change, str]] = {
    "duplicate community": (
        put("communities", 3, "community", "c3"),
        "error: communities, row 4 (东津): community = c3  is already in row 3; give each row an identifier of its own",
    ),
    "duplicate need": (
        add("needs", 1, amount=3.0),
        "error: needs, row 9 (c1, health): community and need = c1, health  is",
    ),
    "duplicate site": (add("sites", 4), "error: sites, row 6 (s1): site = s1  is already in row 5"),
    "no identifier": (put("communities", 1, "community", ""), "error: communities, row 2: community  is missing"),
    "negative population": (
        put("communities", 2, "population", -3),
        "error: communities, row 3 (金菊): population = -3  must be 0 or more",
    ),
    "missing population": (
        put("communities", 2, "population", None),
        "error: communities, row 3 (金菊): population  is missing; give a number",
    ),
    "no number": (
        put("communities", 0, "population", "千"),
        "error: communities, row 1 (开元): population = 千  is no number",
    ),
    "infinite": (put("needs", 0, "amount", "inf"), "error: needs, row 1 (c1): amount = inf  is no"),
    "too large": (put("communities", 0, "hardship", 7), "hardship = 7  must be from 0 to 1"),
    "too many people": (
        put("communities", 1, "population", 1e12),
        "warning: communities, row 2 (顺河): population = 1e+12  is more than anything plausible (10,000,000); check",
    ),
    "too large an office": (
        put("sites", 0, "area_m2", 1e9),
        "warning: sites, row 1 (o1): area_m2 = 1000000000  is more than anything plausible (1,000,000); check it; the",
    ),
    "unknown type": (
        put("communities", 0, "type", "enterprize"),
        "type = enterprize  not among the scenario's types; did you mean enterprise?",
    ),
    "unknown use": (put("sites", 4, "use", "statoin"), "use = statoin  unknown use; did you mean station?"),
    "no use": (put("sites", 4, "use", ""), "error: sites, row 5 (s1): use  is missing; give one of"),
    "unknown instrument": (
        put("sites", 4, "instrument", "buy"),
        "instrument = buy  unknown instrument; use one of build",
    ),
    "unknown level": (put("facilities", 0, "level", "depot"), "level = depot  unknown level; use one of centre"),
    "unknown service": (
        put("facilities", 0, "service", "helth"),
        "service = helth  not among the scenario's services; did",
    ),
    "a need without a service": (put("needs", 0, "need", "sport"), "need = sport  not among the scenario's services"),
    "a need of the scenario": (put("needs", 0, "need", "space"), "remove the row: this need follows from the scenario"),
    "unknown service of a site": (put("sites", 4, "services", "health,libary"), "services = libary  not among"),
    "missing community": (
        put("needs", 0, "community", "c9"),
        "community = c9  there is no such community; add it to communities",
    ),
    "site's community": (
        put("sites", 0, "community", "x"),
        "community = x  there is no such community; add it to communities",
    ),
    "missing site": (put("facilities", 0, "site", "o77"), "site = o77  there is no such site"),
    "no place": (
        put("sites", 0, "geometry", Point(float("inf"), 31.465)),
        "error: sites, row 1 (o1): geometry has coordinates that are no numbers",
    ),
    "null geometry": (put("communities", 1, "geometry", None), "error: communities, row 2 (顺河): geometry is missing"),
    "invalid geometry": (
        put("communities", 0, "geometry", BOW),
        "error: communities, row 1 (开元): geometry is invalid (Self-intersection",
    ),
    "no area": (
        put("communities", 0, "geometry", Polygon([(104.7, 31.46), (104.71, 31.46), (104.7, 31.46)])),
        "error: communities, row 1 (开元): geometry is invalid",
    ),
    "overlap": (
        put("communities", 0, "geometry", box(104.70, 31.46, 104.711, 31.47)),
        "warning: communities, row 1 (开元): 10% of the smaller  overlaps 顺河 by 0.11 km2; draw the border",
    ),
    "slivers": (
        put("communities", 0, "geometry", box(104.70, 31.46, 104.71001, 31.47)),
        "warning: communities: 1 sliver of overlap, together 1,0",
    ),
    "gap": (
        put("communities", 0, "geometry", box(104.70, 31.46, 104.71, 31.47) - box(104.701, 31.461, 104.702, 31.462)),
        "warning: communities: 1 gap between the communities, together 10,5",
    ),
    "second office": (
        add("sites", 0, site="o9"),
        "error: sites, row 6 (o9): use = office  is a second office of c1; the first is o1",
    ),
    "no office": (drop("sites", 3), "warning: communities, row 4 (东津): has no office"),
    "negative office": (put("sites", 0, "area_m2", -5.0), "error: sites, row 1 (o1): area_m2 = -5  must be 0 or more"),
    "far from its community": (
        put("sites", 4, "geometry", Point(104.735, 31.465)),
        "warning: sites, row 5 (s1): community = c2  lies 1,425 m outside its community, in 东津; move it",
    ),
    "outside everything": (
        put("facilities", 0, "geometry", Point(104.72, 31.48)),
        "warning: facilities, row 1 (f1): community = c1  lies 1,460 m outside its community; move it",
    ),
    "elderly": (
        put("communities", 0, "elderly", 1200),
        "error: communities, row 1 (开元): elderly = 1200  is more than the population; check it and population = 1000",
    ),
    "migrants": (
        put("communities", 0, "migrants", 1200),
        "warning: communities, row 1 (开元): migrants = 1200  is more",
    ),
    "elderly and children": (
        put("communities", 0, "children", 950),
        "error: communities, row 1 (开元): elderly = 1050  and children together are more than the population",
    ),
    "minimum income": (
        put("communities", 0, "min_income_households", 500),
        "min_income_households = 500  is more than its hou",
    ),
    "smallest part": (
        put("sites", 4, "min_area_m2", 400),
        "error: sites, row 5 (s1): min_area_m2 = 400  is above the area; it must be at most area_m2",
    ),
    "nothing to take": (put("sites", 4, "area_m2", 0.0), "min_area_m2 = 60  is above the area"),
    "no year": (put("sites", 4, "first_year", 207), "error: sites, row 5 (s1): first_year = 207  is no calendar year"),
    "half a year": (put("sites", 4, "first_year", 2007.5), "first_year = 2007.5  is no whole number"),
    "instrument and use": (
        put("sites", 0, "instrument", "rent"),
        "instrument = rent  does not go with use = office; use exist",
    ),
    "own service in a building": (
        put("sites", 4, "services", "affairs,health"),
        "services = affairs,health  own services (affairs) stand only",
    ),
    "no capacity": (
        put("facilities", 0, "capacity", 0.0),
        "warning: facilities, row 1 (f1): capacity = 0  serves nobody",
    ),
    "another community's site": (put("facilities", 0, "site", "o2"), "site = o2  lies in c2, the facility in c1"),
    "persons": (
        put("needs", 0, "persons", 2000.0),
        "warning: needs, row 1 (c1, affairs): persons = 2000  is more than the population (1000); so for affairs",
    ),
    "no needs": (drop("needs", 6, 7), "warning: communities, row 4 (东津): has no needs of services"),
    "nobody lives there": (
        put("communities", 3, "population", 0.0),
        "warning: communities, row 4 (东津): population = 0  nobody lives here, yet it is due work funds and rooms",
    ),
    "nobody needs it": (
        drop("needs", 0, 2, 4, 6),
        "warning: needs: need = affairs  nobody needs affairs, a service of",
    ),
    "same names": (
        put("communities", 1, "name", "开元"),
        "warning: communities: name  several communities are called 开元",
    ),
    "streets apart": (
        put("streets", 1, "geometry", LineString([(104.715, 31.464), (104.725, 31.464)])),
        "warning: streets: 2 parts not connected with the rest, ",
    ),
    "far from streets": (
        drop("streets", 0, 1),
        "warning: streets: communities farther than 1,000 m from any street: 1 (开元)",
    ),
    "short streets": (
        put("streets", 0, "length_m", 0.95),
        "warning: streets, row 1 (a): length_m = 1  is shorter than the st",
    ),
    "lease of an own station": (
        add("facilities", 0, facility="f9", service="affairs", lease_until=2011),
        "warning: facilities, row 2 (f9): lease_until = 2011  does nothing here",
    ),
    "lease of what must stay": (
        add("facilities", 0, facility="f9", site="", lease_until=2011, must="keep"),
        "facilities, row 2 (f9): lease_until = 2011  cannot be where it must stay",
    ),
    "two leases in one building": (
        add("facilities", 0, facility="f9", lease_until=2011),
        "facilities, row 2 (f9): lease_until = 2011  is not what f1 in the same building says",
    ),
    "must do what": (put("facilities", 0, "must", "vanish"), "facilities, row 1 (f1): must = vanish  unknown must"),
    "an office that must be taken": (
        put("sites", 0, "must", "take"),
        "sites, row 1 (o1): must = take  is for buildings",
    ),
    "bad direction": (
        widen("streets", oneway=["yes", "sideways", None]),
        "streets, row 2 (b): oneway (one_way) = sideways  says",
    ),
    "bad speed": (
        widen("streets", speed_kmh=["30", "500", ""]),
        "streets, row 2 (b): speed_kmh = 500  is no speed of a street",
    ),
    "bad bridge": (
        widen("streets", bridge=["no", "maybe", "yes"]),
        "streets, row 2 (b): bridge = maybe  says neither yes nor no",
    ),
    "closed to walkers": (
        widen("streets", highway=["motorway"] * 3),
        "streets: no street is open for walking; check class and barriers",
    ),
    "a river across": (
        extra("barriers", {"name": ["Fu"]}, [LineString([(104.71, 31.4), (104.71, 31.5)])]),
        "warning: streets: 1 segment is closed where it crosses a barrier",
    ),
    "a point as a river": (extra("barriers", {}, [Point(104.71, 31.46)]), "barriers, row 1: geometry is a Point"),
    "people of nowhere": (
        extra("people", {"community": ["cx"], "persons": [3]}, [Point(104.71, 31.46)]),
        "people, row 1 (1): community = cx  there is no such community",
    ),
    "people without a number": (
        extra("people", {"community": ["c1"], "persons": [None]}, [Point(104.71, 31.46)]),
        "people, row 1 (1): persons  is missing",
    ),
    "people below zero": (
        extra("people", {"community": ["c1"], "persons": [-1]}, [Point(104.71, 31.46)]),
        "people, row 1 (1): persons = -1",
    ),
    "people far from streets": (
        extra("people", {"community": ["c2"], "persons": [9]}, [Point(104.715, 31.49)]),
        "warning: streets: communities farther than 1,000 m from any street: 1 (顺河)",
    ),
    "bad boolean": (put("communities", 0, "main_city", "maybe"), "main_city = maybe  is neither true nor false"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_named(case: str, tables: Tables, found: Found) -> None:
    change, expected = CASES[case]
    change(tables)
    got = lines(found(tables))
    assert any(expected in line for line in got), "\n".join(got)


def test_everything_at_once_errors_first(tables: Tables, found: Found) -> None:
    for case in ("negative population", "no office", "unknown use", "missing site", "persons"):
        CASES[case][0](tables)
    got = found(tables)
    assert {f.layer for f in got} >= {"communities", "sites", "facilities", "needs"}
    severities = [f.severity for f in got]
    assert severities == sorted(severities)


def test_all_zero_and_thousands(tables: Tables, found: Found) -> None:
    tables["communities"] = tables["communities"].assign(population=[1.0, 2, 3, 4], elderly=0.0)
    assert any("is it in thousands?" in line for line in lines(found(tables)))
    tables["communities"] = tables["communities"].assign(population=0.0)
    assert any("population  is 0 everywhere" in line for line in lines(found(tables)))


def test_a_table_that_could_not_be_read_is_not_held_against_the_others(tables: Tables, found: Found) -> None:
    tables["sites"] = tables["sites"].drop(columns="use")
    tables.pop("needs")
    got = lines(found(tables))
    assert len(got) == 2, got


def test_sites_in_another_place_give_one_finding(tables: Tables, found: Found) -> None:
    away = tables["sites"].geometry.translate(xoff=10)
    tables["sites"] = tables["sites"].set_geometry(away)
    got = lines(found(tables))
    assert sum("sites: lie " in line and "km away from the communities" in line for line in got) == 1
    assert not any("outside its community" in line and "sites" in line for line in got)


def test_no_building_for_a_network_service(tables: Tables, found: Found) -> None:
    CASES["no capacity"][0](tables)
    drop("sites", 4)(tables)
    assert any("no building and no facility can give health" in line for line in lines(found(tables)))


def test_district_not_in_the_table(tables: Tables, found: Found) -> None:
    tables["districts"] = gpd.GeoDataFrame({"district": ["Fucheng"]}, geometry=[box(104, 31, 105, 32)], crs="EPSG:4326")
    assert any("city: not in the table districts" in line for line in lines(found(tables)))


def grid_city(tables: Tables, shift: bool) -> None:
    """Facilities along a grid of streets 400 m apart, shifted as GCJ-02 is or not."""
    x = np.linspace(104.70, 104.74, 10)
    y = np.linspace(31.46, 31.47, 4)
    segments = [LineString([(a, y[0]), (a, y[-1])]) for a in x] + [LineString([(x[0], b), (x[-1], b)]) for b in y]
    tables["streets"] = gpd.GeoDataFrame({"street": range(len(segments))}, geometry=segments, crs="EPSG:4326")
    random = np.random.default_rng(1)
    places = [(random.choice(x), random.uniform(y[0], y[-1])) for _ in range(20)]
    places += [(random.uniform(x[0], x[-1]), random.choice(y)) for _ in range(20)]
    points = [Point(*reversed(eviltransform.wgs2gcj(b, a))) if shift else Point(a, b) for a, b in places]
    homes = [f"c{min(4, int((a - 104.70) / 0.01) + 1)}" for a, _ in places]
    tables["facilities"] = gpd.GeoDataFrame(
        {"facility": [f"f{i}" for i in range(40)], "community": homes}, geometry=points, crs="EPSG:4326"
    )


def test_gcj02_is_recognised_by_the_streets(tables: Tables, found: Found) -> None:
    grid_city(tables, shift=True)
    got = [line for line in lines(found(tables)) if "GCJ-02" in line]
    assert len(got) == 1
    assert got[0].startswith("error: facilities: coordinates look like GCJ-02 (median shift ")
    assert "declare crs: GCJ-02 (data.layers.facilities.crs)" in got[0]
    grid_city(tables, shift=False)
    assert not any("GCJ-02" in line for line in lines(found(tables)))


def test_the_reference_city_is_checked_in_five_seconds() -> None:
    base = YAML(typ="safe").load(scenarios.path("base").read_text(encoding="utf-8"))
    services = {name: rule["siting"] for name, rule in base["programmes"]["services"].items()}
    began = time.process_time()
    city = read_city("mianyang")
    findings = check_city(city, types=list(base["types"]), services=services)
    assert time.process_time() - began < 5
    assert [f.text() for f in findings if f.severity == "error"] == []


def test_hostile_cells_are_only_text(tables: Tables, found: Found, tmp_path: Path) -> None:
    put("communities", 0, "type", "=cmd()|'<script>'\n" + "x" * 200)(tables)
    finding = next(f for f in found(tables) if f.column == "type")
    assert "\n" not in finding.text()
    assert len(finding.value) <= 60


def test_invalid_cities_never_raise(tables: Tables, found: Found) -> None:
    """All geometries of a table missing, then all rows of the optional tables gone."""
    nothing = gpd.GeoSeries([None] * 5, crs="EPSG:4326")
    tables["sites"] = tables["sites"].set_geometry(nothing)
    assert sum("geometry is missing" in line for line in lines(found(tables))) == 5
    for name in ("facilities", "streets"):
        tables.pop(name)
    assert found(tables)
    assert set(TABLES) > set(tables)
    assert shapely.is_missing(tables["sites"].geometry.to_numpy()).all()


def test_a_community_without_polygon_and_office(tables: Tables, found: Found) -> None:
    put("communities", 3, "geometry", None)(tables)
    drop("sites", 3)(tables)
    got = lines(found(tables))
    assert any("geometry is missing" in line for line in got)
    assert any("has no office" in line for line in got)
