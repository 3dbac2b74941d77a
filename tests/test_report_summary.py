"""What a plan is said to do: facts, sentences, reasons."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from optimizer.facts import BEFORE, Facts
from optimizer.report.page import page
from optimizer.report.summary import one_stop_text, stations_text, summarise, summarise_folder
from optimizer.report.why import why
from optimizer.run_folder import read_run
from optimizer.scenario import Scenario
from optimizer.words import listed, million, money, percent, printable, share, spelled, thousandths, years_listed
from tests.report_run import city, make_run


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return Facts(read_run(make_run(tmp_path_factory.mktemp("runs") / "small")), city())


def test_sentence_says_what_for_whom_with_what_and_how_sure(facts: Facts) -> None:
    assert summarise(facts).sentence == (
        "This plan gives 6 communities with 15,750 residents work funds, rooms and service stations for 2007–2008; it "
        "raises the part of all needs that is met from 0.19 before it to 0.73 in 2008, costs 656,400 yuan and is "
        "proven within 0.4 % of the best possible."
    )


def test_sentence_says_no_more_than_there_is(facts: Facts) -> None:
    ledger, space = facts.run.ledger, facts.run.space
    run = replace(facts.run, ledger=ledger[ledger["purpose"] != "work_funds"], space=space[:0])
    assert "residents service stations for 2007–2008; " in summarise(Facts(run, facts.city)).sentence
    met = facts.run.met
    last = met["year"] == facts.last
    for part, said in (
        (0.0, "lets the part of all needs met fall from 0.19 before it to 0.00 in 2008"),
        (None, "keeps"),
    ):
        shares = met["met_share"].where(~last, part)
        if part is None:
            first = met[met["year"] == facts.first].set_index(["community", "need"])
            key = list(zip(met["community"], met["need"], strict=True))
            met = met.assign(need_amount=first["need_amount"].loc[key].to_numpy(),
                             persons=first["persons"].loc[key].to_numpy())  # fmt: skip
            before = facts.met_before.set_index(["community", "need"])["met_share"]
            shares = before.reindex(key).fillna(1.0).to_numpy()
        changed = replace(facts.run, met=met.assign(met_share=shares))
        assert said in summarise(Facts(changed, facts.city)).sentence


@pytest.mark.parametrize(
    ("saved", "alone_m2", "said"),
    [
        (2000, 120, "2,000 yuan and 20 m² of floor saved by 1 building"),
        (-2000, 120, "2,000 yuan lost and 20 m² of floor saved by 1 building"),
        (-2000, 100, "2,000 yuan lost by 1 building"),
    ],
)
def test_floor_saved_is_not_lost_where_money_is(saved: int, alone_m2: int, said: str, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    head = "site,community,services,area_m2,alone_m2,cost_yuan,alone_yuan,saved_yuan"
    row = f"house000,c000,2,100,{alone_m2},5000,{5000 + saved},{saved}"
    (folder / "tables" / "one_stop.csv").write_text(f"{head}\n{row}\n", encoding="utf-8")
    assert one_stop_text(Facts(read_run(folder), city())).startswith(said)


@pytest.mark.parametrize("value", [0.124665, 0.1249, 0.3349, -0.0847, 0.2, 0.99499])
def test_the_script_of_a_page_rounds_to_what_is_said_elsewhere(value: float) -> None:
    thousand = thousandths(value)
    assert thousand is not None
    assert f"{thousand / 1000:.2f}" == f"{value:.2f}"


def test_no_share_is_none_in_a_page() -> None:
    assert thousandths(None) is thousandths(float("nan")) is None
    assert isinstance(thousandths(0.25), int)


def test_few_people_are_not_none(facts: Facts) -> None:
    met = facts.run.met.assign(persons=facts.run.met["persons"] / 1e6)
    said = [
        line.text for line in summarise(Facts(replace(facts.run, met=met), facts.city)).lines if line.label == "Not met"
    ]
    assert said
    assert all("the need of less than one person in" in text for text in said)


def test_debts_paid_off_have_a_line(facts: Facts) -> None:
    met, ledger = facts.run.met, facts.run.ledger
    debts = met[met["need"] == "space"].assign(need="debt_relief", met_share=1.0)
    paid = ledger[:1].assign(purpose="debt_relief", yuan=2_000_000)
    run = replace(facts.run, met=pd.concat([met, debts]), ledger=pd.concat([ledger, paid]))
    lines = {line.label: line for line in summarise(Facts(run, facts.city)).lines}
    assert lines["Debt relief"].figure == "2.0 M"
    assert lines["Debt relief"].text == "debts paid off in full by 2008: 5 of 5"


def test_the_tile_of_stations_names_those_that_close(facts: Facts) -> None:
    assert "stations open in 2008: 2 new, 3 enlarged<" in page(facts)
    stations = facts.run.stations.copy()
    kept = stations[(stations["year"] == 2008) & (stations["status"] == "existing")].index[0]
    stations.loc[kept, ["status", "capacity"]] = ["closed", 0.0]
    closing = Facts(replace(facts.run, stations=stations), facts.city)
    assert "1 closed" in stations_text(closing)
    assert "stations open in 2008: 2 new, 3 enlarged, 1 closed<" in page(closing)


def test_lines_name_money_needs_and_what_is_left(facts: Facts) -> None:
    lines = {line.label: line for line in summarise(facts).lines}
    assert lines["Work funds"].text == "every entitled community in full (floor 50,000) in 2008 (2007: 3 of 5)"
    assert lines["Space"].text == "+300 m²; communities at their target: 0 → 0 of 5"
    assert lines["Services"].text == "8 stations open in 2008 (2 new, 3 enlarged)"
    assert lines["Left over"].text == "Lottery fund, limited to library & culture"
    assert "  Services" in summarise(facts).text()


def test_summary_of_a_folder_reads_its_inputs_again(facts: Facts) -> None:
    assert summarise_folder(facts.run.folder).text() == str(summarise(facts))


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_the_summary_is_no_wider_than_the_terminal(facts: Facts, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    whole = summarise(facts).text()
    assert max(map(len, whole.splitlines())) > 100
    monkeypatch.setenv("COLUMNS", str(columns))
    said = summarise(facts).text()
    assert max(map(len, said.splitlines())) <= columns
    assert said.split() == whole.split()


def test_what_the_command_line_changed_stands_under_the_heading(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    assert summarise(facts).text().splitlines()[1] == ""
    record = facts.run.record | {"changes": ["programmes.work_funds.floor_yuan = 60000", "horizon.discount = <b>"]}
    other = Facts(replace(facts.run, record=record), facts.city)
    said = "with programmes.work_funds.floor_yuan = 60000; horizon.discount = <b>"
    assert summarise(other).text().splitlines()[1] == f"      {said}"
    assert f'<p class="changes">{said.replace("<b>", "&lt;b&gt;")}</p>' in page(other)
    assert '<p class="changes">' not in page(facts)


def test_figures_agree_with_the_tables(facts: Facts) -> None:
    assert facts.spent == facts.run.ledger["yuan"].sum() == facts.run.sources["spent_yuan"].sum()
    rows = facts.run.met[(facts.run.met["year"] == facts.last) & (facts.run.met["need_amount"] > 0)]
    heft = rows["persons"] * rows["weight"]
    assert facts.met_by_year[facts.last] == pytest.approx((heft * rows["met_share"]).sum() / heft.sum())
    where, worst = facts.worst(facts.last)
    last = facts.run.scores[facts.run.scores["year"] == facts.last].set_index("community")["score"]
    assert (where, worst) == (last.idxmin(), pytest.approx(last.min()))


def test_communities_set_aside_do_not_count_as_worst_off(facts: Facts) -> None:
    run = replace(facts.run, record=facts.run.record | {"set_aside": ["c005"]})
    aside = Facts(run, facts.city)
    assert facts.worst(facts.last)[0] == "c005"
    assert aside.worst(facts.last)[0] != "c005"
    said = {line.label: line.text for line in summarise(aside).lines}
    assert said["Met needs"].endswith("(Community 2), of all but 1 set aside")
    lowest = share(facts.score_of["c005", facts.last])
    assert said["Set aside"].startswith("1 community that no plan can raise to the level of the others")
    assert f"the lowest first: Community 5 {lowest}; all are listed in report.html" in said["Set aside"]
    assert "set aside" not in summarise(facts).text().lower()
    assert any("set aside" in line for line in why(aside, "c005"))


def test_what_later_goals_took_of_the_worst_off_score_is_said(facts: Facts) -> None:
    stages = [dict(stage) for stage in facts.run.record["stages"]]
    first = next(stage for stage in stages if stage["goal"] == "worst_off")
    value = float(first["value"])
    first.update(reached=value, tolerance=0.05)
    same = Facts(replace(facts.run, record=facts.run.record | {"stages": stages}), facts.city)
    assert "Worst-off" not in {line.label for line in summarise(same).lines}
    first["reached"] = value + 0.05
    taken = Facts(same.run, facts.city)
    said = {line.label: line.text for line in summarise(taken).lines}["Worst-off"]
    high, low = share(value + 0.05), share(value)
    assert (
        said == f"Over all years the lowest score is {low}; its goal reached {high}, of which later goals may take 5 %"
    )
    made = page(taken)
    assert f"(o{said[1:]})" in made
    rows = made.split("<caption>Goals, one after another")[1].split("</table>")[0]
    assert f"{value + 0.05:.4f}" in rows
    assert f"{value:.4f}" in rows


def test_reasons_name_class_entitlement_rooms_and_reach(facts: Facts) -> None:
    said = why(facts, "c002")
    assert said[0] == "Guidance class: Material support. It has too little of its own."
    assert "(the floor of 50,000 yuan plus 20 % of it for its type (urban–rural fringe)); " in said[1]
    assert "gets it in full" in said[1]
    assert "200 m² on offer to it are not taken" in said[2]
    far = (
        "no station that could serve it, and no building that could hold one, lies within 1,500 m walking of its office"
    )
    assert any(f"{far} in the same sub-district" in line for line in said)
    rich = why(facts, "c005")
    assert "no work funds and space" in rich[0]
    assert not any(line.startswith("Work funds") for line in rich)


def changed(facts: Facts, keys: str, value: object) -> Facts:
    """The same tables under a scenario with one key changed."""
    values = facts.run.scenario.model_dump()
    *inside, last = keys.split(".")
    part = values
    for key in inside:
        part = part[key]
    part[last] = value
    return Facts(replace(facts.run, scenario=Scenario.model_validate(values)), facts.city)


def test_the_entitlement_names_every_indicator_and_own_income(facts: Facts) -> None:
    """c000 has 80 people laid off of 2,000, an income of 10,000 and a debt of 600,000 yuan, of which 1 % is served."""
    indicators = [
        {"column": "laid_off", "per": "population", "full_at": 0.1, "weight": 0.5},
        {"column": "elderly", "full_at": 100.0, "weight": 0.05},
        {"column": "children", "none_at": 400.0, "full_at": 800.0, "weight": 0.3},
    ]
    wider = changed(facts, "programmes.work_funds.care_indicators", indicators)
    wider = changed(wider, "programmes.work_funds.care_hardship", 0.1)
    wider = changed(wider, "programmes.work_funds.own_income", {"share": 0.5, "debt_service_share": 0.01})
    assert (
        "(the floor of 50,000 yuan plus 20 % of it for its type (urban–rural fringe) plus 10 % of it for hardship plus "
        "20 % of it for laid off per population plus 5 % of it for elderly, less 2,000 of its own income)"
    ) in why(wider, "c000")[1]


def test_own_income_that_stands_in_for_all_work_funds_is_said(facts: Facts) -> None:
    rich = changed(facts, "programmes.work_funds.own_income", {"share": 1.0})
    grants = rich.run.grants.assign(entitled_yuan=0, grant_yuan=0)
    none = Facts(replace(rich.run, grants=grants), rich.city)
    said = "Work funds: none due in 2008, as 10,000 yuan of its own income stand in for them."
    assert why(none, "c002")[1] == said
    assert not any(line.startswith("Work funds") for line in why(none, "c005"))  # its class gets none anyway


def test_reach_is_travel_and_not_the_straight_line(facts: Facts) -> None:
    """From c001 the house in c000 is 1,275 m away as the crow flies, 2,000 m along the street."""
    met = facts.run.met
    short = Facts(replace(facts.run, met=met.assign(met_share=met["met_share"].where(met["need"] != "library", 0.0))),
                  facts.city)  # fmt: skip
    assert any("within 1,500 m walking of its office" in line for line in why(short, "c001"))
    reaching = "the stations it can reach are too small or not opened"
    assert not any(reaching in line for line in why(short, "c001"))
    assert any(reaching in line for line in why(changed(short, "programmes.services.library.limit_m", 2_100), "c001"))
    timed = changed(changed(short, "programmes.services.library.limit_m", 2_100),
                    "programmes.services.library.limit_minutes", 10.0)  # fmt: skip
    assert any("within 2,100 m and 10 minutes walking of its office" in line for line in why(timed, "c001"))


@pytest.mark.parametrize(
    ("column", "value"), [("must", "leave"), ("first_year", 2009), ("lead_years", 2), ("instrument", "swap")]
)
def test_rooms_that_no_plan_can_have_are_not_on_offer(facts: Facts, column: str, value: object) -> None:
    sites = facts.city.sites
    mine = sites["site"] == "room002"
    changed_city = replace(facts.city, sites=sites.assign(**{column: sites[column].where(~mine, value)}))
    found = changed(facts, "programmes.space.instruments", ["rent", "build"])
    said = why(Facts(found.run, changed_city), "c002")[2]
    assert said == "Space: 100 of 300 m² in 2008; no rooms that could be added to its office are on offer."
    assert "200 m² on offer to it are not taken" in why(found, "c002")[2]


def test_money_that_is_used_up_is_named(facts: Facts) -> None:
    sources = facts.run.sources.copy()
    city_money = sources["source"] == "city_finance"
    sources.loc[city_money, "amount_yuan"] = sources.loc[city_money, "spent_yuan"]
    sources.loc[city_money, "lapsed_yuan"] = 0
    tight = Facts(replace(facts.run, sources=sources), facts.city)
    assert tight.binding == {"city_finance": [2007, 2008]}
    assert any("City finance (2007–2008)" in line for line in why(tight, "c000"))
    assert any(line.text == "City finance (2007–2008)" for line in summarise(tight).lines)


def test_stopped_and_unproven_plans_are_called_that(facts: Facts) -> None:
    stopped = Facts(replace(facts.run, record=facts.run.record | {"status": "stopped by hand"}), facts.city)
    assert "stopped by hand" in summarise(stopped).headline
    assert summarise(stopped).warnings
    unproven = Facts(replace(facts.run, record=facts.run.record | {"gap": None, "status": "feasible"}), facts.city)
    assert "without a proof" in summarise(unproven).sentence
    far = Facts(replace(facts.run, record=facts.run.record | {"gap": 4.85, "status": "stopped by time"}), facts.city)
    assert summarise(far).headline.endswith("hardly anything proven of how good it is, stopped by time")


def test_a_plan_that_meets_all_is_not_called_unproven_for_its_last_digits(facts: Facts) -> None:
    stage = {"goal": "unmet_need", "value": 8.8e-6, "bound": 0.0, "gap": 1.0, "status": "feasible"}
    record = facts.run.record | {"gap": 1.0, "status": "feasible", "stages": [stage]}
    met = summarise(Facts(replace(facts.run, record=record), facts.city))
    assert met.headline.endswith("proven to leave no need unmet")
    assert not met.warnings
    travel = {"goal": "travel", "value": 5.0, "bound": 1.0, "gap": 0.8, "status": "feasible"}
    far = summarise(Facts(replace(facts.run, record=record | {"stages": [stage, travel]}), facts.city))
    assert "at least one goal ended before its gap was reached" in far.warnings[0]


def test_years_with_the_same_count_are_told_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Facts(read_run(make_run(tmp_path / "four", years=4)), city())

    def lines(full: dict[int, int], entitled: int) -> dict[str, str]:
        monkeypatch.setattr(Facts, "at_full", lambda _self, _need, year: (full.get(year, 0), entitled))
        return {line.label: line.text for line in summarise(found).lines}

    some = lines({2007: 3, 2008: 3, 2009: 4, 2010: 5}, 5)["Work funds"]
    assert some.endswith("in full: 2007–2008: 3 of 5, 2009: 4 of 5, 2010: all")
    always = lines(dict.fromkeys(range(2007, 2011), 3), 5)["Work funds"]
    assert always == "communities that get their entitlement (floor 50,000) in full in every year: 3 of 5"
    assert lines({}, 0)["Work funds"] == "no community is entitled to any"
    assert lines({}, 0)["Space"].endswith("m²; no community has a target")


def test_one_year_plan_reads_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    single = summarise(Facts(read_run(make_run(tmp_path / "one", years=1)), city()))
    assert (
        "for 2007; it raises the part of all needs that is met from 0.19 before it to 0.71 in 2007" in single.sentence
    )
    assert "0.19 (before the plan) → 0.71 (2007) of all needs" in single.text()
    assert "communities that get their entitlement (floor 50,000) in full: 3 of 5\n" in single.text()


def test_before_the_plan_is_what_stands_already(facts: Facts) -> None:
    """c000: half its visits at a desk that stands, 60 of 300 m² in its office, no grant, no seat in a library."""
    had = facts.met_before.set_index(["community", "need"])["met_share"]["c000"]
    assert had.to_dict() == pytest.approx({"work_funds": 0.0, "space": 0.2, "affairs": 0.5, "library": 0.0})
    assert facts.score_of["c000", BEFORE] == pytest.approx(0.7 / 4)
    assert facts.gains["c000"] == pytest.approx(facts.score_of["c000", facts.last] - 0.7 / 4)
    floor = facts.city.facilities.assign(
        service="library", site=facts.city.sites["site"][0], spare_m2=5.0, area_m2=15.0, community="c000"
    )[:2]
    facilities = pd.concat([facts.city.facilities, floor])
    shared = Facts(facts.run, replace(facts.city, facilities=facilities))
    assert shared.met_before.set_index(["community", "need"])["met_share"]["c000", "space"] == pytest.approx(20 / 300)


def test_record_without_optional_keys_is_enough(tmp_path: Path) -> None:
    made = make_run(tmp_path / "bare")
    (made / "run.json").write_text(json.dumps({"scenario": "base", "status": "feasible"}), encoding="utf-8")
    assert "without a proof" in summarise(Facts(read_run(made), city())).sentence


def test_words() -> None:
    assert [share(v) for v in (0, 0.001, 0.5, 0.9999, 1)] == ["0.00", "<0.01", "0.50", "0.99", "1.00"]
    assert [percent(v) for v in (0, 0.00001, 0.003, 0.25)] == ["0 %", "<0.01 %", "0.3 %", "25 %"]
    assert years_listed([2009, 2007, 2008, 2011]) == "2007–2009 and 2011"
    assert listed("abcdef", 3) == "a, b and 4 more"
    assert money(1_234_567, "yuan") == "1.2 million yuan"
    assert (million(0), million(45_000), million(2_340_000)) == ("0.0", "0.045", "2.3")
    assert spelled("urban_rural_fringe") == "Urban rural fringe"
    assert printable("a\x1b[31mb\n") == "a[31mb"
