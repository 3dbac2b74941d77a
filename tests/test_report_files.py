"""The files a run folder ends with: page, workbook and map layers."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest

from optimizer.facts import Facts
from optimizer.report import write_report
from optimizer.report.fairness_section import fairness_section
from optimizer.report.html import asset, embedded, tag, text
from optimizer.report.page import page
from optimizer.run_folder import COLUMNS, RunError, read_run, read_run_city
from tests.report_run import HOSTILE, Page, make_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_run(tmp_path_factory.mktemp("runs") / "a run 运行")
    run = read_run(made)
    write_report(made, read_run_city(run), run.scenario)
    return made


@pytest.fixture(scope="module")
def facts(folder: Path) -> Facts:
    run = read_run(folder)
    return Facts(run, read_run_city(run))


def test_a_station_that_is_enlarged_and_then_closed_is_closed(facts: Facts) -> None:
    there = facts.run.stations
    one = there[(there["site"] == "office000") & (there["service"] == "affairs")]
    assert one["status"].tolist() == ["existing", "upgraded"]
    end = one.tail(1).assign(year=facts.last + 1, status="closed", capacity=0.0, area_m2=0.0)
    gone = Facts(replace(facts.run, stations=pd.concat([there, end], ignore_index=True)), facts.city).stations
    row = gone[(gone["site"] == "office000") & (gone["service"] == "affairs")]
    assert row[["change", "change_year", "capacity"]].to_numpy().tolist() == [["closed", facts.last + 1, 0.0]]


def test_a_station_is_what_became_of_it_though_another_level_in_its_place_closes(facts: Facts) -> None:
    there = facts.run.stations
    one = there[(there["site"] == "office000") & (there["service"] == "affairs")]
    centre = one.tail(1).assign(level="centre", year=facts.first, status="closed", capacity=0.0, area_m2=0.0)
    both = Facts(replace(facts.run, stations=pd.concat([there, centre], ignore_index=True)), facts.city).stations
    row = both[(both["site"] == "office000") & (both["service"] == "affairs")]
    assert row[["change", "change_year", "capacity"]].to_numpy().tolist() == [["upgraded", facts.last, 900.0]]


def test_the_run_folder_keeps_its_contract(folder: Path, shared: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(shared / "check_run.py"), str(folder)], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout


def test_equal_folders_give_equal_files(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    for name in ("plan.gpkg", "plan.xlsx", "report.html"):
        (again / name).unlink()
    run = read_run(again)
    write_report(again, read_run_city(run), run.scenario)
    for name in ("plan.gpkg", "plan.xlsx", "report.html"):
        digests = [hashlib.sha256((f / name).read_bytes()).hexdigest() for f in (folder, again)]
        assert digests[0] == digests[1], name


def test_levels_of_leximin_are_a_table_of_the_lowest_and_the_highest(facts: Facts) -> None:
    names = [str(name) for name in facts.communities.index]
    levels: list[dict[str, object]] = [
        {"level": 0.01 * n, "bound": 0.01 * n + 0.002 * (n == 1), "proven": n != 2, "communities": names[:1]}
        for n in range(1, 14)
    ]
    levels.append({"level": 0.9, "bound": 0.9, "proven": True, "communities": names})
    said = {"step": 0.005, "scope": "all plans", "complete": False, "levels": levels}
    fairness = {
        "epsilon": 0.5,
        **{
            when: {f"{k}{end}": 0.1 for k in ("mean", "gini", "atkinson", "theil") for end in ("", "_persons")}
            for when in ("before", "after")
        },
        "envy": {"alike": 0.9, "clearly_less": 0.8, "pairs": 0, "worst": []},
    }
    record = {**facts.run.record, "leximin": said, "fairness": fairness}
    made = fairness_section(Facts(replace(facts.run, record=record), facts.city))
    page = Page(f"<html><body>{made}</body></html>")
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", made.split("levels-table")[1].split("</table>")[0])
    cells = [re.sub(r"<[^>]+>", "|", row) for row in rows]
    assert len(cells) == 11
    assert [cell.split("|")[0] for cell in cells[:2]] == ["0.010", "0.020"]
    assert "within 0.002" in cells[0]
    assert "not proven" in cells[1]
    assert cells[-1].startswith("0.900|")
    assert "3 levels between them are in run.json" in made
    assert "might be raised further" in made
    assert not page.wrong


def test_page_is_whole_and_needs_no_network(folder: Path) -> None:
    content = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(content)
    assert not page.wrong
    assert not page.stack
    assert len(page.ids) == len(set(page.ids))
    assert ("html", {"lang": "en"}) in page.tags
    outside = [a for _, a in page.tags for k in ("src", "href") if (v := a.get(k)) and not v.startswith("#")]
    assert not outside
    assert any("default-src 'none'" in (a.get("content") or "") for _, a in page.tags)
    assert "@import" not in content


def test_page_holds_a_table_for_every_picture(folder: Path) -> None:
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert {"map", "worst", "gain", "needs-table", "flow-table", "year-table", "all"} <= set(page.ids)
    said = " ".join(page.text)
    for word in ("Gain most", "Left worst off", "proven within 0.4 %", "Library & culture", "City finance", "2007"):
        assert word in said


def test_page_of_one_year_measures_gains_from_before_the_plan(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "one", years=1))
    facts = Facts(run, read_run_city(run))
    made = page(facts)
    assert "0.19 → 0.71" in made
    assert "of all needs met, before the plan → 2007" in made
    gain = made.split('id="gain"')[1].split("</table>")[0]
    assert "+0.60" in gain
    assert ">none<" not in gain
    for head in ("Before", "2007", "Met before", "Met 2007"):
        assert f">{head}<" in made
    found = re.search(r'<script type="application/json" id="plan-data">(.*?)</script>', made, re.DOTALL)
    assert found
    first = json.loads(found[1])["communities"][0]
    assert (first["before"], first["had"]) == (175, [0, 200, 500, 0])


def plan_data(facts: Facts) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="plan-data">(.*?)</script>', page(facts), re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_who_is_set_aside_is_called_that_among_the_worst_off(facts: Facts) -> None:
    run = replace(facts.run, record=facts.run.record | {"set_aside": ["c005"]})
    made = page(Facts(run, facts.city))
    assert "East, set aside" in made.split('id="worst"')[1].split("</table>")[0]
    assert "set aside" not in page(facts).split('id="worst"')[1].split("</table>")[0]
    assert 'c.aside ? ", set aside"' in asset("report.js")


def test_rooms_are_there_from_the_year_they_are_used(facts: Facts) -> None:
    """Rooms paid for in 2007 that take a year are there from 2008; those that take two, not while the plan lasts."""
    space = facts.run.space
    assert plan_data(facts)["communities"][1]["rooms"][0][4] == 2007
    for late, since in ((space["year"] == 2007, 2008), (space["year"] > 0, 0)):
        run = replace(facts.run, space=space.assign(area_m2=space["area_m2"].where(~late, 0.0)))
        assert plan_data(Facts(run, facts.city))["communities"][1]["rooms"][0][4] == since
    assert '"In use from"' in asset("report.js")


def test_stations_of_the_map_say_what_they_had_before_the_plan(facts: Facts) -> None:
    sites = {site["name"]: site["services"] for site in plan_data(facts)["sites"]}
    assert sites["office000"] == [[2, "upgraded", 2008, 900.0, 500.0]]
    assert sites["house000"] == [[3, "opened", 2008, 200.0, 0.0]]
    assert '[BEFORE, "Before the plan"]' in asset("report.js")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_station_is_on_the_map_as_it_is_in_the_year_chosen() -> None:
    found = re.search(r"\n  function then\(.*?\n  }\n", asset("report.js"), re.DOTALL)
    assert found
    head = "const BEFORE = -1, D = {years: [2007, 2008]}; let state;"
    stations = [
        [0, "opened", 2008, 9, 0],
        [0, "upgraded", 2008, 9, 5],
        [0, "closed", 2008, 0, 5],
        [0, "existing", 0, 5, 5],
    ]
    shown = f"for (const year of [-1, 0, 1]) {{ state = {{year}}; console.log(JSON.stringify({stations}.map(then))); }}"
    done = subprocess.run(["node", "-e", head + found[0] + shown], capture_output=True, encoding="utf-8", check=True)
    before, first, last = (json.loads(line) for line in done.stdout.splitlines())
    assert before == first == [None, *([[0, "existing", 0, 5]] * 3)]
    assert last == [station[:4] for station in stations]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_legend_that_begins_at_nothing_says_so() -> None:
    found = re.search(r"\n  const legend = .*?\n  };\n", asset("map.js"), re.DOTALL)
    assert found
    head = "const said = [], el = (name, with_, ...inside) => { if (name === 'span') said.push(inside[1]); };"
    holder = "const holder = {replaceChildren() {}, append() {}};"
    asked = "".join(
        f"legend(holder, '', ['', '', ''], [{edge}, 2.5], (v) => v < 0.1 ? '0' : String(v), []);"
        for edge in (0.01, 0.5)
    )
    script = head + holder + found[0] + asked + "console.log(JSON.stringify(said));"
    done = subprocess.run(["node", "-e", script], capture_output=True, encoding="utf-8", check=True)
    assert json.loads(done.stdout) == [
        "nothing", "up to 2.5", "2.5 and more", "below 0.5", "0.5 to 2.5", "2.5 and more",
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_labels_of_the_money_flow_stand_at_their_bars() -> None:
    """Thin bars too are far enough apart for a label at the middle of each, and keep their order."""
    script = asset("report.js")
    found = re.search(r"\n  function stack\(.*?\n  }\n", script, re.DOTALL)
    sizes = re.search(r"\n  const LABEL = .*?\n", script)
    assert found
    assert sizes
    asked = "const [at, end] = stack(new Map([[0, 1], [3, 2], [1, 1], [2, 900], [4, 0], [5, 1]]), 0.3);"
    shown = "console.log(JSON.stringify([[...at].map(([k, n]) => [k, n.y + n.h / 2]), end]));"
    done = subprocess.run(
        ["node", "-e", sizes[0] + found[0] + asked + shown], capture_output=True, encoding="utf-8", check=True
    )
    middles, end = json.loads(done.stdout)
    assert [key for key, _ in middles] == [0, 1, 2, 3, 5]
    steps = [b - a for (_, a), (_, b) in pairwise(middles)]
    assert min(steps) >= 30
    assert middles[-1][1] < end
    for side in ("a", "b"):
        assert re.search(rf"of {side}\) \{{ picture.append\(.*height: Math.max\(1, node.h\).* node, ", script)


def test_page_shows_hostile_names_as_text(folder: Path) -> None:
    content = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in content
    page = Page(content)
    assert HOSTILE in " ".join(page.text)
    assert sum(name == "script" for name, _ in page.tags) == 2


def test_page_data_are_those_of_the_tables(folder: Path, facts: Facts) -> None:
    content = (folder / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="plan-data">(.*?)</script>', content, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert [c["id"] for c in data["communities"]] == list(facts.communities.index)
    assert sum(row[4] for row in data["money"]) == facts.spent
    first = data["communities"][0]
    assert first["score"][-1] == round(1000 * facts.score_of["c000", facts.last])
    assert first["grant"] == [60_000, 60_000]
    assert sum(row[2] for row in first["paid"]) == facts.run.ledger.query("community == 'c000'")["yuan"].sum()


def test_page_names_who_is_set_aside_and_small_figures_as_they_are(facts: Facts) -> None:
    stages = [{"goal": "worst_off", "value": 0.0, "bound": -1e-12, "gap": 0.0, "status": "proven"}]
    sources = facts.run.sources.assign(lapsed_yuan=facts.run.sources["lapsed_yuan"].clip(upper=300))
    record = facts.run.record | {"set_aside": ["c005"], "stages": stages}
    made = page(Facts(replace(facts.run, record=record, sources=sources), facts.city))
    lowest = f"{facts.score_of['c005', facts.last]:.2f}"
    assert 'of all but 1 set aside (Community 2 in 2008); <a href="#set-aside">' in made
    assert f"the lowest of these: Community 5, {lowest}</a>" in made
    assert "worst-off of all but 1 set aside: <b>best possible" in made
    assert made.split('id="set-aside"')[1].split("</table>")[0].count('class="pick"') == 1
    assert 'id="set-aside"' not in page(facts)
    assert "-0.0000" not in made
    assert "0.000300 million" not in made


def test_page_says_what_is_synthetic(folder: Path) -> None:
    said = " ".join(Page((folder / "report.html").read_text(encoding="utf-8")).text)
    assert "1 derived, 1 synthetic" in said
    assert "a <b>yearbook</b>" in said


def test_page_of_a_stopped_or_failed_run_says_so(folder: Path, tmp_path: Path) -> None:
    marked = tmp_path / "stopped"
    shutil.copytree(folder, marked)
    record = json.loads((marked / "run.json").read_text(encoding="utf-8"))
    record |= {"status": "stopped by hand", "audit": {"passed": False, "checks": [], "findings": ["money is missing"]}}
    record["stages"][2] |= {"value": None, "bound": None, "gap": None}
    (marked / "run.json").write_text(json.dumps(record), encoding="utf-8")
    run = read_run(marked)
    write_report(marked, read_run_city(run), run.scenario)
    said = " ".join(Page((marked / "report.html").read_text(encoding="utf-8")).text)
    assert "The search was stopped by hand; 3 goals of 4 reached." in said
    assert "has not passed its check" in said
    assert "money is missing" in said


def test_workbook_holds_every_table_as_values(folder: Path, facts: Facts) -> None:
    book = openpyxl.load_workbook(folder / "plan.xlsx")
    assert book.sheetnames == ["summary", "communities", *COLUMNS]
    for name in COLUMNS:
        sheet, table = book[name], facts.run.table(name)
        assert [c.value for c in sheet[1]] == list(table.columns)
        assert sheet.max_row == len(table) + 1
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
    assert HOSTILE in {cell.value for cell in cells}
    ledger = [row[5] for row in book["ledger"].iter_rows(min_row=2, values_only=True)]
    assert sum(ledger) == facts.spent
    assert book["ledger"]["F2"].number_format == "#,##0"
    assert book["ledger"]["E2"].number_format == "0"


def test_page_and_workbook_agree_on_what_communities_gain(folder: Path, facts: Facts) -> None:
    made = page(facts)
    head, first = made.split('id="gain"')[1].split("</tr>")[:2]
    assert ">Gain<" in head
    sheet = openpyxl.load_workbook(folder / "plan.xlsx")["communities"]
    names = [c.value for c in sheet[1]]
    rows = [dict(zip(names, values, strict=True)) for values in sheet.iter_rows(min_row=2, values_only=True)]
    most = max((row for row in rows if row["gain"] is not None), key=lambda row: row["gain"])
    assert f"+{most['gain']:.2f}" in first


def test_workbook_holds_the_tables_that_only_some_plans_have(folder: Path, tmp_path: Path) -> None:
    some = tmp_path / "some"
    shutil.copytree(folder, some)
    head = "site,community,services,area_m2,alone_m2,cost_yuan,alone_yuan,saved_yuan"
    (some / "tables" / "one_stop.csv").write_text(f"{head}\nhouse000,NA,2,100.5,120,5000,7000,2000\n", encoding="utf-8")
    debts = "community,year,debt_yuan,relief_yuan,left_yuan\nc000,2007,600000,1000,599000\n"
    (some / "tables" / "debts.csv").write_text(debts, encoding="utf-8")
    prices = "community,unmet_need,unmet_need_without,score,score_without\nc000,1.5,1.25,,0.5\n"
    (some / "tables" / "price_of_fairness.csv").write_text(prices, encoding="utf-8")
    run = read_run(some)
    write_report(some, read_run_city(run), run.scenario)
    book = openpyxl.load_workbook(some / "plan.xlsx")
    assert book.sheetnames == ["summary", "communities", *COLUMNS, "debts", "one_stop", "price_of_fairness"]
    assert [c.value for c in book["one_stop"][2]] == ["house000", "NA", 2, 100.5, 120, 5000, 7000, 2000]
    assert [c.value for c in book["debts"][2]] == ["c000", 2007, 600000, 1000, 599000]
    assert [c.value for c in book["price_of_fairness"][2]] == ["c000", 1.5, 1.25, None, 0.5]


def test_geopackage_holds_communities_stations_and_lines(folder: Path, facts: Facts) -> None:
    layers = {str(name): str(kind) for name, kind in pyogrio.list_layers(folder / "plan.gpkg")}
    assert layers == {"communities": "MultiPolygon", "stations": "Point", "assignments": "LineString"}
    communities = gpd.read_file(folder / "plan.gpkg", layer="communities").set_index("community")
    assert communities.crs == facts.city.metric_crs
    assert communities.loc["c000", "name_zh"] == "板桥社区"
    assert communities.loc["c000", "met_space"] == pytest.approx(0.2)
    assert communities.loc["c000", "score"] == pytest.approx(facts.score_of["c000", "whole"])
    assert communities["grants_yuan"].sum() == facts.run.grants["grant_yuan"].sum()
    assert communities.loc["c005", "class_title"] == "Policy, no money"
    assert communities["met_space"].isna().tolist() == [False] * 5 + [True]
    stations = gpd.read_file(folder / "plan.gpkg", layer="stations")
    assert stations["change"].value_counts().to_dict() == {"upgraded": 3, "existing": 3, "opened": 2}
    house = stations.set_index("site").loc["house000"]
    assert (house.geometry.x, house.geometry.y) == (250, 750)
    lines = gpd.read_file(folder / "plan.gpkg", layer="assignments")
    assert set(lines["service"]) == {"library"}


def test_report_of_the_whole_size_stays_small(tmp_path: Path) -> None:
    made = make_run(tmp_path / "large", columns=22, rows=18, years=5)
    run = read_run(made)
    write_report(made, read_run_city(run), run.scenario)
    assert (made / "report.html").stat().st_size < 6_000_000


def _spoil_number(folder: Path) -> None:
    path = folder / "tables" / "grants.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("60000", "much", 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "run.json").unlink(), "no run.json"),
        (lambda f: (f / "run.json").write_text("{", encoding="utf-8"), "cannot be read"),
        (lambda f: (f / "tables" / "met.csv").unlink(), "missing"),
        (lambda f: (f / "tables" / "met.csv").write_text("community\n", encoding="utf-8"), "columns missing"),
        (_spoil_number, "not a number"),
        (lambda f: (f / "scenario.resolved.yaml").unlink(), "missing"),
        (lambda f: (f / "scenario.resolved.yaml").write_text("name: [", encoding="utf-8"), "cannot be read"),
    ],
)
def test_a_folder_that_is_no_finished_run_is_named(folder: Path, tmp_path: Path, spoil: object, said: str) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(folder, spoilt)
    assert callable(spoil)
    spoil(spoilt)
    with pytest.raises(RunError, match=said):
        read_run(spoilt)


def test_html_is_escaped_unless_it_is_html() -> None:
    assert text("<b>&\"'") == "&lt;b&gt;&amp;&quot;&#x27;"
    assert tag("p", tag("b", "<"), "&", class_="a'b", hidden=True, title=None) == (
        '<p class="a&#x27;b" hidden><b>&lt;</b>&amp;</p>'
    )
    closed = embedded("x", "</script><!--\u2028")
    assert closed.count("<") == 2
    assert json.loads(closed[closed.index(">") + 1 : closed.rindex("<")]) == "</script><!--\u2028"
