"""The pages in a real browser, where there is one: filters and cards work, nothing is wider than a phone."""

import shutil
import subprocess
from pathlib import Path

import pytest

from optimizer.compare import compare, write_comparison
from optimizer.report import write_report
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

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    runs = [make_run(folder / "base", columns=6, rows=4), make_run(folder / "cut", "cut", columns=6, rows=4, cut=0.2)]
    run = read_run(runs[0])
    write_report(runs[0], read_run_city(run), run.scenario)
    write_comparison(compare(runs), folder / "compared")
    return {"report": runs[0] / "report.html", "comparison": folder / "compared" / "comparison.html"}


@pytest.mark.parametrize("name", ["report", "comparison"])
@pytest.mark.parametrize("width", [500, 1280])
def test_page_works(pages: dict[str, Path], name: str, width: int, tmp_path: Path) -> None:
    page = tmp_path / "probe.html"
    page.write_text(pages[name].read_text(encoding="utf-8").replace("</body>", PROBE), encoding="utf-8")
    assert BROWSER
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1400", "--dump-dom",
         page.as_uri()],
        capture_output=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    assert "Uncaught" not in done.stderr
    assert 'data-probe="done 0"' in done.stdout
    if name == "report":
        assert "Why it gets what it gets" in done.stdout
