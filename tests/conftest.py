"""What all tests share: how Hypothesis searches, where things are, and plans of shipped scenarios made once."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pyogrio
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
ALLOT = [sys.executable, "-c", "from optimizer.cli import main; main()"]
PLANS = {"base_run": "base", "one_year_run": "one_year", "health_run": "health_network"}  # fixture -> scenario

settings.register_profile(
    "quick", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("search", parent=settings.get_profile("quick"), max_examples=1000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
# Tables of a few rows take less time with plain strings; commands in processes of their own keep the default.
pd.set_option("mode.string_storage", "python")
os.environ.setdefault("ALLOT_CACHE", tempfile.mkdtemp(prefix="allot-cache-"))  # not the cache of whoever tests


def _parameters(item: pytest.Item) -> list[object]:
    """Values of the parameters of a test."""
    return list(item.callspec.params.values()) if hasattr(item, "callspec") else []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one plan go to one worker, so that the plan is made once; they are slow."""
    for item in items:
        asked = {*getattr(item, "fixturenames", ()), *(f"{value}_run" for value in _parameters(item))}
        for fixture in PLANS.keys() & asked:
            item.add_marker(pytest.mark.xdist_group(fixture))
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def root() -> Path:
    """Folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of material shared by those who build the project; the tests that need it are skipped elsewhere."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder ../shared, which is not part of the project")
    return folder


@pytest.fixture(scope="session")
def allot_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which `allot` is on the PATH and plain text comes out, for subprocesses."""
    scripts = Path(sys.executable).parent
    if not any(scripts.glob("allot*")):
        scripts = tmp_path_factory.mktemp("bin")
        command = scripts / "allot"
        command.write_text(f"#!{sys.executable}\nfrom optimizer.cli import main\n\nmain()\n", encoding="utf-8")
        command.chmod(0o755)
    path = os.pathsep.join([str(scripts), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "NO_COLOR": "1", "COLUMNS": "120"}


@pytest.fixture(scope="session")
def small_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GeoPackage of a small part of the reference city: eight communities in each of two districts, all layers."""
    whole = ROOT / "geodata" / "reference" / "mianyang" / "mianyang.gpkg"
    part = tmp_path_factory.mktemp("small") / "small.gpkg"
    layers = {str(name): pyogrio.read_dataframe(whole, layer=str(name)) for name, _ in pyogrio.list_layers(whole)}
    communities = layers["communities"]
    chosen = communities.groupby("district")["sub_district"].min().loc[["Fucheng", "Youxian"]]
    layers["communities"] = communities[communities["sub_district"].isin(chosen)].groupby("sub_district").head(8)
    for name in ("sites", "facilities", "needs"):
        layers[name] = layers[name][layers[name]["community"].isin(layers["communities"]["community"])]
    layers["streets"] = layers["streets"][layers["streets"].intersects(layers["communities"].union_all())]
    for name, table in layers.items():
        pyogrio.write_dataframe(table, part, layer=name, driver="GPKG")
    return part


# Wider gaps than a planner's, so that the whole test run stays short; every step of the search is taken all the same.
WIDE = {
    "base_run": [
        "--set",
        "horizon.years=2",
        "--set",
        "goals.worst_off.gap=0.06",
        "--set",
        "goals.unmet_need.gap=0.018",
    ],
    "one_year_run": [],
    "health_run": ["--set", "horizon.years=1"],
}


def _plan(fixture: str, environment: dict[str, str], folders: pytest.TempPathFactory) -> Path:
    """Run the shipped scenario of a fixture into a folder of its own, as a planner would; return the folder."""
    out = folders.mktemp("plans") / PLANS[fixture]
    done = subprocess.run(
        [*ALLOT, "run", PLANS[fixture], "--out", str(out), *WIDE[fixture]],
        cwd=out.parent,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="session")
def base_run(allot_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of the scenario `base`, its first two years: five take minutes and are measured in benchmarks."""
    return _plan("base_run", allot_environment, tmp_path_factory)


@pytest.fixture(scope="session")
def one_year_run(allot_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of the scenario `one_year`."""
    return _plan("one_year_run", allot_environment, tmp_path_factory)


@pytest.fixture(scope="session")
def health_run(allot_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of the first year of the scenario `health_network`."""
    return _plan("health_run", allot_environment, tmp_path_factory)
