"""Scenario files: what they inherit, what they change, and what is said about every mistake."""

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.scenario_file import (
    NoScenarioError,
    ScenarioError,
    find_scenario,
    json_schema,
    load_scenario,
    resolved_yaml,
    scenario_hash,
    shipped,
)
from optimizer.yaml_tree import read_tree

BASE = """\
name: town
title: A town
horizon: {first_year: 2007, years: 5}
types:
  core: {care: 0.2, weights: {space: 2}}
  fringe: {}
guidance:
  rich: {when: {own_income_yuan: {at_least: 500000}}, purposes: []}
  rest: {purposes: [work_funds, space, services]}
programmes:
  work_funds: {floor_yuan: 50_000, ceiling_yuan: 90000}
  services:
    health: {siting: network, limit_m: 1000}
    legal: {siting: own}
sources:
  city: {role: city, amount_yuan: [1, 2, 3, 4, 5], purposes: [work_funds, space]}
  county: {role: district, amount_yuan: 7, growth: 0.1}
co_funding:
  - {of: city, ratio: 1}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "town.yaml").write_text(BASE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str, name: str = "change.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def findings(folder: Path, text: str, *overrides: str, head: str = "extends: town\n") -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(write(folder, head + text), overrides)
    return caught.value.findings


def one(folder: Path, text: str, *overrides: str) -> str:
    found = findings(folder, text, *overrides)
    assert len(found) == 1, found
    return found[0]


# ---- inheriting


def test_mappings_are_merged_lists_replaced_and_null_deletes(folder: Path) -> None:
    text = "extends: town\nsources:\n  county: null\n  city: {purposes: [space], amount_yuan: 9}\nco_funding: null\n"
    text += "programmes: {work_funds: {ceiling_yuan: null}}\n"
    scenario = load_scenario(write(folder, text)).scenario
    assert list(scenario.sources) == ["city"]
    assert scenario.sources["city"].purposes == ["space"]
    assert scenario.sources["city"].role == "city"
    assert scenario.co_funding == []
    assert scenario.programmes.work_funds.ceiling_yuan is None
    assert scenario.programmes.work_funds.floor_yuan == 50_000


@pytest.mark.parametrize("said", ["null", "", "2"])
def test_null_is_kept_where_it_says_something(folder: Path, said: str) -> None:
    def gap(name: str, *changes: str) -> int | None:
        closing = load_scenario(name, changes).scenario.services["health"].closing
        assert closing is not None
        return closing.longest_gap_years

    key, meant = "programmes.services.health.closing.longest_gap_years", int(said) if said.isdigit() else None
    inside = "programmes: {services: {health: {closing: {longest_gap_years: %s}}}}\n"
    write(folder, "extends: town\n" + inside % said, "kept.yaml")
    write(folder, "extends: kept\n" + inside % 1, "again.yaml")
    write(folder, "extends: again\n" + inside % said, "back.yaml")
    assert (gap("kept"), gap("again"), gap("back")) == (meant, 1, meant)
    assert (gap("again", f"{key}={said}"), gap("kept", f"{key}=null")) == (meant, None)


def test_a_chain_is_followed_through_folders(folder: Path) -> None:
    (folder / "sub").mkdir()
    write(folder, "extends: ../town.yaml\nhorizon: {years: 5, price_growth: 0.1}\n", "sub/middle.yaml")
    loaded = load_scenario(write(folder, "extends: sub/middle.yaml\nhorizon: {discount: 0.05}\n"))
    assert (loaded.scenario.horizon.price_growth, loaded.scenario.horizon.discount) == (0.1, 0.05)
    assert loaded.path == (folder / "change.yaml").resolve()
    assert loaded.resolved["horizon"]["first_year"] == 2007


def test_name_and_title_are_each_files_own(folder: Path) -> None:
    scenario = load_scenario(write(folder, "extends: town\n", "Less Money-2.yaml")).scenario
    assert (scenario.name, scenario.title) == ("less_money_2", "")


def test_a_scenario_in_a_folder_of_its_own_is_named_after_it(folder: Path) -> None:
    (folder / "my-city").mkdir()
    path = write(folder, BASE.replace("name: town\n", ""), "my-city/scenario.yaml")
    assert load_scenario(path).scenario.name == "my_city"
    assert find_scenario("my-city") == Path("my-city/scenario.yaml")


def test_new_guidance_goes_before_what_is_inherited(folder: Path) -> None:
    text = "extends: town\nguidance:\n  poor: {when: {debt_yuan: {at_least: 1}}, purposes: [space]}\n"
    assert list(load_scenario(write(folder, text)).scenario.guidance) == ["poor", "rich", "rest"]


def test_a_file_beside_wins_over_one_that_ships(folder: Path) -> None:
    write(folder, BASE, "base.yaml")
    assert load_scenario(write(folder, "extends: base\n")).scenario.sources["county"].growth == 0.1
    assert find_scenario("base") == shipped()["base"]
    assert find_scenario("base.yaml") == Path("base.yaml")


def test_cycles_are_reported_where_they_close(folder: Path) -> None:
    write(folder, "extends: change.yaml\n", "other.yaml")
    said = findings(folder, "", head="extends: other.yaml\n")
    place = "other.yaml:1:10  extends = change.yaml"
    assert said == [f"{place}  goes round in a circle: change.yaml -> other.yaml -> change.yaml; take one extends out"]


def test_extends_of_itself_and_of_nothing(folder: Path) -> None:
    assert "circle" in findings(folder, "", head="extends: change.yaml\n")[0]
    said = findings(folder, "", head="extends: twon\n")
    assert said == ["change.yaml:1:10  extends = twon  there is no such scenario; did you mean town?"]
    assert "must be the name" in findings(folder, "", head="extends: [town]\n")[0]


def test_paths_of_data_are_relative_to_the_file_that_states_them(folder: Path) -> None:
    (folder / "sub").mkdir()
    write(folder, BASE + "data: {path: city.gpkg, layers: {needs: {path: ../needs.csv}}}\n", "sub/local.yaml")
    scenario = load_scenario(write(folder, "extends: sub/local.yaml\n")).scenario
    assert scenario.data.path == str((folder / "sub" / "city.gpkg").resolve())
    assert scenario.data.layers["needs"].path == str((folder / "needs.csv").resolve())
    here = load_scenario("change.yaml", ["data.path=x/y.gpkg"]).scenario
    assert here.data.path == str((folder / "x" / "y.gpkg").resolve())
    assert load_scenario("town.yaml").scenario.data.path == "mianyang"


def test_data_that_is_not_there_is_found_with_its_line(folder: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(write(folder, "extends: town\ndata:\n  path: nowhere.gpkg\n"), data_must_exist=True)
    assert caught.value.findings[0].startswith("change.yaml:3:9  data.path = ")
    assert "there is no such file or folder" in caught.value.findings[0]


# ---- changes on the command line


def test_overrides_are_yaml_and_reach_into_lists(folder: Path) -> None:
    del folder
    changes = ["horizon.years=3", "sources.city.amount_yuan=[1,2,3]", "programmes.work_funds.ceiling_yuan=null"]
    changes += [
        "co_funding.0.ratio=2",
        "sources.gift={amount_yuan: 5, role: donor}",
        "title=Drei: Jahre" * 0 + "title=x=y",
    ]
    scenario = load_scenario("town", changes).scenario
    assert (scenario.horizon.years, scenario.programmes.work_funds.ceiling_yuan) == (3, None)
    assert (scenario.co_funding[0].ratio, scenario.sources["gift"].role, scenario.title) == (2, "donor", "x=y")


def test_goals_are_reached_by_name(folder: Path) -> None:
    path = write(folder, "extends: town\ngoals: [{goal: travel}, {goal: spending, gap: 0.5}]\n")
    assert load_scenario(path, ["goals.spending.gap=0.25"]).scenario.goals[1].gap == 0.25


def test_years_cut_longer_lists(folder: Path) -> None:
    del folder
    scenario = load_scenario("town", years=2).scenario
    assert scenario.amounts_yuan("city") == [1, 2]
    with pytest.raises(ScenarioError, match="has 5 amounts for 7 years"):
        load_scenario("town", years=7)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("horizon.yers=3", "--set  horizon.yers  unknown key; did you mean years?"),
        ("horizon.years", "--set  horizon.years  write KEY=VALUE"),
        ("=3", "write KEY=VALUE"),
        ("horizon..years=3", "write KEY=VALUE"),
        ("horizon.years=[", "is not valid YAML"),
        ("co_funding=[{purpose:work_funds, of: city, ratio: 1}]", "put a blank after the colon: purpose: work_funds"),
        ("sources.city.limits=[{at_least_share:0.9,purposes:[space]}]", "put a blank after every colon"),
        ("horizon.years.x=3", "horizon.years holds no keys"),
        ("co_funding.7.ratio=3", "co_funding.7 holds no keys"),
        ("sources.citi.scale=0.9", "or did you mean sources.city?"),
        ("floor_yuan=3", "it stands under programmes.work_funds"),
        ("horizon.years=many", "--set  horizon.years = many  must be a whole number, at least 1 and at most 30"),
    ],
)
def test_overrides_that_are_wrong(folder: Path, change: str, said: str) -> None:
    assert said in one(folder, "", change)


def test_fewer_years_cut_every_list_of_yearly_amounts(folder: Path) -> None:
    del folder
    changes = ["sources.city.amount_yuan=[5,6,7]", "sources.city.committed_yuan=[1,2,3]"]
    source = load_scenario("town", changes, years=2).scenario.sources["city"]
    assert (source.amount_yuan, source.committed_yuan) == ([5, 6], [1, 2])


# ---- mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "sources:\n  city:\n    amuont_yuan: 3\n",
            "change.yaml:4:5  sources.city.amuont_yuan  unknown key; did you mean amount_yuan?",
        ),
        (
            "sources: {city: {amount_yuan: null, amount_wan: 12.5}}\n",
            "wrong unit wan; this value is given in yuan: write amount_yuan: 125000",
        ),
        ("programmes: {work_funds: {floor_wan_yuan: 5}}\n", "write floor_yuan: 50000"),
        ("programmes: {work_funds: {floor: 5}}\n", "the unit belongs to the name: write floor_yuan"),
        ("programmes: {services: {health: {limit_km: 1.5}}}\n", "write limit_m: 1500"),
        ("programmes: {space: {target_mu: 3}}\n", "write target_m2: 2000"),
        ("solver: {time_limit_minutes: 5}\n", "write time_limit_seconds: 300"),
        ("programmes: {space: {hall_percent_of_target: 30}}\n", "write hall_share_of_target: 0.3"),
        ("floor_yuan: 3\n", "unknown key here; it stands under programmes.work_funds"),
        ("nonsense: 3\n", "unknown key; keys here are name, title"),
        (
            "programmes:\n  work_funds:\n    floor_yuan: 50,000\n",
            "change.yaml:4:17  programmes.work_funds.floor_yuan = 50,000  must be a number, at least 0 and ",
        ),
        ("programmes: {work_funds: {floor_yuan: '50,000'}}\n", "10,000,000; write 50000"),
        ("programmes: {work_funds: {floor_yuan: 5万}}\n", "write 50000"),
        ("programmes: {work_funds: {floor_yuan: '５0000'}}\n", "write 50000"),
        ("programmes: {work_funds: {floor_yuan: true}}\n", "must be a number"),
        ("programmes: {work_funds: {hard_floor: yes}}\n", "must be true or false; write true"),
        ("programmes: {work_funds: {floor_yuan: .inf}}\n", "is not a finite number"),
        (
            "sources: {county: {amount_yuan: .nan}}\n",
            "change.yaml:2:33  sources.county.amount_yuan = .nan  is not a fini",
        ),
        ("sources: {city: {amount_yuan: [1, 2, .nan, 4, 5]}}\n", "sources.city.amount_yuan.2 = .nan  is not a finite"),
        ("programmes: {work_funds: {floor_yuan: -5}}\n", "is below 0, the smallest allowed"),
        ("horizon: {years: 2.0}\n", "must be a whole number, at least 1 and at most 30; write 2"),
        ("sources: {city: {scale: 10%}}\n", "write 0.1"),
        (
            "sources: {city: {carry_limit_share: 30}}\n",
            "is above 1, the largest allowed; a share, not per cent: write 0.3?",
        ),
        ("sources: {city: {purposes: space}}\n", "must be a list; write [space]"),
        ("sources: {city: {districts: [510703]}}\n", 'must be text; put it in quotes: "510703"'),
        ("sources: {city: {purposes: [work_fund]}}\n", "did you mean work_funds?"),
        ("sources: {city: {amount_yuan: [1, 2, x, 4, 5]}}\n", "sources.city.amount_yuan.2 = x  must be a number"),
        ("sources: {city: {amount_yuan: plenty}}\n", "sources.city.amount_yuan = plenty  must be a number"),
        ("sources: {city: {ceiling_share: {spaces: 1}}}\n", "unknown key; it must be one of"),
        ("sources: {City2: {amount_yuan: 3}}\n", "names have small letters"),
        ("sources: {cyti: {scale: 0.9}}\n", "sources.cyti.amount_yuan  is missing; give a number or a list of numbers"),
        ("sources: {gone: null}\n", "there is nothing inherited that null could delete"),
        ("sources: [1]\n", "sources = [1]  must be a mapping of keys to values"),
        ("horizon: {first_year: null}\n", "change.yaml:2:11  horizon.first_year  is deleted here but must be given"),
        ("programmes: {services: {health: {siting: netwrk}}}\n", "must be one of own, network; did you mean network?"),
        (
            "sources:\n  city: {scale: 1}\n  city: {scale: 2}\n",
            "change.yaml:4:3  sources.city  duplicate key, first given in line 3",
        ),
        ("title: !python/name:os.system x\n", "YAML tags are not used"),
        ("types:\n  a: &a {care: 1}\n  b:\n    <<: *a\n", "merge keys are not used"),
        ("horizon: {years: 30, first_year: 2007, years: 5}\n", "duplicate key"),
        ("a: &a [*a]\n", "deep"),
    ],
)
def test_mistakes(folder: Path, text: str, said: str) -> None:
    found = findings(folder, text)
    assert any(said in finding for finding in found), found
    assert all(finding.startswith(("change.yaml:", "town.yaml:")) for finding in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "programmes: {work_funds: {floor_yuan: 95000}}\n",
            "town.yaml:11:50  programmes.work_funds.ceiling_yuan = 90000",
        ),
        ("types: {core: {weights: {spice: 1}}}\n", "there is no such need; needs are health, legal"),
        ("sources: {city: {services: [health]}}\n", "purposes has no service_capital"),
        ("sources: {city: {services: [helth], purposes: [service_capital]}}\n", "unknown service 'helth'"),
        ("sources: {city: {purposes: []}}\n", "this source may pay for nothing; name a purpose or remove the source"),
        ("sources: {county: {amount_yuan: [1, 2]}}\n", "has 2 amounts for 5 years"),
        (
            "horizon: {years: 4}\n",
            "town.yaml:16:22  sources.city.amount_yuan = [1, 2, 3, 4, 5]  has 5 amounts for 4 years",
        ),
        ("co_funding: [{of: county, ratio: 1}]\n", "change.yaml:2:19  co_funding.0.of = county"),
        ("guidance: {rest: null}\n", "the last class must fit all"),
        ("goals: [{goal: travel}, {goal: travel}]\n", "a goal is named twice"),
        ("goals: [{goal: unmet_need}, {goal: worst_off}]\n", "worst_off comes after unmet_need; name it first"),
        ("goals: [{goal: worst_off}, {goal: travel}, {goal: unmet_need}]\n", "travel comes before unmet_need; name it"),
        (
            "programmes: {services: {health: {min_capacity: 5, max_capacity: 4}}}\n",
            "min_capacity = 5  is above max_capacity",
        ),
        ("programmes: {services: {health: {limit_m: null}}}\n", "programmes.services.health.limit_m  must be above 0"),
    ],
)
def test_contradictions(folder: Path, text: str, said: str) -> None:
    assert said in one(folder, text)


def test_all_mistakes_about_money_are_reported_at_once_with_their_lines(folder: Path) -> None:
    text = """\
sources:
  city:
    amount_yuan: [1, 2, -3, 4, 5]
    limits: [{at_least_yuan: 9, at_most_yuan: 8}]
  county:
    committed_yuan: 8
    limits: [{at_most_yuan: 5, types: [rich]}]
  fund:
    amount_yuan: 10
    lasts_years: 3
    limits: [{at_least_share: 0.5, at_most_yuan: 4}]
co_funding:
  - {of: city, payer: fund, ratio: 1}
  - {of: fund, payer: city, ratio: 1, cap_yuan: -1}
"""
    found = findings(folder, text)
    for said in (
        "change.yaml:4:25  sources.city.amount_yuan.2 = -3  is below 0",
        "at_least_yuan = 9  is above at_most_yuan = 8",
        "8 yuan of 2007 are spoken for, but there are only 7",
        "unknown type 'rich'",
        "lasts_years = 3  has no effect, because nothing may be carried over",
        "the floor of 5 yuan in 2007 is above its ceiling of 4",
        "goes in a circle: city waits for fund waits for city",
        "cap_yuan = -1  is below 0",
    ):
        assert any(said in finding for finding in found), (said, found)
    assert all(finding.startswith("change.yaml:") for finding in found), found


def test_all_mistakes_are_reported_at_once_contradictions_included(folder: Path) -> None:
    text = """\
types: {core: {weights: {spice: 1}}}
programmes:
  work_funds: {floor_yuan: many}
  services: {park: {siting: network}}
sources: {city: {amuont_yuan: 3, services: [health]}}
co_funding: [{of: cty, ratio: x}]
"""
    found = findings(folder, text)
    words = ("spice", "many", "park.limit_m", "amuont", "purposes has no", "no source 'cty'", "ratio = x")
    assert len(found) == len(words)
    assert all(any(word in finding for finding in found) for word in words), found


def test_what_is_inherited_is_reported_where_it_stands(folder: Path) -> None:
    write(folder, BASE.replace("floor_yuan: 50_000", "floor_yuan: 5e9"), "town.yaml")
    assert one(folder, "title: x\n").startswith(
        "town.yaml:11:28  programmes.work_funds.floor_yuan = 5000000000  is above"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"- 1\n", "must be a mapping"),
        (b"name: [1\nb: 2\n", "x.yaml:2:2  is not valid YAML"),
        (b"a:\n\t- 1\n", "indent with blanks"),
        ("title: 绵阳".encode("gbk"), "line 1 is not UTF-8 text; save the file as UTF-8"),
        (b"\x00", "is not valid YAML"),
        (b"a: 1\n---\nb: 2\n", "is not valid YAML"),
        (b"a: *nothing\n", "is not valid YAML"),
        (b"[" * 5000, "deep"),
    ],
)
def test_files_that_are_no_scenarios(folder: Path, content: bytes, said: str) -> None:
    (folder / "x.yaml").write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load_scenario("x.yaml")
    assert len(caught.value.findings) == 1
    assert said in caught.value.findings[0]


def test_a_name_that_is_nothing(folder: Path) -> None:
    del folder
    with pytest.raises(NoScenarioError, match="did you mean base"):
        load_scenario("bse")
    with pytest.raises(NoScenarioError):
        load_scenario("sub/none.yaml")


def test_yaml_1_2_and_a_byte_order_mark(folder: Path) -> None:
    path = folder / "x.yaml"
    path.write_text("a: no\nb: 010\nc: 1e3\nd: 0o17\ne: 2006-12-01\nf:\n5: 1_000\n", encoding="utf-8-sig")
    values = read_tree(path).values
    assert values == {"a": "no", "b": 10, "c": 1000.0, "d": 15, "e": "2006-12-01", "f": None, "5": 1000}


def test_errors_travel_between_processes(folder: Path) -> None:
    del folder
    error = ScenarioError(["a", "b"])
    assert pickle.loads(pickle.dumps(error)).findings == ["a", "b"]
    assert str(error).endswith("2 errors")


# ---- what is written


@pytest.mark.parametrize("name", list(shipped()))
def test_shipped_scenarios_load_and_come_back_from_their_resolved_text(name: str, tmp_path: Path) -> None:
    loaded = load_scenario(name)
    text = resolved_yaml(loaded.scenario)
    again = load_scenario(write(tmp_path, text, "scenario.resolved.yaml"))
    assert again.scenario == loaded.scenario
    assert resolved_yaml(again.scenario) == text
    assert loaded.scenario.name == name


def test_the_hash_follows_what_decides_the_plan(folder: Path) -> None:
    loaded = load_scenario("town").scenario
    assert scenario_hash(loaded) == scenario_hash(load_scenario("town", ["solver.threads=7"]).scenario)
    assert scenario_hash(loaded) != scenario_hash(load_scenario("town", ["solver.seed=7"]).scenario)
    write(folder, BASE + "data: {path: a/city.gpkg}\n", "one.yaml")
    write(folder, BASE + "data: {path: b/city.gpkg}\n", "two.yaml")
    assert scenario_hash(load_scenario("one").scenario) == scenario_hash(load_scenario("two").scenario)


WORDS = st.text(max_size=12)


@given(title=WORDS, unit=WORDS, district=WORDS)
def test_any_text_survives_the_resolved_file(
    title: str, unit: str, district: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.yaml"
    path.write_text(BASE, encoding="utf-8")
    scenario = load_scenario(path).scenario
    city = scenario.sources["city"].model_copy(update={"districts": [district]})
    changed = scenario.model_copy(update={"title": title, "sources": {"city": city}, "co_funding": []})
    service = scenario.services["legal"].model_copy(update={"unit": unit})
    programmes = scenario.programmes.model_copy(
        update={"services": {"health": scenario.services["health"], "legal": service}}
    )
    changed = changed.model_copy(update={"programmes": programmes})
    path.write_text(resolved_yaml(changed), encoding="utf-8", newline="\n")
    assert load_scenario(path).scenario == changed


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(
        [
            "horizon",
            "types",
            "guidance",
            "programmes",
            "sources",
            "co_funding",
            "goals",
            "solver",
            "data",
            "name",
            "extends",
            "programmes.services.health",
            "sources.city",
            "co_funding.0",
        ]
    ),
)
def test_no_value_anywhere_makes_more_than_findings(
    tmp_path_factory: pytest.TempPathFactory, value: object, key: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.yaml"
    path.write_text(BASE, encoding="utf-8")
    try:
        load_scenario(path, [f"{key}={json.dumps(value)}"])
    except ScenarioError as error:
        found = error.findings
    else:
        return
    assert found
    assert all("\n" not in finding for finding in found)


@given(st.binary(max_size=60))
def test_no_bytes_make_more_than_findings(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError):
        load_scenario(path)


def test_the_json_schema_accepts_what_ships_and_refuses_unknown_keys() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in shipped().values():
        assert list(validator.iter_errors(read_tree(path).values)) == []
    assert list(validator.iter_errors({"extends": "base", "sources": {"city": None}})) == []
    assert list(validator.iter_errors({"extends": "base", "horizon": {"yers": 3}})) != []
    assert json.dumps(schema) == json.dumps(json_schema())


def test_changes_are_kept_as_they_are_read(folder: Path) -> None:
    path = write(folder, "extends: town\n")
    assert load_scenario(path, years=1).changes == ()
    asked = ["horizon.discount=0.03", "horizon.discount= 0.04", " rule={split: equal}"]
    assert load_scenario(path, asked).changes == ("horizon.discount = 0.04", "rule = {split: equal}")
