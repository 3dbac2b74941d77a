"""Sources that may pay nowhere, and floors above ceilings or the budget: named before anything is searched."""

import pytest
from pydantic import ValidationError

from optimizer.scenario_check import check_scenario
from tests.optimizer.tiny import ALL, Row, make_city, make_scenario

CITY = make_city(
    [
        {"community": "a", "district": "城东", "debt_yuan": 500},
        {"community": "=b", "district": "城西", "type": "needy"},
        {"community": "rich", "district": "城西", "type": "rich"},
    ]
)
CLASSES: Row = {
    "types": {"rich": {}},
    "guidance": {"general": {"types": ["plain", "needy"], "purposes": [*ALL, "debt_relief"]}, "rest": {"purposes": []}},
}
FUND: Row = {"amount_yuan": 9, "purposes": ["debt_relief"]}  # debt relief needs a source


def errors(source: Row, **changes: object) -> list[str]:
    city = {"amount_yuan": 30_000, "carry_limit_share": 0.5}
    sources = {"city": city, "fund": FUND, "gift": {"amount_yuan": 1000, **source}}
    programmes = {"debt_relief": {}, **changes.pop("programmes", {})}  # type: ignore[dict-item]
    scenario = make_scenario(**CLASSES, **{"sources": sources, "programmes": programmes, **changes})  # type: ignore[arg-type]
    return [f"{f.column}: {f.message}; {f.remedy}" for f in check_scenario(CITY, scenario) if f.severity == "error"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            {"types": ["needy"], "districts": ["城东"]},
            "gift.types: the source has no eligible place: no community fits",
        ),
        ({"communities": ["a"], "districts": ["城西"]}, "none of its communities lies in its districts"),
        ({"communities": ["rich"]}, "gift.purposes: the source has no eligible place: no community it may pay for has"),
        ({"communities": ["=b"], "purposes": ["debt_relief"]}, "no community it may pay for has a need"),
        ({"communities": ["a"], "services": ["clinic"], "purposes": ["service_capital"]}, "has a need of these"),
        ({"types": ["needy"], "limits": [{"districts": ["城东"], "at_least_yuan": 5}]}, "floor has no eligible place"),
        ({"types": ["needy"], "limits": [{"types": ["plain"], "at_least_share": 0.1}]}, "floor has no eligible place"),
    ],
)
def test_money_that_can_go_nowhere_is_an_error(source: Row, said: str) -> None:
    clinic = {"siting": "network", "limit_m": 900, "unit": "visits"}
    found = errors(source, programmes={"services": {"clinic": clinic}})
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    "source",
    [
        {"communities": ["a"], "purposes": ["debt_relief"]},
        {"types": ["needy"], "districts": ["城西"]},
        {"communities": ["rich"], "amount_yuan": 0},
        {"limits": [{"for_each": "community", "at_least_yuan": 333}]},
        {"limits": [{"for_each": "district", "at_least_yuan": 500}, {"purposes": ["space"], "at_least_yuan": 700}]},
    ],
)
def test_money_that_can_go_somewhere_is_none(source: Row) -> None:
    assert errors(source) == []


def test_a_floor_for_each_place_is_weighed_against_the_money_of_all() -> None:
    found = errors({"limits": [{"for_each": "community", "at_least_yuan": 334}]})
    assert len(found) == 1
    assert (
        "gift.limits.0: the floor of 334 yuan for each community makes 1,002 for 3 in 2020, above the 1,000" in found[0]
    )
    assert "makes 1,200 for 2 in 2020" in errors({"limits": [{"for_each": "district", "at_least_share": 0.6}]})[0]


def test_a_hard_floor_above_the_budget_or_the_ceiling_is_an_error() -> None:
    # Entitled are a and =b, the latter with half as much again: 2.5 floors; 31,000 yuan are there.
    def said(floor: int, **more: object) -> list[str]:
        return errors({}, programmes={"work_funds": {"floor_yuan": floor, "hard_floor": True, **more}})

    assert said(12_400) == []
    assert len(said(12_401)) == 1
    assert "work funds come to 31,003 yuan in 2020, above the 31,000 that there can be for them" in said(12_401)[0]
    assert (
        "=b is due 15,000 yuan in 2020, but at most 12,000 may be granted; so it is for =b; raise"
        in (said(10_000, ceiling_yuan=12_000)[0])
    )
    sources = {
        "fund": FUND,
        "east": {"role": "district", "districts": ["城东"], "amount_yuan": 9000},
        "west": {
            "role": "district",
            "districts": ["城西"],
            "amount_yuan": 90_000,
            "ceiling_share": {"work_funds": 0.5},
        },
    }
    funds = {"work_funds": {"floor_yuan": 10_000, "hard_floor": True}}
    found = errors({}, programmes=funds, sources=sources)
    assert len(found) == 1
    assert "work funds in 城东 come to 10,000 yuan in 2020, above the 9,000" in found[0]


def test_a_hard_floor_is_weighed_against_years_without_new_money_too() -> None:
    """A source that brings nothing in its second year leaves nothing for that year's floor."""
    funds = {"work_funds": {"floor_yuan": 2_000, "hard_floor": True}}
    sources = {"city": {"amount_yuan": [30_000, 0], "carry_limit_share": 0}, "fund": FUND}
    found = errors({}, programmes=funds, sources=sources, horizon={"years": 2})
    assert len(found) == 1
    assert "the hard floor is above the budget: work funds come to" in found[0]
    assert "yuan in 2021, above the 0 that there can be" in found[0]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            [{"purposes": ["space"], "at_least_yuan": 600}, {"purposes": ["work_funds"], "at_least_yuan": 500}],
            "sources.city.limits.1: the floors of limits.0, limits.1 are 1,100 yuan together in 2020, above the 1,000",
        ),
        (
            [{"districts": [place], "at_least_share": 0.4} for place in ("x", "y", "z")],
            "the floors of limits.0, limits.1, limits.2 are 1,200 yuan together in 2020",
        ),
        (
            [{"purposes": ["space"], "at_least_yuan": 600}, {"at_most_share": 0.5}],
            "sources.city.limits.0: the floor of 600 yuan in 2020 is above the ceiling of 500 under limits.1",
        ),
        (
            [{"at_least_share": 0.5, "at_most_yuan": 4}],
            "the floor of 500 yuan in 2020 is above its ceiling of 4; lower the floor or raise the ceiling",
        ),
    ],
)
def test_floors_of_one_source_that_contradict_each_other(limits: list[Row], said: str) -> None:
    with pytest.raises(ValidationError, match="limits") as caught:
        make_scenario(sources={"city": {"amount_yuan": 1000, "limits": limits}})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "limits",
    [
        [{"purposes": ["space"], "at_least_yuan": 600}, {"at_least_yuan": 500}],  # one may count for the other
        [{"purposes": ["space"], "at_least_yuan": 600}, {"purposes": ["space"], "types": ["needy"], "at_most_yuan": 5}],
        [{"purposes": ["space"], "at_least_yuan": 600}, {"purposes": ["work_funds"], "at_least_yuan": 400}],
        [{"at_least_yuan": 600}, {"purposes": ["space"], "at_most_yuan": 5}],
    ],
)
def test_floors_that_can_be_kept_together_are_no_contradiction(limits: list[Row]) -> None:
    make_scenario(sources={"city": {"amount_yuan": 1000, "limits": limits}})
