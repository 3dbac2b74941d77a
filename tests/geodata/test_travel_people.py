"""Travel of people at several points a community, and the cache of travel."""

import os
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LineString, Point

from geodata import travel_cache
from geodata.city import City
from geodata.findings import InputError
from geodata.street_build import network_of_lines
from geodata.street_network import StreetNetwork
from geodata.travel import office_points
from geodata.travel_cache import TravelCache, cache_folder
from geodata.travel_matrix import Travel, travel
from geodata.travel_people import People, people_points, people_travel

CRS = "EPSG:32648"


def road(length_m: float | None = None) -> StreetNetwork:
    lines = gpd.GeoDataFrame({"length_m": [length_m]}, geometry=[LineString([(0, 0), (2000, 0)])], crs=CRS)
    return network_of_lines(lines)


def points(*rows: tuple[Any, Any, Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"community": [r[0] for r in rows], "persons": [r[1] for r in rows]}, geometry=[r[2] for r in rows], crs=CRS
    )


PEOPLE = points(("b", 10, Point(0, 0)), ("a", 300, Point(100, 0)), ("a", 100, Point(900, 0)), ("b", 0, Point(9e6, 0)))


def test_means_and_parts_of_people_by_hand() -> None:
    people = people_points(PEOPLE, CRS)
    assert people.communities == ("a", "b")
    got = people_travel(road(), people, [(0, 0), (1000, 0)], limit=100)
    assert got.mean.tolist() == [[(300 * 100 + 100 * 900) / 400, (300 * 900 + 100 * 100) / 400], [0, 1000]]
    assert got.share_within.tolist() == [[0.75, 0.25], [1, 0]]  # 100 m and 100 m: the limit is inclusive
    assert got.share_served().tolist() == [1, 1]
    assert got.share_served([1]).tolist() == [0.25, 0]
    assert got.share_served([]).tolist() == [0, 0]
    assert got.points.amount.shape == (4, 2)
    minutes = people_travel(road(), people, [(0, 0)], limit=1.25, measure="minutes")
    assert minutes.share_within.tolist() == [[0.75], [1]]


def test_one_without_a_way_makes_the_mean_infinite_not_the_part() -> None:
    people = people_points(points(("a", 3, Point(0, 0)), ("a", 1, Point(50, 5000))), CRS)
    got = people_travel(road(), people, [(0, 0)], limit=500, detour=None)
    assert got.mean.tolist() == [[np.inf]]
    assert got.share_within.tolist() == [[0.75]]


def test_a_community_of_nobody_counts_its_points_the_same() -> None:
    people = people_points(points(("a", 0, Point(0, 0)), ("a", 0, Point(200, 0))), CRS)
    assert "communities with nobody at any point: a" in people.findings[0].text()
    assert people_travel(road(), people, [(0, 0)], limit=0).mean.tolist() == [[100]]


def test_communities_of_a_city_without_points_count_at_their_office(city: City) -> None:
    given = gpd.GeoDataFrame(
        {"community": ["c2"], "persons": [5]}, geometry=gpd.points_from_xy(*office_points(city)[[1]].T), crs=CRS
    )
    people = people_points(given.to_crs("EPSG:4326"), CRS, city=city)
    assert people.communities == ("c1", "c2", "c3", "c4")
    order = np.argsort(people.community)
    assert people.persons[order].tolist() == [1000, 5, 3000, 4000]
    assert people.xy[order] == pytest.approx(office_points(city), abs=0.01)
    assert "communities without points count at their office: c1, c3, c4" in people.findings[0].text()


def test_everything_wrong_with_points_is_named_at_once(city: City) -> None:
    bad = points(("c1", -1, Point(0, 0)), ("cx", "many", None), (None, None, LineString([(0, 0), (1, 1)])))
    with pytest.raises(InputError) as error:
        people_points(bad, CRS, city=city, file="p.gpkg")
    text = "\n".join(f.text() for f in error.value.findings)
    for line in (
        "row 1 (c1): persons = -1  is no number of people",
        "row 2 (cx): community = cx  there is no such community",
        "row 2 (cx): persons = many",
        "row 2 (cx): geometry  is no point",
        "row 3: community  is missing",
        "row 3: persons  is no number",
        "row 3: geometry  is no point",
    ):
        assert line in text
    with pytest.raises(InputError) as error:
        people_points(bad.drop(columns=["persons"]).set_crs(None, allow_override=True), CRS)
    assert [f.message for f in error.value.findings] == ["column persons is missing", "have no coordinate system (CRS)"]
    with pytest.raises(InputError, match="not a known coordinate system"):
        people_points(PEOPLE, "nowhere")
    with pytest.raises(InputError, match="limit = nan"):
        people_travel(road(), people_points(PEOPLE, CRS), [(0, 0)], limit=np.nan)


# ------------------------------------------------------------------------------------------------- cache


def same(a: Travel, b: Travel) -> None:
    assert (a.measure, a.limit) == (b.measure, b.limit)
    for mine, theirs in (
        (a.amount, b.amount), (a.by_straight_line, b.by_straight_line), (a.origins.segment, b.origins.segment),
        (a.origins.access_m, b.origins.access_m), (a.destinations.share, b.destinations.share),
    ):  # fmt: skip
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs)


START, GOAL = [(0, 5), (100, 0), (5000, 5000)], [(50, 0), (2000, 0)]


def test_travel_is_kept_by_content(tmp_path: Path) -> None:
    cache = TravelCache(tmp_path / "旅 行")
    first = cache.travel(road(), START, GOAL, limit=1950)
    same(first, travel(road(), START, GOAL, limit=1950))
    same(first, cache.travel(road(), np.array(START), GOAL, limit=1950.0))
    assert (cache.hits, cache.misses) == (1, 1)
    cache.travel(road(2500), START, GOAL, limit=1950)
    cache.travel(road(), START, GOAL, limit=1951)
    cache.travel(road(), START, GOAL, limit=1950, measure="minutes")
    cache.travel(road(), START, GOAL, limit=1950, detour=None)
    cache.travel(road(), START, GOAL, limit=1950, snap_limit_m=1)
    cache.travel(road(), GOAL, START, limit=1950)
    cache.travel(road(), START[:2], [START[2], *GOAL], limit=1950)
    assert (cache.hits, cache.misses) == (1, 8)
    people_travel(road(), People(("a",), np.zeros(1, int), np.ones(1), np.zeros((1, 2))), GOAL, limit=1, cache=cache)
    assert cache.misses == 9
    assert not list(cache.folder.glob(".unfinished*"))


@pytest.mark.parametrize("damage", [b"", b"PK", b"not an archive", None])
def test_a_damaged_file_is_written_anew(tmp_path: Path, damage: bytes | None) -> None:
    cache = TravelCache(tmp_path)
    wanted = cache.travel(road(), START, GOAL)
    (file,) = tmp_path.glob("*.travel")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    same(cache.travel(road(), START, GOAL), wanted)
    same(cache.travel(road(), START, GOAL), wanted)
    assert (cache.hits, cache.misses) == (1, 2)


def test_changed_bytes_are_noticed(tmp_path: Path) -> None:
    cache = TravelCache(tmp_path)
    wanted = cache.travel(road(), START, GOAL)
    (file,) = tmp_path.glob("*.travel")
    whole = file.read_bytes()
    for at in range(5, len(whole), 150):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        same(cache.travel(road(), START, GOAL), wanted)


def test_a_folder_that_cannot_be_used_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    same(TravelCache(tmp_path / "file" / "inside").travel(road(), START, GOAL), travel(road(), START, GOAL))


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        assert self.exists()
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    TravelCache(tmp_path).travel(road(), START, GOAL)
    assert list(tmp_path.iterdir()) == []


def test_what_an_ended_process_left_is_removed_after_a_day(tmp_path: Path) -> None:
    old, new = tmp_path / ".unfinished-a", tmp_path / ".unfinished-b"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (0, 0))
    TravelCache(tmp_path).travel(road(), START, GOAL)
    assert not old.exists()
    assert new.exists()


def test_old_files_make_room(tmp_path: Path) -> None:
    cache = TravelCache(tmp_path, most_mb=0.0)
    cache.travel(road(), START, GOAL)
    cache.travel(road(), GOAL, START)
    assert len(list(tmp_path.glob("*.travel"))) == 1
    cache.travel(road(), GOAL, START)
    assert cache.hits == 1


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_where_travel_is_kept(platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(travel_cache.sys, "platform", platform)
    for name in ("ALLOT_CACHE", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder().parts[-2:] == ("allot", "travel")
    assert cache_folder().is_relative_to(Path.home())
    monkeypatch.setenv("ALLOT_CACHE", str(tmp_path))
    assert TravelCache().folder == tmp_path / "travel"
