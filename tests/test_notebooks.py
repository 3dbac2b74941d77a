"""Every notebook runs from top to bottom, on a small part of the reference city."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))
PLANS = re.compile(r'\.(run|compare)\("(\w+)"\)')


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook: Path, small_city: Path, allot_environment: dict[str, str], tmp_path: Path) -> None:
    """Shipped scenarios are replaced by files that extend them and name the small city."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    named = set()
    for cell in content["cells"]:
        code = "".join(cell["source"])
        named |= {name for _, name in PLANS.findall(code)}
        cell["source"] = PLANS.sub(r'.\1("\2.yaml")', code)
    assert named, "no plan is made in it"
    (tmp_path / notebook.name).write_text(json.dumps(content), encoding="utf-8")
    for name in named:
        said = f"extends: {name}\ndata: {{path: {json.dumps(str(small_city))}}}\n"
        (tmp_path / f"{name}.yaml").write_text(said, encoding="utf-8")
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
