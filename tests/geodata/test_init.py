"""Starting a city from polygons: real ones that nobody here made, and all that can be wrong with them."""

import os
from pathlib import Path

import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from shapely.geometry import LineString, MultiPolygon, Polygon, box

import geodata.init
from geodata.check import check_city
from geodata.findings import InputError
from geodata.init import init_city
from geodata.init_norms import office_m2
from geodata.init_scenario import base_scenario, size_factor, slug
from geodata.read import read_city
from optimizer.scenario_file import load_scenario

EXAMPLES = Path(libpysal.__file__).parent / "examples"
FILES = {"README.md", "budget_cut.yaml", "city.gpkg", "scenario.yaml"}


def polygons(n: int = 12, size: float = 0.01, **columns: object) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"code": [f"k{i:02d}" for i in range(n)], "pop": np.arange(n) * 100 + 1000, **columns},
        geometry=[
            box(10 + (i % 4) * size, 50 + (i // 4) * size, 10 + (i % 4 + 1) * size, 50 + (i // 4 + 1) * size)
            for i in range(n)
        ],
        crs="EPSG:4326",
    )


def start(frame: gpd.GeoDataFrame, tmp_path: Path, **options: object) -> tuple[Path, list[str]]:
    file = tmp_path / "given.gpkg"
    file.unlink(missing_ok=True)
    frame.to_file(file)
    directory = tmp_path / "my city"
    return directory, init_city(directory, file, **options)  # type: ignore[arg-type]


def refused(frame: gpd.GeoDataFrame, tmp_path: Path, **options: object) -> str:
    with pytest.raises(InputError) as error:
        start(frame, tmp_path, **options)
    assert not (tmp_path / "my city").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["given.gpkg"]
    return "\n".join(finding.text() for finding in error.value.findings)


def test_a_column_of_residents_without_residents_is_named(tmp_path: Path) -> None:
    none = refused(polygons().assign(pop=0), tmp_path)
    assert "pop  is nowhere above 0, so it cannot be the number of residents; correct it, or say which" in none
    some = refused(polygons().drop(columns="pop").assign(pop2020=["some"] * 12), tmp_path)
    assert "pop2020  holds 'some' in row 1, which is no number" in some


@pytest.mark.parametrize(
    ("file", "crs", "columns", "number"),
    [
        ("georgia/G_utm.shp", "EPSG:26916", {}, 159),
        ("stl/stl_hom.shp", "EPSG:4326", {"population": "PO7984", "district": "STATE_NAME"}, 78),
        ("sids2/sids2.shp", "EPSG:4267", {"population": "BIR79"}, 100),
        ("columbus/columbus.shp", "EPSG:4326", {"population": "HOVAL"}, 49),
    ],
)
def test_real_polygons(file: str, crs: str, columns: dict[str, str], number: int, tmp_path: Path) -> None:
    directory = tmp_path / "new" / "city"
    said = init_city(directory, EXAMPLES / file, columns=columns, crs=crs, first_year=2030)
    assert {p.name for p in directory.iterdir()} == FILES
    assert said[0].startswith(f"Polygons     {number} communities of ")
    loaded = load_scenario(directory / "scenario.yaml").scenario
    services = {name: str(service.siting) for name, service in loaded.services.items()}
    city = read_city(loaded.data.path)
    assert len(city.communities) == number
    findings = check_city(city, types=list(loaded.types), services=services)
    assert [f.text() for f in findings if f.severity == "error"] == []
    assert loaded.years == list(range(2030, 2035))
    assert (
        sum(source.role == "district" for source in loaded.sources.values()) == city.communities["district"].nunique()
    )
    assert load_scenario(directory / "budget_cut.yaml").scenario.name.endswith("budget_cut")
    assert city.sites["site"].is_unique
    assert set(city.needs["need"]) == set(services)


def test_limits_reach_the_neighbours_of_large_communities(tmp_path: Path) -> None:
    init_city(tmp_path / "c", EXAMPLES / "georgia" / "G_utm.shp", crs="EPSG:26916")
    large = load_scenario(tmp_path / "c" / "scenario.yaml").scenario
    base = load_scenario("base").scenario
    assert large.services["health"].limit_m > 20 * base.services["health"].limit_m
    assert large.services["affairs"] == base.services["affairs"]
    directory, _ = start(polygons(), tmp_path)
    small = load_scenario(directory / "scenario.yaml").scenario
    assert small.services["health"].limit_m == base.services["health"].limit_m


def test_what_is_taken_and_estimated_is_said(tmp_path: Path) -> None:
    frame = polygons(elderly=np.full(12, 77.0), Name=[f"Place {i}" for i in range(12)], borough=["a"] * 6 + ["b"] * 6)
    directory, said = start(frame, tmp_path)
    text = "\n".join(said)
    for line in (
        "Population   pop",
        "Identifier   code",
        "Name         Name",
        "District     borough",
        "Planned in   EPSG:32632",
    ):
        assert line in text
    readme = (directory / "README.md").read_text(encoding="utf-8")
    assert "synthetic" in readme
    assert "communities: households, children, migrants, laid_off, min_income_households | **synthetic**" in readme
    city = read_city(directory / "city.gpkg")
    assert (city.communities["elderly"] == 77).all()
    assert set(city.communities["district"]) == {"a", "b"}
    assert city.communities["children"].iloc[0] == 200
    norms = base_scenario()["programmes"]["services"]
    row = city.needs[(city.needs["community"] == "k00") & (city.needs["need"] == "elderly")].iloc[0]
    assert row["amount"] == round(77 * norms["elderly"]["need"]["rate"])
    offices = city.sites[city.sites["use"] == "office"]
    assert offices["area_m2"].to_numpy() == pytest.approx(office_m2(city.communities["households"].to_numpy()))


def test_the_same_polygons_give_the_same_city(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        start(polygons(), tmp_path / name, first_year=2030)
    one, two = (read_city(tmp_path / name / "my city" / "city.gpkg") for name in ("a", "b"))
    for table in ("communities", "sites", "needs"):
        pd.testing.assert_frame_equal(pd.DataFrame(one.table(table)), pd.DataFrame(two.table(table)))
    texts = [(tmp_path / name / "my city" / "scenario.yaml").read_text(encoding="utf-8") for name in ("a", "b")]
    assert texts[0] == texts[1]


def test_sub_districts_are_compact_groups(tmp_path: Path) -> None:
    directory, _ = start(polygons(50), tmp_path)
    sizes = read_city(directory / "city.gpkg").communities["sub_district"].value_counts()
    assert len(sizes) == 3
    assert sizes.max() - sizes.min() <= 1


def test_the_newest_population_is_taken(tmp_path: Path) -> None:
    frame = polygons().rename(columns={"pop": "TotPop90"}).assign(POP2000=2000, pop_2010=lambda f: f["TotPop90"])
    _, said = start(frame, tmp_path)
    assert "Population   pop_2010 (the newest; also there: TotPop90, POP2000)" in said


def test_row_numbers_where_no_column_tells_rows_apart(tmp_path: Path) -> None:
    directory, said = start(polygons().assign(code="same"), tmp_path)
    assert any("the row number" in line for line in said)
    assert len(read_city(directory / "city.gpkg").communities) == 12


def test_a_text_table_with_a_column_of_wkt_will_do(tmp_path: Path) -> None:
    frame = polygons()
    table = pd.DataFrame(frame.drop(columns="geometry")).assign(WKT=frame.geometry.to_wkt())
    file = tmp_path / "communities.csv"
    table.to_csv(file, index=False, sep=";", encoding="utf-8-sig")
    init_city(tmp_path / "my city", file, crs="EPSG:4326")
    assert len(read_city(tmp_path / "my city" / "city.gpkg").communities) == 12
    table.drop(columns="WKT").to_csv(file, index=False)
    with pytest.raises(InputError, match="has no geometry; give a file with geometries, or a column of WKT"):
        init_city(tmp_path / "other", file, crs="EPSG:4326")


def test_types_that_are_not_those_of_the_scenario_are_named(tmp_path: Path) -> None:
    _, lines = start(polygons(type=["enterprise", None, "企业"] * 4), tmp_path)
    said = next(line for line in lines if line.startswith("Warning"))
    assert "communities: type = 企业  is no type of the scenario, so the column is left out: every community" in said
    fitting = tmp_path / "fitting"
    fitting.mkdir()
    directory, lines = start(polygons(type=["enterprise", None, " old_core"] * 4), fitting)
    assert not any("type of the scenario" in line for line in lines)
    kinds = read_city(directory / "city.gpkg").communities["type"].value_counts().to_dict()
    assert kinds == {"enterprise": 4, "pure_residential": 4, "old_core": 4}


def test_odd_but_usable_polygons(tmp_path: Path) -> None:
    frame = polygons(name=["A", "A", *"BCDEFGHIJK"])
    frame.loc[0, "geometry"] = MultiPolygon([frame.geometry.iloc[0], box(9, 50, 9.001, 50.001)])
    frame.loc[5, "geometry"] = Polygon([(10.01, 50.01), (10.02, 50.02), (10.02, 50.01), (10.01, 50.02)])
    directory, said = start(frame.to_crs("EPSG:3857"), tmp_path)
    text = "\n".join(said)
    assert "invalid polygons were repaired, in rows 6" in text
    assert "several communities are called A" in text
    assert read_city(directory / "city.gpkg").metric_crs == "EPSG:32632"


def test_populations_in_thousands_are_doubted(tmp_path: Path) -> None:
    _, said = start(polygons().assign(pop=lambda f: f["pop"] / 1000), tmp_path)
    assert any("is it in thousands?" in line for line in said)


def test_bad_populations_and_polygons_all_at_once(tmp_path: Path) -> None:
    frame = polygons().assign(pop=lambda f: f["pop"].astype(float))
    frame.loc[1, "pop"] = np.nan
    frame.loc[2, "pop"] = -5
    text = refused(frame, tmp_path)
    assert "communities, row 2 (k01): pop (population)  is missing" in text
    assert "communities, row 3 (k02): pop (population) = -5  must be 0 or more" in text
    frame = polygons()
    frame.loc[3, "geometry"] = None
    assert "communities, row 4 (k03): geometry is missing" in refused(frame, tmp_path)
    assert "is a Point" in refused(polygons().set_geometry(polygons().representative_point()), tmp_path)


def test_what_is_estimated_from_bad_rows_is_not_complained_of(tmp_path: Path) -> None:
    frame = polygons(4)
    frame["pop"] = [1000, None, -3, 1200]
    frame["code"] = ["a", "a", "b", None]
    said = refused(frame, tmp_path, columns={"community": "code", "population": "pop"})
    assert len(said.splitlines()) == 4, said
    assert all("given.gpkg   communities" in line for line in said.splitlines())


def test_commands_to_go_on_can_be_copied(tmp_path: Path) -> None:
    _, lines = start(polygons(1), tmp_path)
    assert lines[-2].endswith('my city/scenario.yaml"')
    assert 'allot run "' in lines[-1]
    assert any(line.startswith("Polygons     1 community of ") for line in lines)
    assert any(line.endswith("1 district, 1 sub-district") for line in lines)


@pytest.mark.filterwarnings("ignore:Geometry is in a geographic CRS", "ignore:'crs' was not provided")
def test_unclear_columns_and_coordinate_systems(tmp_path: Path) -> None:
    frame = polygons().rename(columns={"pop": "inhabs"})
    text = refused(frame, tmp_path)
    assert "say which one it is (--population COLUMN); columns of numbers are inhabs" in text
    assert "did you mean inhabs?" in refused(frame, tmp_path, columns={"population": "inhab"})
    assert "row 2 (k00): code (community) = k00  is already in row 1" in refused(
        polygons().assign(code=lambda f: ["k00", *f["code"][:1], *f["code"][2:]]),
        tmp_path,
        columns={"community": "code"},
    )
    bare = polygons().set_crs(None, allow_override=True)
    assert "does not say its coordinate system (CRS); declare it (--crs)" in refused(bare, tmp_path)
    assert "look like degrees" in refused(bare, tmp_path, crs="EPSG:32632")
    with pytest.raises(KeyError):
        start(polygons(), tmp_path, columns={"people": "pop"})


def test_files_with_several_layers(tmp_path: Path) -> None:
    file = tmp_path / "two.gpkg"
    polygons().to_file(file, layer="tracts")
    polygons(4).to_file(file, layer="blocks")
    with pytest.raises(InputError, match="has several layers: tracts, blocks; say which one"):
        init_city(tmp_path / "c", file)
    init_city(tmp_path / "c", file, layer="blocks")
    assert len(read_city(tmp_path / "c" / "city.gpkg").communities) == 4
    with pytest.raises(InputError, match="there is no such file"):
        init_city(tmp_path / "d", tmp_path / "nothing.shp")


def test_nothing_is_lost_in_a_folder_that_is_there(tmp_path: Path) -> None:
    directory, _ = start(polygons(), tmp_path)
    (directory / "mine.txt").write_text("mine", encoding="utf-8")
    before = (directory / "scenario.yaml").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="the folder is not empty"):
        start(polygons(4), tmp_path)
    assert (directory / "scenario.yaml").read_text(encoding="utf-8") == before
    start(polygons(4), tmp_path, force=True)
    assert (directory / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert len(read_city(directory / "city.gpkg").communities) == 4
    with pytest.raises(InputError, match="would be replaced"):
        init_city(directory, directory / "city.gpkg", force=True)
    with pytest.raises(InputError, match="is a file"):
        init_city(directory / "mine.txt", directory / "city.gpkg")


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(geodata.init, "_texts", lambda *_: {"scenario.yaml": "x"})
    monkeypatch.setattr(Path, "write_text", full)
    assert "cannot be written (No space left on device)" in refused(polygons(), tmp_path)


def test_names_for_keys() -> None:
    assert slug("My City 2") == "my_city_2"
    assert slug("São Tomé") == "sao_tome"
    assert slug("绵阳") == "city"
    assert slug("绵阳", {"city"}) == "city_2"
    assert slug("12 Oaks", fallback="district") == "district_12_oaks"
    assert len(slug("x" * 99)) <= 40


def test_money_follows_size() -> None:
    assert size_factor(396, 1_600_000, (396, 1_600_000)) == 1
    assert size_factor(198, 3_200_000, (396, 1_600_000)) == pytest.approx(1.25)


def test_the_scenario_is_plain_yaml(tmp_path: Path) -> None:
    directory, _ = start(polygons(), tmp_path)
    data = YAML(typ="safe").load((directory / "scenario.yaml").read_text(encoding="utf-8"))
    assert data["extends"] == "base"
    assert data["data"] == {"path": "city.gpkg"}
    assert data["sources"]["fucheng_finance"] is None
    assert os.linesep == "\n" or b"\r\n" not in (directory / "scenario.yaml").read_bytes()


def test_streets_of_a_file_come_with_the_city(tmp_path: Path) -> None:
    west, south, east, _ = polygons().to_crs("EPSG:32632").total_bounds
    near = LineString([(west, south + 10), (east, south + 10)])
    far = LineString([(west - 50_000, south), (west - 49_000, south)])
    streets = gpd.GeoDataFrame(
        {"osm_id": [7, 8], "highway": ["primary", "path"], "oneway": ["yes", None]},
        geometry=[near, far],
        crs="EPSG:32632",
    )
    streets.to_crs("EPSG:4326").to_file(tmp_path / "osm.geojson")
    directory, said = start(polygons(), tmp_path, streets=tmp_path / "osm.geojson")
    assert any(line.startswith("Streets      1 streets, ") for line in said)
    city = read_city(directory / "city.gpkg")
    assert city.streets["street"].tolist() == ["7"]
    assert city.streets[["one_way", "class"]].to_numpy().tolist() == [[1, "primary"]]
    assert "| streets | `osm.geojson` |" in (directory / "README.md").read_text(encoding="utf-8")
    streets[1:].to_file(tmp_path / "far.geojson")
    with pytest.raises(InputError, match="no street is within 5 km of the communities"):
        init_city(tmp_path / "b", tmp_path / "given.gpkg", streets=tmp_path / "far.geojson")
