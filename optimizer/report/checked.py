"""How a plan was found and checked: goals with their proof, the audit, inputs and versions."""

from optimizer.facts import Facts
from optimizer.report.html import Html, join, table, tag
from optimizer.report.sections import section
from optimizer.words import number, percent


def checked_section(facts: Facts) -> Html:
    """Return how the plan was found and checked: goals with proof, the audit, inputs and versions."""
    record = facts.run.record
    return section("checked", "How sure it is and how it was checked", _stages(facts), _audit(record), _origin(record))


def _stages(facts: Facts) -> Html:
    titles = {
        "worst_off": "The worst-off community as well off as can be", "unmet_need": "Least unmet need of people",
        "travel": "Least travel", "spending": "Least money", "closeness": "Fewest differences from the plan it follows",
    }  # fmt: skip
    rows = []
    for stage in facts.run.record.get("stages", []):
        goal, value, bound, gap = (stage.get(k) for k in ("goal", "value", "bound", "gap"))
        rows.append(
            [titles.get(str(goal), str(goal)), _quantity(value), _quantity(bound), str(stage.get("unit", "")),
             "–" if gap is None else percent(float(gap)), str(stage.get("status", "")),
             "–" if stage.get("seconds") is None else f"{float(stage['seconds']):,.1f} s"]
        )  # fmt: skip
    head = ["Goal, in order", "Reached", "No plan can pass", "Unit", "Gap", "Status", "Time"]
    return join(
        [table("Goals, one after another", head, rows, numbers=(1, 2, 4, 6)),
         tag("p", "The gap is how far the plan could at most be from the best possible one, proven by the solver.")]
    )  # fmt: skip


def _quantity(value: object) -> str:
    if not isinstance(value, int | float):
        return "–"
    return f"{value:,.4f}" if abs(value) < 10 else number(float(value))


def _audit(record: dict[str, object]) -> Html:
    audit = record.get("audit")
    audit = audit if isinstance(audit, dict) else {}
    checks, found = audit.get("checks") or [], audit.get("findings") or []
    passed = bool(audit.get("passed"))
    count = len(checks) if isinstance(checks, list) else checks
    said = (
        f"A second program that shares nothing with the planning one read the inputs and the tables and recomputed "
        f"{count} rules: {'no finding' if passed and not found else f'{len(found)} findings'}."
    )
    parts: list[object] = [tag("p", said, class_="ok" if passed else "bad")]
    rows = [_check_row(check) for check in checks] if isinstance(checks, list) else []
    if rows:
        head = ["Rule", "Equation", "Figures recomputed"]
        parts.append(tag("details", tag("summary", "The rules that were checked"),
                         table("Rules checked", head, rows, numbers=(2,), hidden_caption=True)))  # fmt: skip
    if found:
        parts.append(tag("ul", *(tag("li", str(f)) for f in found[:50])))
    return join(parts)


def _check_row(check: object) -> list[str]:
    if isinstance(check, dict):
        values = [check.get("name", ""), check.get("equation", ""), check.get("figures_recomputed", "")]
    elif isinstance(check, list | tuple):
        values = [*check, "", "", ""][:3]
    else:
        values = [check, "", ""]
    return [number(v) if isinstance(v, int) else str(v) for v in values]


def _origin(record: dict[str, object]) -> Html:
    def pairs(key: str) -> list[tuple[str, str]]:
        found = record.get(key)
        return [(str(k), str(v)) for k, v in found.items()] if isinstance(found, dict) else []

    rows = [[name, tag("code", digest)] for name, digest in pairs("inputs")]
    said = [f"{k} {v}" for k, v in pairs("versions")]
    facts = [f"seed {record.get('seed')}", f"method {record.get('method', '–')}", *said]
    seconds = [f"{k} {float(v):,.1f} s" for k, v in pairs("seconds") if v not in {"None", ""}]
    return tag(
        "details", tag("summary", "Inputs, versions and times"),
        table("Inputs", ["File", "SHA-256"], rows, hidden_caption=True),
        tag("p", "; ".join(facts), "."), tag("p", "; ".join(seconds), "." if seconds else ""),
    )  # fmt: skip
