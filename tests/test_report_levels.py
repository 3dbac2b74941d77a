"""Centres and what hangs on them, in the report and the workbook of a tiny plan."""

import re
from pathlib import Path

import openpyxl
import pytest

from geodata.city import City
from optimizer.report import write_report
from optimizer.scenario import Scenario
from tests.optimizer.test_outlets import CENTRE, NEEDS, OUTLET, PLACES, STATION, scenario
from tests.optimizer.test_rules import run_folder
from tests.optimizer.tiny import make_city, make_scenario


def reported(city: City, rules: Scenario, where: Path) -> Path:
    """Plan a city, and write its report."""
    folder = run_folder(city, rules, where)
    write_report(folder, city, rules)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder: an outlet hangs on a station and this on a centre; another outlet on nothing."""
    lonely = {**OUTLET, "facility": "fx", "community": "d"}
    city = make_city(
        [*PLACES, {"community": "d"}], facilities=[OUTLET, STATION, CENTRE, lonely],
        needs=[*NEEDS, ("d", "clinic", 40)],
    )  # fmt: skip
    return reported(city, scenario(inclusive=False), tmp_path_factory.mktemp("levels"))


def words(run: Path) -> str:
    """Text of the section, tags as bars."""
    page = (run / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<section id="levels".*?</section>', page, flags=re.DOTALL)
    assert found is not None
    return re.sub(r"(\s*\|\s*)+", " | ", re.sub(r"<[^>]+>", "|", found[0]))


def test_the_report_shows_centres_with_what_hangs_on_them(run: Path) -> None:
    text = words(run)
    assert "Centres and their stations" in text
    assert "| o_c | east | existing | 1,000 | 0 | 12 | 1.2 % | 1 | 1 | o_b |" in text
    assert "| o_a | outlet | o_b (station) | 2020 | 1,300 |" in text
    assert "Hang on nothing and serve nobody: o_d." in text


def test_the_workbook_has_the_tables_of_levels(run: Path) -> None:
    book = openpyxl.load_workbook(run / "plan.xlsx", read_only=True)
    assert {"levels", "referrals"} <= set(book.sheetnames)
    rows = list(book["levels"].iter_rows(values_only=True))
    assert rows[0][:4] == ("site", "service", "level", "centre")
    assert {row[0] for row in rows[1:]} == {"o_a", "o_b", "o_d"}


def test_a_plan_without_levels_has_no_such_section(tmp_path: Path) -> None:
    folder = reported(make_city([{"community": "a"}], needs=[("a", "desk", 5)]), make_scenario(), tmp_path)
    assert 'id="levels"' not in (folder / "report.html").read_text(encoding="utf-8")
    assert "levels" not in openpyxl.load_workbook(folder / "plan.xlsx", read_only=True).sheetnames
