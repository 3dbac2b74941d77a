"""All rules of the audit, in order."""

from dataclasses import replace
from pathlib import Path

from optimizer.audit import (
    goals,
    rules_closing,
    rules_deposits,
    rules_fair_bounds,
    rules_fairness,
    rules_files,
    rules_funds,
    rules_ledger,
    rules_levels,
    rules_leximin,
    rules_limits,
    rules_money,
    rules_one_stop,
    rules_price,
    rules_record,
    rules_services,
    rules_space,
    rules_split,
    rules_stations,
)
from optimizer.audit.inputs import Case, read_case
from optimizer.audit.levels import read_levels
from optimizer.audit.report import AuditReport, Recorder
from optimizer.audit.rooms import rooms
from optimizer.audit.stations import stations
from optimizer.audit.travel import Ways


def audit_case(folder: Path) -> AuditReport:
    """Read a run folder and its inputs and check every rule; a part that is of a wrong kind is a finding."""
    recorder = Recorder()
    try:
        case = read_case(folder, recorder)
        if case is not None:
            _check(case, recorder)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = f"the audit cannot go on: {type(error).__name__}: {error}"
        recorder.find("files", f"{said}; the record, the scenario or a table holds something of another kind")
    return recorder.report()


def _check(case: Case, recorder: Recorder) -> None:
    rules_files.check_hashes(case, recorder)
    rules_files.check_table_hashes(case, recorder)
    rules_record.check_record(case, recorder)
    rules_files.check_complete(case, recorder)
    case = replace(case, tables=rules_files.check_names(case, recorder))
    ways = Ways(case.city, case.scenario["travel"], case.communities[["x", "y"]])
    there, taken, levels = stations(case), rooms(case), read_levels(case, recorder)
    rules_funds.check_classes(case, recorder)
    rules_funds.check_grants(case, recorder)
    rules_funds.check_units(case, recorder)
    rules_funds.check_debts(case, recorder)
    rules_space.check_rooms(case, taken, recorder)
    rules_space.check_musts(case, taken, recorder)
    rules_deposits.check_deposits(case, taken, recorder)
    rules_space.check_halls(case, taken, ways, recorder)
    rules_stations.check_stations(case, there, taken, recorder)
    rules_one_stop.check_one_stop(case, there, taken, recorder)
    rules_closing.check_closings(case, there, recorder)
    served = rules_services.assignments(case, there, ways)
    rules_services.check_services(case, there, served, levels, recorder)
    rules_closing.check_continuity(case, there, served, ways, recorder)
    rules_levels.check_levels(case, there, levels, served, ways, recorder)
    rules_money.check_costs(case, there, taken, recorder)
    rules_money.check_sources(case, recorder)
    rules_money.check_eligibility(case, recorder)
    rules_money.check_co_funding(case, recorder)
    rules_money.check_expiry(case, recorder)
    rules_split.check_split(case, there, taken, recorder)
    rules_ledger.check_source_ledger(case, recorder)
    rules_limits.check_limits(case, recorder)
    rules_limits.check_running(case, taken, recorder)
    met = goals.met_needs(case, served, taken)
    goals.check_met(case, met, recorder)
    goals.check_scores(case, met, recorder)
    goals.check_goals(case, met, served, recorder)
    rules_fairness.check_indices(case, met, recorder)
    rules_fair_bounds.check_bounds(case, met, recorder)
    rules_fair_bounds.check_groups(case, met, recorder)
    rules_leximin.check_leximin(case, met, recorder)
    rules_price.check_price(case, met, recorder)
