"""Every format, every way to say what a file does not say, and everything that can be wrong with a file."""

import shutil
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import eviltransform
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPoint, Point, Polygon, box

from geodata.city import City
from geodata.findings import InputError
from geodata.read import read_city, reference_cities
from geodata.schema import TABLES

Tables = dict[str, pd.DataFrame]
Write = Callable[[Tables], Path]


def said(error: pytest.ExceptionInfo[InputError]) -> str:
    return "\n".join(finding.text() for finding in error.value.findings)


def texts(city: City) -> str:
    return "\n".join(finding.text() for finding in city.findings)


def same(city: City, other: City) -> None:
    for name in TABLES:
        a, b = city.table(name), other.table(name)
        assert list(a.columns) == list(b.columns)
        pd.testing.assert_frame_equal(
            pd.DataFrame(a.drop(columns="geometry", errors="ignore")),
            pd.DataFrame(b.drop(columns="geometry", errors="ignore")),
            rtol=1e-6,
        )
        if isinstance(a, gpd.GeoDataFrame):
            assert a.geometry.normalize().geom_equals_exact(b.geometry.normalize(), 0.01).all()


# ------------------------------------------------------------------------------------------- what comes out


def test_tables_have_the_schemas_columns_and_types(city: City) -> None:
    assert city.findings == ()
    assert city.unread == frozenset()
    assert city.metric_crs == "EPSG:32648"
    for name, table in TABLES.items():
        frame = city.table(name)
        wanted = [*table.names, *([] if table.geometry == "none" else ["geometry"])]
        assert list(frame.columns) == wanted
        for column in table.columns:
            kinds = {"number": "f", "integer": "i", "boolean": "b", "direction": "i", "speed": "f", "bridge": "b"}
            kind = kinds.get(column.kind)
            assert frame[column.name].dtype.kind == kind if kind else frame[column.name].dtype == "str"
        if isinstance(frame, gpd.GeoDataFrame):
            assert frame.crs == "EPSG:32648"
    assert city.communities.geometry.area.sum() == pytest.approx(4 * 952 * 1108, rel=0.01)


def test_defaults_that_follow_from_other_columns(city: City) -> None:
    first = city.communities.iloc[0]
    assert first["households"] == pytest.approx(1000 / 2.6)
    assert (first["district"], first["sub_district"], first["name"]) == ("city", "city", "开元")
    assert first["type"] == "pure_residential"
    assert city.needs["persons"].equals(city.needs["amount"])
    assert city.sites["name"].tolist() == city.sites["site"].tolist()
    assert city.streets["length_m"].to_numpy() == pytest.approx(city.streets.geometry.length.to_numpy())


def test_rows_are_sorted_and_know_where_they_came_from(tables: Tables, write: Write) -> None:
    tables["communities"] = tables["communities"].iloc[[2, 0, 3, 1]]
    city = read_city(write(tables))
    assert city.communities["community"].tolist() == ["c1", "c2", "c3", "c4"]
    assert city.origins["communities"].rows.tolist() == [2, 4, 1, 3]
    assert [f.name for f in city.files] == ["city.gpkg"]
    assert city.name == "city"


def test_reference_city_by_name() -> None:
    assert "mianyang" in reference_cities()
    assert len(read_city("mianyang").communities) == 396


# ------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("kind", ["geojson", "shp", "zip", "shp.zip", "parquet", "csv", "gpkg"])
def test_a_folder_of_files(kind: str, tables: Tables, city: City, tmp_path: Path) -> None:
    folder = tmp_path / "folder 目录"
    folder.mkdir()
    for name, frame in tables.items():
        if not isinstance(frame, gpd.GeoDataFrame):
            frame.to_csv(folder / f"{name}.csv", index=False, encoding="utf-8-sig")
        elif kind == "parquet":
            frame.to_parquet(folder / f"{name}.parquet")
        elif kind == "csv":
            plain = pd.DataFrame(frame.drop(columns="geometry")).assign(wkt=frame.geometry.to_wkt())
            plain.to_csv(folder / f"{name}.csv", index=False, encoding="utf-8")
        elif kind.endswith("zip"):
            (tmp_path / "loose").mkdir(exist_ok=True)
            write_shapefile(frame, tmp_path / "loose" / f"{name}.shp")
            with zipfile.ZipFile(folder / f"{name}.{kind}", "w") as archive:
                for part in (tmp_path / "loose").glob(f"{name}.*"):
                    archive.write(part, f"inside/{part.name}")
        elif kind == "shp":
            write_shapefile(frame, folder / f"{name}.shp")
        else:
            frame.to_file(folder / f"{name}.{kind}")
    read = read_city(folder, crs="EPSG:4326" if kind == "csv" else "")
    assert texts(read) == ""
    same(read, city)
    if kind == "shp":
        assert {"communities.dbf", "communities.prj"} <= {f.name for f in read.files}


def write_shapefile(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write a Shapefile, whose format cuts column names to ten characters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame.to_file(path, encoding="utf-8")


def test_communities_alone_and_the_rest_by_the_scenario(tables: Tables, city: City, tmp_path: Path) -> None:
    write_here = tmp_path / "rest"
    write_here.mkdir()
    tables["communities"].to_file(tmp_path / "polygons.geojson")
    tables["needs"].to_csv(write_here / "demand.csv", index=False)
    for name in ("sites", "facilities", "streets"):
        tables[name].to_file(write_here / "all.gpkg", layer=f"{name}_2007")
    layers = {n: {"path": "rest/all.gpkg", "layer": f"{n}_2007"} for n in ("sites", "facilities", "streets")}
    read = read_city("polygons.geojson", layers={**layers, "needs": {"path": "rest/demand.csv"}}, base=tmp_path)
    assert texts(read) == ""
    same(read, city)


def test_a_folder_with_one_geopackage(tables: Tables, city: City, write: Write) -> None:
    same(read_city(write(tables).parent), city)


def test_points_from_longitude_and_latitude_in_csv(tables: Tables, city: City, write: Write) -> None:
    path = write(tables)
    sites = tables["sites"]
    plain = pd.DataFrame(sites.drop(columns="geometry")).assign(经度=sites.geometry.x, 纬度=sites.geometry.y)
    plain.to_csv(path.parent / "sites.csv", index=False, sep=";", encoding="gbk")
    spec: Mapping[str, object] = {"path": "sites.csv", "crs": "EPSG:4326", "encoding": "GBK"}
    read = read_city("city.gpkg", layers={"sites": spec}, base=path.parent)
    assert texts(read) == ""
    same(read, city)
    with_words = {"path": "sites.csv", "crs": "EPSG:4326", "encoding": "GBK", "columns": {"x": "经度", "y": "纬度"}}
    same(read_city("city.gpkg", layers={"sites": with_words}, base=path.parent), city)


def test_bad_coordinates_in_csv(tables: Tables, write: Write) -> None:
    path = write(tables)
    sites = pd.DataFrame(tables["sites"].drop(columns="geometry")).assign(
        lon=["104.7", "", "x", "104.7", "104.7"], lat="31.5"
    )
    sites.to_csv(path.parent / "sites.csv", index=False)
    read = read_city(path, layers={"sites": {"path": path.parent / "sites.csv", "crs": "EPSG:4326"}})
    assert "sites, row 2 (o2): geometry is missing" in texts(read)
    assert "sites, row 3 (o3): geometry = x, 31.5  are no coordinates" in texts(read)
    assert texts(read).count("row 3") == 1
    sites.assign(lon="a", wkt=["POINT (1 1)", "POINT (1", "", "nonsense", "POINT (104.7 31.5)"]).to_csv(
        path.parent / "sites.csv", index=False
    )
    read = read_city(path, layers={"sites": {"path": path.parent / "sites.csv", "crs": "EPSG:4326"}})
    assert "row 2 (o2): geometry = POINT (1  is no geometry (WKT)" in texts(read)
    assert "row 4 (o4): geometry = nonsense" in texts(read)


# ------------------------------------------------------------------------------------------- encodings


def gbk_shapefile(tables: Tables, folder: Path) -> Path:
    """A zipped Shapefile in GBK without .cpg, as old GIS exports are."""
    loose = folder / "loose"
    loose.mkdir()
    tables["communities"].to_file(loose / "communities.shp", encoding="GBK")
    (loose / "communities.cpg").unlink(missing_ok=True)
    path = folder / "old.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for part in loose.iterdir():
            archive.write(part, part.name)
    return path


def test_gbk_shapefile_declared_and_not(tables: Tables, city: City, write: Write) -> None:
    path = write(tables)
    gbk_shapefile(tables, path.parent)
    read = read_city(path, layers={"communities": {"path": "old.zip", "encoding": "GBK"}}, base=path.parent)
    assert texts(read) == ""
    same(read, city)
    read = read_city(path, layers={"communities": {"path": "old.zip"}}, base=path.parent)
    assert [f.severity for f in read.findings] == ["warning"]
    assert "wrong encoding and has been put right" in texts(read)
    assert "data.layers.communities.encoding: GBK" in texts(read)
    same(read, city)


def test_gbk_in_csv_and_geojson(tables: Tables, write: Write) -> None:
    path = write(tables)
    needs = tables["needs"].assign(note="开元中街")
    needs.to_csv(path.parent / "needs.csv", index=False, encoding="gbk")
    read = read_city(path, layers={"needs": {"path": "needs.csv"}}, base=path.parent)
    assert "not in UTF-8 and was read as GB18030" in texts(read)
    (path.parent / "needs.csv").write_bytes(b"community,need,amount\nS\xe3o,health,1\n")
    read = read_city(path, layers={"needs": {"path": "needs.csv"}}, base=path.parent)
    assert "text is not in UTF-8; declare its encoding" in texts(read)
    assert "needs" in read.unread
    tables["communities"].to_file(path.parent / "c.geojson")
    text = (path.parent / "c.geojson").read_text(encoding="utf-8")
    (path.parent / "c.geojson").write_text(text, encoding="gbk")
    with pytest.raises(InputError) as error:
        read_city(path, layers={"communities": {"path": "c.geojson"}}, base=path.parent)
    assert "declare its encoding" in said(error)
    read = read_city(path, layers={"communities": {"path": "c.geojson", "encoding": "GBK"}}, base=path.parent)
    assert read.communities["name"].tolist()[0] == "开元"


def test_wrong_encodings_are_refused(tables: Tables, write: Write) -> None:
    path = write(tables)
    tables["needs"].assign(note="开").to_csv(path.parent / "needs.csv", index=False, encoding="utf-8")
    for encoding, words in (("ascii", "not in the declared encoding ascii"), ("gbkk", "there is no encoding gbkk")):
        read = read_city(path, layers={"needs": {"path": "needs.csv", "encoding": encoding}}, base=path.parent)
        assert words in texts(read)


def test_full_width_digits_bom_and_thousands_in_csv(tables: Tables, write: Write) -> None:
    path = write(tables)
    text = '\ufeffcommunity,need,amount\nc1,health,１２０\nｃ２,health,"1,200"\n\nc3,health,12人\nc4,health,\n'
    (path.parent / "needs.csv").write_text(text, encoding="utf-8")
    read = read_city(path, layers={"needs": {"path": "needs.csv"}}, base=path.parent)
    assert read.needs["community"].tolist() == ["c1", "c2", "c3", "c4"]
    assert read.needs["amount"].tolist()[:2] == [120, 1200]
    assert read.needs["amount"].isna().tolist() == [False, False, True, True]
    assert "needs, row 3 (c3): amount = 12人  is no number; write digits only, with a point" in texts(read)


# ------------------------------------------------------------------------------------------- mappings


def test_a_users_own_columns_and_words(tables: Tables, city: City, write: Write) -> None:
    tables["communities"] = (
        tables["communities"].rename(columns={"population": "常住人口", "name": "社区"}).assign(类型="住宅")
    )
    spec: dict[str, object] = {
        "columns": {"population": "常住人口", "name": "社区", "type": "类型"},
        "values": {"type": {"住宅": "pure_residential"}},
    }
    read = read_city(write(tables), layers={"communities": spec})
    assert texts(read) == ""
    same(read, city)


def test_row_number_as_identifier(tables: Tables, write: Write) -> None:
    tables["communities"] = tables["communities"].drop(columns="community")
    read = read_city(write(tables), layers={"communities": {"columns": {"community": "#"}}})
    assert read.communities["community"].tolist() == ["1", "2", "3", "4"]


def test_numbers_as_identifiers_meet(tables: Tables, write: Write) -> None:
    tables["communities"]["community"] = [1.0, 2.0, 3.0, 4.0]
    tables["needs"]["community"] = ["1", "1", "2", "2", "3", "3", "4", "4"]
    read = read_city(write(tables))
    assert set(read.needs["community"]) <= set(read.communities["community"])


def test_mistakes_in_a_mapping_are_named(tables: Tables, write: Write) -> None:
    spec: dict[str, object] = {"columns": {"elderli": "elderly", "children": "kids"}, "values": {"kind": {"a": "b"}}}
    read = read_city(write(tables), layers={"communities": spec, "comunities": {}})
    assert "maps a column 'elderli' that this table does not have; did you mean elderly?" in texts(read)
    assert "the file has no column 'kids', which the scenario maps to children" in texts(read)
    assert "translates words of a column 'kind'" in texts(read)
    assert "names a table 'comunities'" in texts(read)
    assert "did you mean communities?" in texts(read)


def test_columns_in_other_case_and_mistyped(tables: Tables, write: Write) -> None:
    tables["communities"] = tables["communities"].rename(columns={"population": "POPULATION", "elderly": "eldelry"})
    read = read_city(write(tables))
    assert read.communities["population"].sum() == 10_000
    assert [f.severity for f in read.findings] == ["warning"]
    assert "column 'eldelry' is not used; elderly gets its default" in texts(read)


def test_missing_columns(tables: Tables, write: Write) -> None:
    tables["communities"] = tables["communities"].rename(columns={"population": "populaton", "community": "nr"})
    tables["sites"] = tables["sites"].drop(columns=["use", "area_m2"])
    with pytest.raises(InputError) as error:
        read_city(write(tables))
    text = said(error)
    assert "communities: column community is missing; columns in the file are nr, name, populaton, elderly" in text
    assert '"#" takes the row number' in text
    assert "did you mean populaton?" in text
    assert "sites: column use is missing" in text
    assert "sites: column area_m2 is missing" in text


# ------------------------------------------------------------------------------------------- coordinate systems


def test_no_crs_is_an_error_unless_declared(tables: Tables, city: City, write: Write) -> None:
    for name in ("communities", "sites"):
        tables[name] = tables[name].set_crs(None, allow_override=True)
    with pytest.warns(UserWarning, match="crs"):
        path = write(tables)
    with pytest.raises(InputError) as error:
        read_city(path)
    assert said(error).count("does not say its coordinate system") == 2
    same(read_city(path, crs="EPSG:4326"), city)
    specs = {name: {"crs": "4326"} for name in ("communities", "sites")}
    same(read_city(path, layers=specs), city)
    with pytest.raises(InputError) as error:
        read_city(path, crs="EPSG:99")
    assert "'EPSG:99' is not a known coordinate system" in said(error)


def test_layers_in_different_systems_meet(tables: Tables, city: City, write: Write) -> None:
    tables["sites"] = tables["sites"].to_crs("EPSG:4490")
    tables["streets"] = tables["streets"].to_crs("EPSG:3857")
    tables["facilities"] = tables["facilities"].to_crs("EPSG:32648")
    same(read_city(write(tables)), city)


def test_a_wrong_crs_in_the_file_is_overruled_for_the_layer(tables: Tables, city: City, write: Write) -> None:
    tables["communities"] = tables["communities"].set_crs("EPSG:32648", allow_override=True)
    path = write(tables)
    with pytest.raises(InputError) as error:
        read_city(path)
    assert "look like degrees, but the coordinate system is EPSG:32648" in said(error)
    same(read_city(path, layers={"communities": {"crs": "EPSG:4326"}}), city)


def test_gcj02_is_converted_where_declared(tables: Tables, city: City, write: Write) -> None:
    def shift(xy: np.ndarray) -> np.ndarray:
        moved = [eviltransform.wgs2gcj(lat, lon) for lon, lat in xy]
        return np.array([(lon, lat) for lat, lon in moved])

    for name, frame in tables.items():
        if isinstance(frame, gpd.GeoDataFrame):
            tables[name] = frame.set_geometry(
                gpd.GeoSeries(shapely.transform(frame.geometry.to_numpy(), shift), crs=4326)
            )
    path = write(tables)
    off = read_city(path).communities.geometry.iloc[0].distance(city.communities.geometry.iloc[0].centroid)
    assert off == 0
    assert read_city(path).communities.geometry.iloc[0].centroid.distance(
        city.communities.geometry.iloc[0].centroid
    ) > 250  # fmt: skip
    read = read_city(path, crs="GCJ-02")
    for name in ("communities", "sites", "streets"):
        here, there = read.table(name), city.table(name)
        assert isinstance(here, gpd.GeoDataFrame)
        assert isinstance(there, gpd.GeoDataFrame)
        assert here.geometry.centroid.distance(there.geometry.centroid).max() < 1
    one = read_city(path, layers={"sites": {"crs": "gcj02"}})
    assert one.sites.geometry.distance(city.sites.geometry).max() < 1


def test_swapped_and_impossible_coordinates(tables: Tables, write: Write) -> None:
    swapped = shapely.transform(tables["sites"].geometry.to_numpy(), lambda xy: xy[:, ::-1])
    tables["sites"] = tables["sites"].set_geometry(gpd.GeoSeries(swapped, crs="EPSG:4326"))
    tables["streets"] = tables["streets"].to_crs("EPSG:32648").set_crs("EPSG:4326", allow_override=True)
    read = read_city(write(tables))
    assert "sites: x 31" in texts(read)
    assert "latitude and longitude look swapped" in texts(read)
    assert "streets: x 4" in texts(read)
    assert "coordinates are no degrees" in texts(read)
    assert read.unread == {"sites", "streets"}


def test_the_metric_system_can_be_chosen(tables: Tables, write: Write) -> None:
    path = write(tables)
    assert read_city(path, metric_crs="EPSG:4544").communities.crs == "EPSG:4544"
    for bad, words in (("EPSG:4326", "is not projected in metres"), ("EPSG:9", "not a known")):
        read = read_city(path, metric_crs=bad)
        assert words in texts(read)
        assert read.metric_crs == "EPSG:32648"
    assert "stretches lengths here by 17%" in texts(read_city(path, metric_crs="EPSG:3857"))


# ------------------------------------------------------------------------------------------- geometries


def test_no_geometry_is_never_dropped_silently(tables: Tables, write: Write) -> None:
    tables["communities"].loc[1, "geometry"] = None
    tables["communities"].loc[2, "geometry"] = Polygon()
    read = read_city(write(tables))
    assert len(read.communities) == 4
    assert "communities, row 2 (顺河): geometry is missing" in texts(read)
    assert "communities, row 3 (金菊): geometry is empty" in texts(read)


def test_kinds_of_geometry(tables: Tables, write: Write) -> None:
    tables["communities"].loc[0, "geometry"] = LineString([(104.7, 31.4), (104.8, 31.5)])
    tables["sites"].loc[0, "geometry"] = box(104.704, 31.464, 104.706, 31.466)
    tables["sites"].loc[1, "geometry"] = MultiPoint([Point(104.715, 31.465)])
    tables["streets"].loc[0, "geometry"] = MultiLineString(
        [[(104.705, 31.465), (104.71, 31.465)], [(104.71, 31.465), (104.715, 31.465)]]
    )
    tables["streets"].loc[1, "geometry"] = MultiLineString(
        [[(104.715, 31.465), (104.72, 31.465)], [(104.73, 31.465), (104.74, 31.465)]]
    )
    read = read_city(write(tables))
    assert "communities, row 1 (开元): geometry is a LineString; give Polygon, MultiPolygon" in texts(read)
    assert set(read.sites.geometry.geom_type) == {"Point"}
    assert read.streets["street"].tolist() == ["a", "b/1", "b/2", "c"]
    assert set(read.streets.geometry.geom_type) == {"LineString"}
    assert read.streets["length_m"].to_numpy() == pytest.approx(read.streets.geometry.length.to_numpy())


def test_three_dimensions_are_flattened(tables: Tables, city: City, write: Write) -> None:
    for name, frame in tables.items():
        if isinstance(frame, gpd.GeoDataFrame):
            tables[name] = frame.set_geometry(gpd.GeoSeries(shapely.force_3d(frame.geometry.to_numpy(), 500), crs=4326))
    same(read_city(write(tables)), city)


def test_a_table_without_geometry(tables: Tables, write: Write) -> None:
    path = write(tables)
    pd.DataFrame(tables["sites"].drop(columns="geometry")).to_csv(path.parent / "sites.csv", index=False)
    read = read_city(path, layers={"sites": {"path": path.parent / "sites.csv"}})
    assert "sites: has no geometry; give a file with geometries, or columns lon and lat" in texts(read)


# ------------------------------------------------------------------------------------------- files


def test_missing_files_and_layers_all_at_once(tables: Tables, write: Write, tmp_path: Path) -> None:
    path = write(tables)
    with pytest.raises(InputError) as error:
        read_city(path.with_name("citty.gpkg"))
    assert "there is no such file or folder; did you mean city.gpkg?" in said(error)
    read = read_city(path, layers={"needs": {"path": "nowhere.csv"}, "sites": {"layer": "site"}}, base=path.parent)
    assert "nowhere.csv   needs: there is no such file" in texts(read)
    assert "sites: there is no layer 'site'; did you mean sites?" in texts(read)
    assert read.unread == {"needs", "sites"}
    tables.pop("communities")
    (tmp_path / "other").mkdir()
    tables["sites"].to_file(tmp_path / "other" / "sites.gpkg")
    with pytest.raises(InputError) as error:
        read_city(tmp_path / "other")
    assert "there is no file for communities; the folder holds sites.gpkg" in said(error)
    assert "there is no file for needs" in said(error)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.gpkg", b"this is no database", "cannot be read"),
        ("c.geojson", b"{", "cannot be read"),
        ("c.geojson", b"", "cannot be read"),
        ("c.zip", b"PK", "cannot be read (not a zip archive)"),
        ("c.parquet", b"PAR1", "cannot be read"),
        ("c.csv", b"", "is empty"),
        ("c.csv", b"a,a\n1,2\n", "columns occur twice: a"),
        ("c.shp", b"", "cannot be read"),
        ("c.xyz", b"abc", "give a file of one of these formats: .gpkg"),
    ],
)
def test_files_that_cannot_be_read(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        read_city(tmp_path / name)
    assert words in said(error)


def test_a_damaged_package_is_named_once(tables: Tables, write: Write) -> None:
    path = write(tables)
    content = path.read_bytes()
    for damaged in (content[:5000], content[:100] + b"x" * 20000, b"this is no database"):
        path.write_bytes(damaged)
        with pytest.raises(InputError) as error:
            read_city(path)
        (finding,) = error.value.findings
        assert finding.text().startswith(f"{path.as_posix()}   cannot be read ("), finding.text()
        assert finding.remedy.startswith("it is damaged or not what its name says: take a sound copy")


def test_a_zip_without_a_map_and_a_folder_with_two(tables: Tables, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(InputError) as error:
        read_city(tmp_path / "c.zip")
    assert "there is no Shapefile in this archive" in said(error)
    folder = tmp_path / "both"
    folder.mkdir()
    tables["communities"].to_file(folder / "communities.gpkg")
    shutil.copy(folder / "communities.gpkg", folder / "communities.fgb")
    with pytest.raises(InputError) as error:
        read_city(folder)
    assert "several files hold this table: communities.fgb, communities.gpkg" in said(error)


def test_rows_with_too_many_cells(tables: Tables, write: Write) -> None:
    path = write(tables)
    (path.parent / "needs.csv").write_text("community,need,amount\nc1,health,1,200\nc2,health,5,,\n", encoding="utf-8")
    read = read_city(path, layers={"needs": {"path": path.parent / "needs.csv"}})
    assert "needs, row 1: 4 cells  the header has 3 columns" in texts(read)
    assert len(read.findings) == 1


def test_a_table_without_rows(tables: Tables, write: Write) -> None:
    path = write(tables)
    (path.parent / "needs.csv").write_text("community,need,amount\n", encoding="utf-8")
    read = read_city(path, layers={"needs": {"path": path.parent / "needs.csv"}})
    assert "needs: has no rows" in texts(read)
