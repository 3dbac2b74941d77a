"""The independent audit: every rule and every total of a plan, recomputed from its tables and the inputs.

It reads a run folder and the inputs again and shares no code with the modelling side. The rules and their equation
numbers are in `optimizer.audit.report.RULES`.
"""

from pathlib import Path

from optimizer.audit.report import AuditCheck, AuditFinding, AuditReport

__all__ = ["AuditCheck", "AuditFinding", "AuditReport", "audit_run"]


def audit_run(folder: Path | str) -> AuditReport:
    """Audit the run folder at `folder` and return the report.

    Never raises for a bad folder: what is missing, unreadable or wrong is a finding. Where tables or inputs cannot be
    read at all, the report holds only the findings about that.
    """
    from optimizer.audit.rules import audit_case

    return audit_case(Path(folder))
