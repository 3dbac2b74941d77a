"""The commands that look: `allot check`, `audit`, `init`, `scenarios` and `open`."""

import json
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from optimizer import jobs
from optimizer.answers import DONE, NO, counted
from optimizer.scenario_file import (
    LoadedScenario,
    NoScenarioError,
    ScenarioError,
    find_scenario,
    load_scenario,
    reference_cities,
    shipped,
)

if TYPE_CHECKING:
    from geodata.findings import Finding
    from optimizer.reach_report import ReachReport


def check(what: str, scenario: str, *, as_json: bool) -> int:
    """Check data or a scenario with its data, print all findings, and return the exit code."""
    lines: list[str] = []
    findings: list[Finding] = []
    report = None
    try:
        findings, report = _check(what, scenario)
    except NoScenarioError:
        raise
    except ScenarioError as error:
        lines = [*error.findings, *data_findings(error.values)]
    errors = len(lines) + sum(finding.severity == "error" for finding in findings)
    warnings = sum(finding.severity == "warning" for finding in findings)
    if as_json:
        rows = [{"severity": "error", "text": line} for line in lines]
        rows += [{**vars(finding), "text": finding.text()} for finding in findings]
        answer = {"errors": errors, "warnings": warnings, "findings": rows}
        answer["reach"] = [] if report is None else report.services
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return NO if errors else DONE
    _print_findings(lines, findings)
    for line in [] if report is None else report.lines:
        typer.echo(line)
    typer.echo(f"{counted(errors)}, {counted(warnings, 'warning')}")
    return NO if errors else DONE


def _print_findings(lines: list[str], findings: "list[Finding]") -> None:
    for line in lines:
        typer.echo(line)
    if not findings:
        return
    from geodata.findings import condensed

    for severity, mark in (("error", ""), ("warning", "warning  ")):
        for line in condensed([finding for finding in findings if finding.severity == severity]):
            typer.echo(f"{mark}{line}")


def _check(what: str, scenario: str) -> "tuple[list[Finding], ReachReport | None]":
    if _is_scenario(what):
        loaded = load_scenario(what, data_must_exist=True)
        return city_findings(loaded.scenario.data.path, loaded, planned=True)
    return city_findings(what, load_scenario(scenario), own_layers=scenario != "base")


def _is_scenario(what: str) -> bool:
    """Return whether a word means a scenario; else it means data."""
    if what in reference_cities():
        return False
    suffix = Path(what).suffix.lower()
    if suffix in (".yaml", ".yml"):
        return True
    if suffix and Path(what).is_file():
        return False
    try:
        return find_scenario(what).name != "scenario.resolved.yaml" or jobs.is_run(Path(what))
    except NoScenarioError:
        return False


def city_findings(
    path: str, loaded: LoadedScenario, *, own_layers: bool = True, planned: bool = False
) -> "tuple[list[Finding], ReachReport | None]":
    """Return all findings about the city at `path`, read as the scenario says; a city that cannot be read included.

    A city that is `planned` is held against the whole scenario, as a run does it. With the findings comes what is to
    be said of travel, where there is no error.
    """
    from geodata.check import check_city
    from geodata.findings import InputError
    from geodata.read import read_city

    scenario = loaded.scenario
    data = scenario.data
    layers = {name: layer.model_dump() for name, layer in data.layers.items()} if own_layers else {}
    services = {name: str(service.siting) for name, service in scenario.services.items()}
    if not own_layers and path not in reference_cities() and not Path(path).expanduser().exists():
        read_city(path)  # says what is there instead, as bad usage
    try:
        crs, metric_crs = (data.crs, data.metric_crs) if own_layers else ("", "")
        city = read_city(path, crs=crs, metric_crs=metric_crs, layers=layers)
    except InputError as error:
        return list(error.findings), None
    if planned:
        from optimizer.run import check_inputs

        found = check_inputs(city, loaded)
    else:
        modes = {"walking", *(s.travel for s in scenario.services.values())}
        found = check_city(city, types=list(scenario.types), services=services, modes=modes)
    if any(finding.severity == "error" for finding in found):
        return found, None
    from optimizer.reach_report import reach_report

    return found, reach_report(city, scenario)


def data_findings(values: Mapping[str, Any]) -> list[str]:
    """Return the errors in the data of a scenario that has mistakes itself, as far as its values say where it is."""
    data = values.get("data")
    types, programmes = values.get("types"), values.get("programmes")
    services = programmes.get("services") if isinstance(programmes, dict) else None
    if not isinstance(data, dict):
        return []
    path = data.get("path", "mianyang")
    if not isinstance(path, str) or not isinstance(types, dict) or not isinstance(services, dict):
        return []
    if path in reference_cities() or not Path(path).exists():
        return []
    from geodata.check import check_city
    from geodata.findings import InputError, condensed
    from geodata.read import read_city

    siting = {name: str(rule.get("siting")) for name, rule in services.items() if isinstance(rule, dict)}
    crs, metric_crs = (str(data.get(key, "")) for key in ("crs", "metric_crs"))
    layers = data.get("layers")
    try:
        city = read_city(path, crs=crs, metric_crs=metric_crs, layers=layers if isinstance(layers, dict) else {})
        found = check_city(city, types=list(types), services=siting)
    except InputError as error:
        found = list(error.findings)
    except Exception:  # the scenario's own mistakes can make its data unreadable; they are reported already
        return []
    return condensed(finding for finding in found if finding.severity == "error")


def audit(folder: Path, *, as_json: bool) -> int:
    """Audit a run folder, print the report, and return the exit code."""
    from optimizer.audit import audit_run
    from optimizer.run_folder import read_record

    read_record(folder)
    report = audit_run(folder)
    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
    else:
        typer.echo(report.text())
        typer.echo("The plan keeps every rule." if report.passed else "The plan does not pass its audit.")
    return DONE if report.passed else NO


def shipped_titles() -> list[tuple[str, str, Path]]:
    """Return name, title and file of every scenario that ships."""
    from optimizer.yaml_tree import read_tree

    return [(name, str(read_tree(path).values.get("title", "")), path) for name, path in shipped().items()]


def open_report(what: str) -> str:
    """Open the report of a run in the browser and return its path; FileNotFoundError where there is none."""
    report = find_run(what) / "report.html"
    if not report.is_file():
        raise FileNotFoundError(2, "no report", str(report))
    webbrowser.open(report.resolve().as_uri())
    return str(report)


def find_run(what: str) -> Path:
    """Return a run folder: the one named, else the newest of a scenario or of all that can be used.

    Where none can be used, it is the newest, and that is said. RunError where its tables are not as they were written.
    """
    from optimizer.run_folder import must_be_whole

    if what and Path(what).is_dir():
        if (Path(what) / "run.json").exists():
            must_be_whole(Path(what))
        return Path(what)
    found = [p for p in jobs.RUNS.glob("*") if jobs.is_run(p)] if jobs.RUNS.is_dir() else []
    if what:
        found = [p for p in found if (jobs.read_record(p) or {}).get("scenario") == what or p.name == what]
    if not found:
        name = what or str(jobs.RUNS)
        raise ScenarioError([f"{name}  there is no finished run here; make one with allot run"])
    found.sort(key=lambda p: (p / "run.json").stat().st_mtime, reverse=True)
    best = next((p for p in found if jobs.usable(p)), None)
    if best is None:
        best = found[0]
        must_be_whole(best)
        typer.echo(
            f"{best}: this plan was stopped by hand or failed its audit, and no other can be used; run it again.",
            err=True,
        )
    return best
