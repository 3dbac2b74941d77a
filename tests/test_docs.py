"""Every page is true: its commands run, its links lead somewhere, its tables are those of the code.

Fenced blocks marked `bash` and `python` are executed, page by page, top to bottom, in an empty folder of their own.
An HTML comment right above a block says what else holds: `<!-- run: by hand, REASON -->` leaves it out, and
`<!-- file: PATH -->` writes it to a file of the page's folder, whatever its language.
Where a page plans a shipped scenario, on the command line or from Python, a small part of the reference city stands in
for the whole, and a city of the reader's own is planned for two years, so that a page takes seconds; the whole city
over all its years is planned in other tests.
"""

import importlib.resources
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pyogrio
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
BLOCK = re.compile(r"(?:<!-- (?P<how>[^>]*?) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 400


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, its line, and what the comment above it says."""

    kind: str
    text: str
    line: int
    how: str

    @property
    def by_hand(self) -> bool:
        """Whether a person has to run it; the comment must say why."""
        return self.how.startswith("run: by hand,")

    @property
    def file(self) -> str:
        """File that the block is written to; empty for none."""
        return self.how.removeprefix("file: ") if self.how.startswith("file: ") else ""


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["kind"], found["text"], text[: found.start("kind")].count("\n") + 1, found["how"] or "")
        for found in BLOCK.finditer(text)
    ]


def runnable(page: Path) -> list[Block]:
    """Return the blocks of a page that are executed here."""
    return [b for b in blocks(page) if b.file or (b.kind in {"bash", "python"} and not b.by_hand)]


def name(page: Path) -> str:
    """Path of a page within the project."""
    return page.relative_to(ROOT).as_posix()


def shorten(words: list[str], small_city: Path) -> list[str]:
    """Make a command that plans a shipped scenario plan a small city, and one of one's own scenario two years."""
    own = any(word.endswith((".yaml", ".yml")) for word in words)
    plans = words[:2] in (["allot", "run"], ["allot", "compare"], ["allot", "sweep"], ["allot", "frontier"])
    change = "horizon.years=2" if own else f"data.path={small_city}"
    return [*words, "--set", change] if plans else words


def shorten_code(text: str, small_city: Path) -> str:
    """Make Python code that plans a shipped scenario plan a small city."""
    return re.sub(r'\ballot\.run\(("\w+")\)', rf"allot.run(\1, changes=[{f'data.path={small_city}'!r}])", text)


def run(words: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run one command of a page in its folder; fail where it fails."""
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"


def write_polygons(path: Path) -> None:
    """Write polygons with populations of a place nobody here made: some counties of Georgia, from libpysal."""
    examples = Path(str(importlib.resources.files("libpysal") / "examples"))
    counties = pyogrio.read_dataframe(examples / "georgia" / "G_utm.shp").set_crs("EPSG:26916").head(6)
    renamed = counties[["AreaKey", "TotPop90", "geometry"]].rename(columns={"AreaKey": "id", "TotPop90": "population"})
    pyogrio.write_dataframe(renamed.to_crs("EPSG:4326"), path, driver="GeoJSON")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=name)
def test_commands_of_a_page_run(
    page: Path, tmp_path: Path, small_city: Path, allot_environment: dict[str, str]
) -> None:
    if page.name == "bring-your-own-city.md":
        write_polygons(tmp_path / "communities.geojson")
    for block in runnable(page):
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
            continue
        if block.kind == "python":
            run([sys.executable, "-c", shorten_code(block.text, small_city)], tmp_path, allot_environment)
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["python3"]:
                words[0] = sys.executable
            if words:
                run(shorten(words, small_city), tmp_path, allot_environment)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), f"{name(page)}: {target} leads nowhere"
        if anchor and aim.suffix == ".md":
            assert anchor in anchors(aim), f"{name(page)}: {target} has no such heading"


def anchors(page: Path) -> set[str]:
    """Anchors that the headings of a page get."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    missing = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "index.md" and page.name not in index]
    assert missing == []


def load_generator() -> ModuleType:
    """Return `docs/generate.py` as a module."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli.md", "data-schema.md", "scenarios.md"])
def test_pages_that_follow_from_the_code_are_up_to_date(page: str) -> None:
    written = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert written == load_generator().PAGES[page](), "run: python -m docs.generate"


def test_set_up_is_exactly_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    set_up = re.search(r"^## Set up$(.*?)^## ", readme, flags=re.MULTILINE | re.DOTALL)
    assert set_up is not None
    commands = re.findall(r"^```bash\n(.*?)^```$", set_up[1], flags=re.MULTILINE | re.DOTALL)
    assert commands == ["python3 start.py run base\n", "python3 start.py test\n"]
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_start_passes_its_words_on_to_allot(tmp_path: Path) -> None:
    if not (ROOT / ".venv" / "allot-set-up.txt").is_file():
        pytest.skip("this checkout was not set up with start.py")
    done = subprocess.run(
        [sys.executable, str(ROOT / "start.py"), "scenarios"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "budget_cut" in done.stdout + done.stderr
