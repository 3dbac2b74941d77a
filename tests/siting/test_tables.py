"""Tables of clients, sites and costs; the command that reads them."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import Point
from typer.testing import CliRunner

from optimizer import siting
from optimizer.cli import app
from optimizer.siting import tables

DEMAND = "id,x,y,weight,demand\n东街,0,0,1,2\nB,2,0,1,2\nC,6,0,1,2\nD,7,0,1,2\n"
SITES = "id,x,y,capacity,fixed_cost,existing\nP,0,0,3,1,0\nQ,4,0,9,9,0\nR,7,0,5,1,1\n"
COSTS = "client,site,cost\n东街,P,0\n东街,Q,4\nB,P,2\nB,Q,2\nC,Q,2\nC,R,1\nD,R,0\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("demand.csv", DEMAND), ("sites.csv", SITES), ("costs.csv", COSTS)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def site(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["site", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


POINTS = ("--demand", "demand.csv", "--sites", "sites.csv")


def test_points_become_distances(folder: Path) -> None:
    data = tables.from_points(tables.read("demand.csv"), tables.read("sites.csv"))
    assert data.cost.tolist() == [[0, 4, 7], [2, 2, 5], [6, 2, 1], [7, 3, 0]]
    assert data.clients[0] == "东街"
    assert data.existing is not None
    assert data.existing.tolist() == [2]


def test_layers_in_degrees_are_measured_in_metres() -> None:
    places = {"id": ["a", "b"], "geometry": [Point(104.7, 31.4), Point(104.8, 31.4)]}
    layer = gpd.GeoDataFrame(places, crs="EPSG:4326")
    data = tables.from_points(layer, layer)
    assert data.cost[0, 1] == pytest.approx(9510, rel=0.005)


def test_pairs_that_are_not_in_the_table_are_forbidden(folder: Path) -> None:
    data = tables.from_costs(tables.read("costs.csv"), tables.read("demand.csv"), tables.read("sites.csv"))
    assert np.isinf(data.cost).sum() == 5
    assert data.cost[2].tolist() == [np.inf, 2, 1]
    alone = tables.from_costs(tables.read("costs.csv"))
    assert alone.sites == ("P", "Q", "R")


def test_mistakes_in_tables_are_said_by_name_all_at_once() -> None:
    demand = pd.DataFrame({"id": ["a", "b", "b"], "x": [0, 1, 1], "y": [0, "one", 1], "weight": [1, -2, 1]})
    sites = pd.DataFrame({"id": ["p", "q"], "x": [5, 5], "y": [5, 5], "capacity": ["", 3]})
    with pytest.raises(siting.SitingInputError) as wrong:
        tables.from_points(demand, sites)
    codes = set(wrong.value.codes)
    assert codes == {"id_twice", "not_a_number", "negative", "duplicate_coordinates"}
    assert "p and q" in str(wrong.value)
    assert "one" in str(wrong.value)


def test_duplicate_coordinates_may_be_allowed() -> None:
    sites = pd.DataFrame({"id": ["p", "q"], "x": [5, 5], "y": [5, 5]})
    assert tables.from_points(sites, sites, allow_duplicates=True).cost.tolist() == [[0, 0], [0, 0]]


def test_mistakes_in_a_table_of_costs() -> None:
    costs = pd.DataFrame({"client": ["a", "a", "z"], "site": ["p", "p", "p"], "cost": [1, 2, "?"]})
    with pytest.raises(siting.SitingInputError) as wrong:
        tables.from_costs(costs, pd.DataFrame({"id": ["a"]}))
    assert set(wrong.value.codes) == {"unknown", "pair_twice", "not_a_number"}
    with pytest.raises(siting.SitingInputError, match="client, site, cost"):
        tables.from_costs(pd.DataFrame({"from": ["a"]}))


def test_degrees_in_columns_are_refused() -> None:
    places = pd.DataFrame({"id": ["a"], "lon": [104.7], "lat": [31.4]})
    with pytest.raises(siting.SitingInputError, match="degrees"):
        tables.from_points(places, places)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (("p-median", *POINTS, "-p", "2"), 3),
        (("p-center", *POINTS, "-p", "2"), 2),
        (("lscp", *POINTS, "--limit", "4"), 2),
        (("mclp", *POINTS, "--limit", "1", "-p", "2"), 3),
        (("backup-coverage", *POINTS, "--limit", "7", "-p", "2"), 4),
        (("cflp", *POINTS), 6.5),
        (("capacitated-p-median", *POINTS, "-p", "3"), 3),
        (("p-dispersion", "--sites", "sites.csv", "-p", "2"), 7),
        (("p-median", "--costs", "costs.csv", "-p", "2"), 3),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_every_model_from_the_command_line(folder: Path, words: tuple[str, ...], value: float) -> None:
    code, output = site(*words, "--json")
    assert code == 0, output
    said = json.loads(output)
    assert said["value"] == pytest.approx(value)
    assert said["status"] == "optimal"
    code, output = site(*words)
    assert (code, "proven best" in output) == (0, True)


def test_tables_are_left_whole_and_nothing_is_written_over(folder: Path) -> None:
    code, _ = site("cflp", *POINTS, "--out", "choice")
    assert code == 0
    shares = pd.read_csv(folder / "choice" / "assignments.csv")
    assert shares.groupby("client")["share"].sum().tolist() == pytest.approx([1] * 4)
    assert pd.read_csv(folder / "choice" / "sites.csv")["open"].tolist() == [1, 0, 1]
    assert json.loads((folder / "choice" / "site.json").read_text(encoding="utf-8"))["model"] == "cflp"
    before = (folder / "choice" / "sites.csv").read_bytes()
    assert site("cflp", *POINTS, "--out", "choice")[0] == 2
    assert (folder / "choice" / "sites.csv").read_bytes() == before
    assert site("lscp", *POINTS, "--limit", "0.5", "--out", "none")[0] == 2
    assert not (folder / "none").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("p-median", *POINTS), 2, "needs -p"),
        (("lscp", *POINTS), 2, "needs --limit"),
        (("lscp", *POINTS, "--limit", "3", "-p", "2"), 2, "takes no -p"),
        (("p-median", *POINTS, "-p", "2", "--limit", "3"), 2, "takes no --limit"),
        (("p-median", "-p", "2"), 2, "--demand and --sites, or --costs"),
        (("p-dispersion", *POINTS, "-p", "2"), 2, "sites alone"),
        (("p-median", *POINTS, "-p", "9"), 2, "there are 3"),
        (("p-median", *POINTS, "-p", "2", "--column", "weights=x"), 2, "one of weight"),
        (("p-median", *POINTS, "-p", "2", "--column", "weight=people"), 2, "no column people"),
        (("p-median", "--demand", "demand.csv", "--sites", "gone.csv", "-p", "2"), 2, "no such file"),
        (("p-median", *POINTS, "-p", "2", "--column", "weight=a", "--column", "weight=b"), 2, "twice"),
        (("p-median", "--demand", "lost.csv", "--sites", "gone.csv", "-p", "2"), 2, "2 errors"),
        (("lscp", *POINTS, "--limit", "1"), 2, "client B"),
        (("lscp", *POINTS, "--limit", "-1"), 2, "1 error,"),
        (("p-median", "--costs", "costs.csv", "-p", "1"), 1, "at least 2 are needed"),
        (("backup-coverage", *POINTS, "--limit", "4", "-p", "1"), 1, "No plan"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_cannot_be_done_is_said_in_words(folder: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done, output = site(*words)
    assert (done, said in output) == (code, True), output
    assert "Traceback" not in output


def test_a_row_with_other_than_the_named_fields_is_refused(folder: Path) -> None:
    for name, text, lines in (
        ("more.csv", "id,x,y\nA,0,10,5\n", "line 2;"),
        ("all.csv", "id,x,y\nA,0,10,5\nB,0,10,6\n", "line 2, 3;"),
        ("less.csv", "id,x,y\nA,0,10\n\nB,0\n", "line 4;"),
        ("some.csv", "id,x,y\nA,0,10,\nB,0,10\n", "line 2;"),
    ):
        (folder / name).write_text(text, encoding="utf-8")
        with pytest.raises(siting.SitingInputError, match=f"{name}: .*names 3 columns.*{lines}"):
            tables.read(name)


@pytest.mark.parametrize(
    "text",
    [
        "id,x,y\nA,0,10,\nB,5,6,\n",
        "id,x,y,\nA,0,10,\nB,5,6\n",
        "\ufeffid;x;y\n\nA;0;10\n\nB;5;6\n",
        '"id"\t"x"\t"y"\r\nA\t0\t10\r\nB\t5\t6\r\n',
    ],
    ids=["ends of rows", "ends of lines", "semicolons", "tabs"],
)
def test_ways_of_writing_a_table_that_mean_the_same(folder: Path, text: str) -> None:
    (folder / "way.csv").write_bytes(text.encode())
    table = tables.read("way.csv")
    assert table.to_dict("list") == {"id": ["A", "B"], "x": ["0", "5"], "y": ["10", "6"]}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "first line is blank"),
        ("a.csv", "\nid,x,y\nA,0,0\n", "first line is blank"),
        ("a.csv", "id,x,y\n", "has no rows"),
        ("a.csv", 'id,x,y\n"A,0,0\n', "cannot be read"),
        ("a.csv", "id,x,y,x\nA,0,0,1\n", "named twice: x"),
        ("a.csv", "id,geometry\nA,POINT (0 0)\n", "no columns x and y"),
        ("a.geojson", '{"type": "FeatureCollection", "features": []}', "has no rows"),
        ("a.geojson", "{", "cannot be read"),
        ("a.parquet", "id", "cannot be read"),
        ("a.csv", "id,x,y\nA,0,0\n,1,1\n ,2,2\n", "demand row 2, 3 below the names: id is blank"),
    ],
)
def test_files_that_hold_no_table_are_named(folder: Path, name: str, text: str, said: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    code, output = site("p-median", "--demand", name, "--sites", "sites.csv", "-p", "1")
    assert (code, said in output) == (2, True), output


@pytest.mark.parametrize("system", ["EPSG:4326", "EPSG:3857", "EPSG:2263", "EPSG:32618"])
@pytest.mark.parametrize("file", ["layer.gpkg", "layer.parquet"])
def test_layers_are_measured_in_metres_whatever_their_system(folder: Path, system: str, file: str) -> None:
    places = {"id": ["a", "b"], "x": [-74, -73.99], "y": [40.7, 40.7]}
    layer = gpd.GeoDataFrame(places, geometry=[Point(-74, 40.7), Point(-73.99, 40.7)], crs="EPSG:4326").to_crs(system)
    layer.to_parquet(file) if file.endswith("parquet") else layer.to_file(file)
    data = tables.from_points(tables.read(file), tables.read(file))
    assert data.cost[0, 1] == pytest.approx(845, rel=0.002)
    assert tables.from_sites(tables.read(file)).cost[0, 1] == data.cost[0, 1]


def test_a_layer_that_cannot_be_placed_is_refused() -> None:
    lost = gpd.GeoDataFrame({"id": ["a", "b"]}, geometry=[Point(1, 2), None], crs="EPSG:4326")
    far = gpd.GeoDataFrame({"id": ["a", "b"]}, geometry=[Point(1e9, 2), Point(1, 1e9)], crs="EPSG:4326")
    other = gpd.GeoDataFrame({"id": ["a"]}, geometry=[Point(1, 2)], crs='LOCAL_CS["here",UNIT["metre",1]]')
    for layer, code in ((lost, "no_geometry"), (far, "no_geometry"), (other, "crs")):
        with pytest.raises(siting.SitingInputError) as wrong:
            tables.from_sites(layer)
        assert wrong.value.codes == (code,)


def test_tables_in_parquet_need_no_geometries(folder: Path) -> None:
    for name in ("demand", "sites", "costs"):
        pd.read_csv(f"{name}.csv").to_parquet(f"{name}.parquet")
    files = ("--demand", "demand.parquet", "--sites", "sites.parquet", "--costs", "costs.parquet")
    code, output = site("p-median", *files, "-p", "2", "--json")
    assert (code, json.loads(output)["value"]) == (0, 3)


def test_dates_and_what_is_missing_are_no_numbers() -> None:
    costs = pd.DataFrame({"client": ["a", None], "site": ["p", " "], "cost": pd.array([1, None], dtype="Int64")})
    with pytest.raises(siting.SitingInputError) as wrong:
        tables.from_costs(costs)
    assert wrong.value.codes == ("no_id", "no_id", "not_a_number")
    for bad in (pd.to_datetime(["2020-01-01"]), pd.to_timedelta([3]), [1j]):
        with pytest.raises(siting.SitingInputError) as wrong:
            tables.from_costs(pd.DataFrame({"client": ["a"], "site": ["p"], "cost": bad}))
        assert wrong.value.codes == ("not_a_number",)


def test_sites_stand_or_not() -> None:
    sites = pd.DataFrame({"id": list("pqrs"), "x": range(4), "y": range(4), "existing": ["1", "no", "TRUE", "0.0"]})
    data = tables.from_sites(sites)
    assert data.existing is not None
    assert data.existing.tolist() == [0, 2]
    flags = tables.from_sites(sites.assign(existing=[True, False, False, True])).existing
    assert flags is not None
    assert flags.tolist() == [0, 3]
    with pytest.raises(siting.SitingInputError, match="sites p, r, s: existing = 2: is neither 0 nor 1"):
        tables.from_sites(sites.assign(existing=["2", "0", "", "0.5"]))


@pytest.mark.parametrize("column", ["weight=weight", "capacity=capacity", "existing=stands"])
def test_a_column_that_is_named_must_be_there(folder: Path, column: str) -> None:
    (folder / "plain.csv").write_text("id,x,y\nP,0,0\nQ,4,0\n", encoding="utf-8")
    plain = ("--demand", "plain.csv", "--sites", "plain.csv")
    name = column.partition("=")[2]
    code, output = site("p-median", *plain, "-p", "1", "--column", column)
    assert (code, f"there is no column {name}" in output) == (2, True), output
    code, output = site("p-median", "--costs", "costs.csv", "-p", "2", "--column", column)
    assert (code, f"no table is given for the column {name}" in output) == (2, True), output


def test_p_dispersion_says_each_mistake_of_its_table_once(folder: Path) -> None:
    (folder / "bad.csv").write_text("id,x,y\nP,0,0\nP,0,0\nR,here,0\n", encoding="utf-8")
    code, output = site("p-dispersion", "--sites", "bad.csv", "-p", "2")
    assert (code, "3 errors" in output, "demand" in output) == (2, True, False), output


def test_findings_of_cflp_name_clients_as_the_table_does(folder: Path) -> None:
    (folder / "few.csv").write_text("client,site,cost\nB,P,1\nC,Q,1\nD,R,1\n东街,P,2\n", encoding="utf-8")
    code, output = site("cflp", *POINTS, "--costs", "few.csv")
    assert (code, "demand of 1 cannot be served" in output) == (1, True), output
    assert "client B" in output or "client 东街" in output


def test_of_lscp_it_is_said_what_was_minimised(folder: Path) -> None:
    code, output = site("lscp", *POINTS, "--limit", "4")
    assert (code, "Cost of the sites (column fixed_cost)  2" in output) == (0, True), output
    words = ("lscp", *POINTS, "--limit", "4", "--column", "fixed_cost=capacity", "--json")
    assert json.loads(site(*words)[1])["value_is"] == "Cost of the sites (column capacity)"
    (folder / "sites.csv").write_text("id,x,y\nP,0,0\nQ,4,0\n", encoding="utf-8")
    code, output = site("lscp", *POINTS, "--limit", "4")
    assert (code, "Sites  1" in output) == (0, True), output


def test_another_encoding_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "gbk.csv").write_bytes("id,x,y\n城关,0,0\n".encode("gbk"))
    with pytest.raises(siting.SitingInputError) as error:
        tables.read(tmp_path / "gbk.csv")
    assert error.value.codes == ("unreadable",)
    assert "byte 8 is not UTF-8; save it as CSV UTF-8" in str(error.value)
