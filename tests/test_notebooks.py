"""Every notebook runs from top to bottom."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from optimizer.jobs import place_for
from optimizer.scenario_file import load_scenario

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook: Path, one_year_run: Path, allot_environment: dict[str, str], tmp_path: Path) -> None:
    """The plan it begins with is there already, so that it takes no longer than the comparison in it."""
    shutil.copy(notebook, tmp_path)
    place = place_for(load_scenario("one_year", data_must_exist=True), again=False, runs=tmp_path / "runs")
    shutil.copytree(one_year_run, place.folder)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "--nbmake", "--nbmake-timeout=800", notebook.name],
        cwd=tmp_path,
        env=allot_environment,
        capture_output=True,
        encoding="utf-8",
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_results(notebook: Path) -> None:
    assert '"outputs": []' in notebook.read_text(encoding="utf-8")
    assert '"output_type"' not in notebook.read_text(encoding="utf-8")
