"""Published optima are found and proven (the small ones here; all of them by `python -m benchmarks.siting`)."""

from pathlib import Path

import pytest

from benchmarks import siting_sets as sets
from optimizer import siting
from optimizer.siting import tables


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    path = shared / "data" / "benchmarks"
    if not path.is_dir():
        pytest.skip("needs ../shared/data/benchmarks, which is not part of the project")
    return path


@pytest.mark.parametrize("name", ["pmed1", "pmed2", "pmed3", "pmed4", "pmed5", "pmed6", "pmed11"])
def test_p_median_and_p_center_of_the_or_library(name: str, folder: Path) -> None:
    cost, p = sets.pmed(folder / "orlib-pmed", name)
    known = next(row for row in sets.rows(folder / "orlib-pmed" / "optima.csv") if row["instance"] == name)
    median, center = siting.p_median(cost, p=p), siting.p_center(cost, p=p)
    assert (median.value, median.bound, median.status) == (float(known["p_median_optimum"]),) * 2 + ("optimal",)
    assert (center.value, center.bound, center.status) == (float(known["p_center_optimum"]),) * 2 + ("optimal",)


@pytest.mark.parametrize("name", ["cap41", "cap71", "cap101", "cap131"])
def test_warehouses_of_the_or_library(name: str, folder: Path) -> None:
    case = sets.warehouses(folder / "orlib-cap" / f"{name}.txt")
    known = next(row for row in sets.rows(folder / "orlib-cap" / "optima.csv") if row["instance"] == name)
    found = siting.cflp(case.cost, demand=case.demand, capacity=case.capacity, fixed_cost=case.fixed_cost)
    assert found.value == pytest.approx(float(known["value_found_here"]), abs=1e-3)
    assert found.proven


@pytest.mark.parametrize("name", ["pmedcap1_01", "pmedcap1_03", "pmedcap1_05", "pmedcap1_09"])
def test_capacitated_p_median_of_the_or_library(name: str, folder: Path) -> None:
    case = sets.groups(folder / "orlib-pmedcap" / f"{name}.txt")
    known = next(row for row in sets.rows(folder / "orlib-pmedcap" / "optima.csv") if row["instance"] == name)
    found = siting.capacitated_p_median(case.cost, p=case.p, demand=case.demand, capacity=case.capacity)
    assert (found.value, found.bound) == (float(known["listed_optimum"]),) * 2


@pytest.mark.parametrize("p", [5, 50])
def test_drilling_points_of_tsplib(p: int, folder: Path) -> None:
    rows = sets.rows(folder / "tsplib-pmedian" / "optima.csv")
    known = next(float(row["p_median_value"]) for row in rows if int(row["p"]) == p)
    found = siting.p_median(sets.tsplib(folder / "tsplib-pmedian" / "fl1400.tsp"), p=p)
    assert (found.value, found.bound) == (known, known)


def test_stores_of_san_francisco(folder: Path) -> None:
    costs, tracts = sets.san_francisco(folder / "spopt-sf")
    data = tables.from_costs(costs, tracts)
    for row in sets.rows(folder / "spopt-sf" / "results.csv"):
        words = dict(word.split("=") for word in row["parameters"].split())
        options = {"p": int(words["p"])} if "p" in words else {}
        options |= {"limit": float(words["radius"])} if "radius" in words else {}
        options |= {"weights": data.weights} if row["problem"] in {"MCLP", "p-median"} else {}
        solve = {"LSCP": siting.lscp, "MCLP": siting.mclp, "p-median": siting.p_median, "p-center": siting.p_center}
        found = solve[row["problem"]](data.cost, **options)
        assert found.value == pytest.approx(float(row["optimum"]), rel=1e-10), row
        assert found.proven
        if row["problem"] in {"MCLP", "p-median"}:
            assert {data.sites[j] for j in found.open_sites} == set(row["one_optimal_set"].split())
