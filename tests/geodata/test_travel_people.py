"""Travel of people at several points a community, and the cache of travel."""

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LineString, Point

from geodata import travel_cache
from geodata.city import City
from geodata.findings import InputError
from geodata.street_build import network_of_lines
from geodata.street_network import StreetNetwork
from geodata.travel_cache import TravelCache, cache_folder
from geodata.travel_matrix import Travel, travel
from geodata.travel_people import People, city_people, office_points, people_travel

CRS = "EPSG:32648"
X, Y = 500_000.0, 3_480_000.0


def road(length_m: float | None = None) -> StreetNetwork:
    lines = gpd.GeoDataFrame({"length_m": [length_m]}, geometry=[LineString([(0, 0), (2000, 0)])], crs=CRS)
    return network_of_lines(lines)


def points(*rows: tuple[int, float, tuple[float, float]]) -> People:
    names = ("a", "b")[: 1 + max(r[0] for r in rows)]
    community, persons = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], dtype=float)
    return People(names, community, persons, np.array([r[2] for r in rows], dtype=float))


PEOPLE = points((1, 10, (0, 0)), (0, 300, (100, 0)), (0, 100, (900, 0)), (1, 0, (9e6, 0)))


def test_means_and_parts_of_people_by_hand() -> None:
    people = PEOPLE
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
    people = points((0, 3, (0, 0)), (0, 1, (50, 5000)))
    got = people_travel(road(), people, [(0, 0)], limit=500, detour=None)
    assert got.mean.tolist() == [[np.inf]]
    assert got.share_within.tolist() == [[0.75]]


def test_a_community_of_nobody_counts_its_points_the_same() -> None:
    people = points((0, 0, (0, 0)), (0, 0, (200, 0)))
    assert people_travel(road(), people, [(0, 0)], limit=0).mean.tolist() == [[100]]


def test_communities_of_a_city_without_points_count_at_their_office(city: City) -> None:
    given = gpd.GeoDataFrame(
        {"point": ["1"], "community": ["c2"], "persons": [5.0]}, geometry=[Point(X, Y)], crs=city.metric_crs
    )
    people = city_people(City(**{**vars(city), "people": given}))
    assert (people.communities, people.given) == (("c1", "c2", "c3", "c4"), 1)
    order = np.argsort(people.community)
    assert people.persons[order].tolist() == [1000, 5, 3000, 4000]
    assert people.xy[order][[0, 2, 3]] == pytest.approx(office_points(city)[[0, 2, 3]])
    assert people.xy[order][1].tolist() == [X, Y]


def test_a_limit_that_is_none_is_an_error() -> None:
    with pytest.raises(InputError, match="limit = nan"):
        people_travel(road(), PEOPLE, [(0, 0)], limit=np.nan)


def test_office_points(city: City) -> None:
    points = office_points(city)
    assert points.shape == (4, 2)
    offices = city.sites[city.sites["use"] == "office"].geometry
    assert points[:, 0] == pytest.approx(offices.x.to_numpy())
    without = City(**{**vars(city), "sites": city.sites[city.sites["community"] != "c2"]})
    inside = city.communities.geometry.iloc[1]
    assert inside.contains(gpd.points_from_xy(*office_points(without)[[1]].T)[0])


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
