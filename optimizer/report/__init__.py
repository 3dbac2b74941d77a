"""Reports of a plan, made from a finished run folder and the inputs alone."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geodata.city import City
    from optimizer.scenario import Scenario

__all__ = ["write_report"]


def write_report(folder: Path, city: "City", scenario: "Scenario") -> None:
    """Write `plan.gpkg`, `plan.xlsx` and `report.html` into a run folder from its `tables/` and `run.json`.

    `city` and `scenario` are those the run was made with. Equal folders give equal files.
    Raises `optimizer.run_folder.RunError` where the folder's tables cannot be read.
    """
    from optimizer.facts import Facts
    from optimizer.report.geopackage import write_geopackage
    from optimizer.report.page import write_page
    from optimizer.report.workbook import write_workbook
    from optimizer.run_folder import read_run

    folder = Path(folder)
    facts = Facts(read_run(folder, scenario), city)
    write_geopackage(folder / "plan.gpkg", facts)
    write_workbook(folder / "plan.xlsx", facts)
    write_page(folder / "report.html", facts)
