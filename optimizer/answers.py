"""What to say, and with which exit code, when something cannot be done: never a traceback for bad input."""

import errno
import sys
from dataclasses import dataclass

DONE, NO, WRONG, BROKEN, STOPPED = 0, 1, 2, 3, 130
"""Exit codes: done; the answer is no (no plan keeps the hard rules, an audit or a check found errors); the command, the
scenario as it is written or the data are wrong; the planner itself is; stopped by hand. Hard floors that the places and
the money of the city cannot keep are a no, found before the search or by it."""
_WINDOWS_DISK_FULL = 112


@dataclass(frozen=True)
class Answer:
    """Why there is no plan: exit code, kind (for machines) and lines for people."""

    code: int
    kind: str
    lines: tuple[str, ...]


def answer(error: BaseException) -> Answer:
    """Return what to say about an error; errors inside the planner itself get code 3."""
    for module, name, make in (
        ("optimizer.scenario_file", "ScenarioError", _findings),
        ("geodata.findings", "InputError", _input),
        ("optimizer.run", "Infeasible", _infeasible),
        ("optimizer.run", "RunStopped", _stopped),
        ("optimizer.run_write", "AuditFailed", _broken),
        ("optimizer.ledger", "MoneyShortError", _short),
        ("optimizer.run_folder", "RunError", _wrong),
        ("optimizer.compare", "CompareError", _wrong),
        ("optimizer.jobs_dask", "NoClusterError", _wrong),
        ("optimizer.siting.errors", "SitingInputError", _siting_input),
        ("optimizer.siting.errors", "SitingInfeasible", _siting_infeasible),
    ):
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and isinstance(error, kind):
            return make(error)
    if isinstance(error, KeyboardInterrupt):
        return Answer(STOPPED, "stopped", ("Stopped at once; nothing was saved.",))
    if isinstance(error, OSError):
        return Answer(WRONG, "error", _system(error))
    if isinstance(error, MemoryError):
        return Answer(
            WRONG, "error", ("The machine has too little memory for this city; close programs or plan fewer years.",)
        )
    lines = (
        f"Something went wrong inside allot: {type(error).__name__}: {str(error)[:500]}",
        "Your files are unchanged. Run again with --debug to see where, and please report it.",
    )
    return Answer(BROKEN, "broken", lines)


def counted(number: int, word: str = "error") -> str:
    """Return a number with its word: no errors, 1 error, 2 errors."""
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def _findings(error: BaseException) -> Answer:
    lines = tuple(getattr(error, "findings", [str(error)]))
    return Answer(WRONG, "error", (*lines, f"{counted(len(lines))}, nothing was run."))


def _input(error: BaseException) -> Answer:
    from geodata.findings import condensed

    findings = getattr(error, "findings", [])
    wrong = [finding for finding in findings if finding.severity == "error"]
    lines = (*condensed(wrong), f"{counted(len(wrong))}, nothing was run.")
    asks_too_much = bool(wrong) and all(finding.no_plan for finding in wrong)
    return Answer(NO, "infeasible", lines) if asks_too_much else Answer(WRONG, "error", lines)


def _infeasible(error: BaseException) -> Answer:
    return Answer(NO, "infeasible", tuple(str(getattr(error, "report", error)).splitlines()))


def _siting_input(error: BaseException) -> Answer:
    lines = tuple(finding.text() for finding in getattr(error, "findings", ()))
    return Answer(WRONG, "error", (*lines, f"{counted(len(lines))}, nothing was run."))


def _siting_infeasible(error: BaseException) -> Answer:
    return Answer(NO, "infeasible", tuple(f"No plan: {line}" for line in str(error).splitlines()))


def _stopped(error: BaseException) -> Answer:
    said = str(error) or "no plan had been found yet"
    return Answer(STOPPED, "stopped", (f"Stopped: {said}. Nothing was saved.",))


def _broken(error: BaseException) -> Answer:
    return Answer(NO, "audit", tuple(str(error).splitlines()))


def _short(error: BaseException) -> Answer:
    said = str(getattr(error, "said", ""))
    if said:
        return Answer(NO, "infeasible", tuple(said.splitlines()))
    return Answer(
        NO, "infeasible", (f"No plan can be paid in whole units of money: {error}.", "Add money to the sources.")
    )


def _wrong(error: BaseException) -> Answer:
    return Answer(WRONG, "error", (str(error),))


def _system(error: OSError) -> tuple[str, ...]:
    name = f"{error.filename}: " if error.filename else ""
    full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", -1))
    if full or getattr(error, "winerror", None) == _WINDOWS_DISK_FULL:
        return (f"{name}the disk is full; free some space (a run needs about 50 MB) and run again.",)
    if isinstance(error, PermissionError):
        return (f"{name}no permission; close the file if a program has it open, or choose another folder with --out.",)
    if isinstance(error, FileNotFoundError):
        return (f"{name}there is no such file or folder.",)
    return (f"{name}{error.strerror or error}.",)
