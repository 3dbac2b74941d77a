"""The scenarios that ship: each is valid, says that it is a change of base, and says only what differs."""

import pytest
from ruamel.yaml import YAML

import scenarios
from optimizer.scenario_file import load_scenario

CHANGES = [name for name in scenarios.names() if name != "base"]


def raw(name: str) -> dict[str, object]:
    return YAML(typ="safe").load(scenarios.path(name).read_text(encoding="utf-8"))


def leaves(tree: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """Every value of nested mappings by its path; lists are values."""
    if not isinstance(tree, dict):
        return {path: tree}
    return {at: leaf for key, value in tree.items() for at, leaf in leaves(value, (*path, str(key))).items()}


def test_base_comes_first_and_the_named_changes_are_there() -> None:
    assert scenarios.names()[0] == "base"
    wanted = {"budget_cut", "equal_shares", "status_quo", "no_sharing", "one_stop_only", "double_cofunding"}
    assert wanted <= set(CHANGES)


def test_an_unknown_name_is_answered_with_those_that_ship() -> None:
    with pytest.raises(KeyError, match="no scenario 'bace' ships; there are base, budget_cut"):
        scenarios.path("bace")


@pytest.mark.parametrize("name", scenarios.names())
def test_scenario_is_valid_and_named_like_its_file(name: str) -> None:
    loaded = load_scenario(name)
    assert loaded.scenario.name == name
    assert loaded.scenario.title
    assert loaded.scenario.description


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_says_only_what_differs(name: str) -> None:
    change = raw(name)
    assert change.pop("extends") == "base"
    base = leaves(load_scenario("base").scenario.model_dump(mode="json"))
    same = [".".join(path) for path, value in leaves(change).items() if base.get(path) == value]
    assert same == []


def test_budget_cut_takes_a_tenth_from_city_and_districts_only() -> None:
    base, cut = load_scenario("base").scenario, load_scenario("budget_cut").scenario
    for name, source in base.sources.items():
        factor = 0.9 if source.role in {"city", "district"} else 1.0
        assert cut.amounts_yuan(name) == pytest.approx([factor * yuan for yuan in base.amounts_yuan(name)], abs=1)


def test_donations_of_base_are_those_of_the_study() -> None:
    assert sum(load_scenario("base").scenario.amounts_yuan("enterprise_donations")) == 5_600_000


def test_every_district_could_pay_its_part_of_a_hard_floor() -> None:
    """A third of the largest entitlement of every community is less than the district's own money."""
    import geopandas as gpd

    from geodata.reference.build_mianyang import CITY

    scenario = load_scenario("hard_floor").scenario
    communities = gpd.read_file(CITY, layer="communities")
    funds = scenario.programmes.work_funds
    care = communities["type"].map({name: kind.care for name, kind in scenario.types.items()})
    entitled = funds.floor_yuan * (1 + care + funds.care_hardship * communities["hardship"])
    by_district = entitled.groupby(communities["district"]).sum()
    for year, index in enumerate(scenario.price_index()):
        for name, source in scenario.sources.items():
            if source.role == "district":
                need = sum(by_district[district] for district in source.districts) * index / 3
                assert scenario.amounts_yuan(name)[year] > need, (name, year)
