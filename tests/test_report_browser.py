"""The pages in a real browser, where there is one: filters and cards work, nothing is wider than a phone."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from optimizer.compare import compare, write_comparison
from optimizer.report import write_report
from optimizer.report.map_chart import SEQUENTIAL
from optimizer.run_folder import read_run, read_run_city
from tests.report_run import make_run

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--virtual-time-budget=3000", "--enable-logging=stderr"]  # fmt: skip
PROBE = """<script>
setTimeout(() => {
  const buttons = [...document.querySelectorAll("button.pick")];
  buttons[0].click();
  document.querySelectorAll("#map-controls select").forEach((s) => {
    for (const o of s.options) { s.value = o.value; s.dispatchEvent(new Event("change")); }
  });
  document.querySelectorAll("#filters select").forEach((s, k) => {
    const now = document.querySelectorAll("#filters select")[k];
    if (now && now.options[1]) { now.value = now.options[1].value; now.dispatchEvent(new Event("change")); }
  });
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  document.body.dataset.probe = `done ${wide}`;
}, 100);
</script></body>"""
BEFORE = """<script>
setTimeout(() => {
  const [measure, year, stations] = document.querySelectorAll("#map-controls select");
  const said = [...year.options].map((o) => o.text);
  const choose = (select, value) => { select.value = value; select.dispatchEvent(new Event("change")); };
  choose(stations, "open");
  choose(document.querySelectorAll("#map-controls select")[3], "-2");
  for (const when of ["-1", year.options[year.options.length - 1].value]) {
    choose(year, when);
    for (const what of ["score", "0", "2", "grant"]) {
      choose(measure, what);
      const first = document.querySelector("#areas path").getAttribute("fill");
      const kinds = [...new Set([...document.querySelectorAll("#marks path")].map((p) => p.getAttribute("class")))];
      said.push(`${document.querySelector("#legend strong").textContent} ${first} ${kinds.sort()}`);
    }
  }
  document.body.dataset.probe = said.join("; ");
}, 100);
</script></body>"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    runs = [make_run(folder / "base", columns=6, rows=4), make_run(folder / "cut", "cut", columns=6, rows=4, cut=0.2)]
    run = read_run(runs[0])
    write_report(runs[0], read_run_city(run), run.scenario)
    write_comparison(compare(runs), folder / "compared")
    return {"report": runs[0] / "report.html", "comparison": folder / "compared" / "comparison.html"}


def dumped(page: Path, probe: str, folder: Path, width: int) -> "subprocess.CompletedProcess[str]":
    """Open a page with a script of ours at its end."""
    probed = folder / "probe.html"
    probed.write_text(page.read_text(encoding="utf-8").replace("</body>", probe), encoding="utf-8")
    assert BROWSER
    return subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},1400", "--dump-dom",
         probed.as_uri()],
        capture_output=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["report", "comparison"])
@pytest.mark.parametrize("width", [500, 1280])
def test_page_works(pages: dict[str, Path], name: str, width: int, tmp_path: Path) -> None:
    done = dumped(pages[name], PROBE, tmp_path, width)
    assert "Uncaught" not in done.stderr
    assert 'data-probe="done 0"' in done.stdout
    if name == "report":
        assert "Why it gets what it gets" in done.stdout


def test_the_map_shows_what_was_before_the_plan(pages: dict[str, Path], tmp_path: Path) -> None:
    """c000 has 0.5 of its visits before the plan, no grant and a score of 0.175; only desks stand, none changed."""
    done = dumped(pages["report"], BEFORE, tmp_path, 1280)
    found = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert found
    low, middle = SEQUENTIAL[0], SEQUENTIAL[2]
    assert found[1].split("; ") == [
        "Before the plan", "2007", "2008",
        f"Part of all needs met, before the plan {low} existing",
        f"Work funds met, before the plan {low} existing",
        f"One-stop affairs met, before the plan {middle} existing",
        f"Work funds per resident, yuan, before the plan {low} existing",
        f"Part of all needs met, 2008 {SEQUENTIAL[4]} existing,opened,upgraded",
        f"Work funds met, 2008 {SEQUENTIAL[6]} existing,opened,upgraded",
        f"One-stop affairs met, 2008 {SEQUENTIAL[6]} existing,opened,upgraded",
        f"Work funds per resident, yuan, 2008 {SEQUENTIAL[-1]} existing,opened,upgraded",
    ]  # fmt: skip
