"""How a plan was found and checked: goals with their proof, the audit, inputs and versions."""

from optimizer.facts import Facts
from optimizer.report.html import Html, join, table, tag
from optimizer.report.sections import section
from optimizer.run_folder import ALL_PLANS
from optimizer.scenario import RULE_TITLES
from optimizer.words import number, percent, plural


def checked_section(facts: Facts) -> Html:
    """Return how the plan was found and checked: goals with proof, the audit, inputs and versions."""
    record = facts.run.record
    return section("checked", "How sure it is and how it was checked", _stages(facts), _audit(record), _origin(record))


def _stages(facts: Facts) -> Html:
    titles = {
        "worst_off": "The worst-off community as well off as can be", "unmet_need": "Least unmet need of people",
        "weighted": "Least weighted sum of goals",
        "travel": "Least travel", "spending": "Least money", "closeness": "Fewest differences from the plan it follows",
    }  # fmt: skip
    rows = []
    for stage in facts.run.record.get("stages", []):
        goal, value, bound, gap = (stage.get(k) for k in ("goal", "value", "bound", "gap"))
        reached = stage.get("reached", value)
        rows.append(
            [titles.get(str(goal), str(goal)), _quantity(reached), _quantity(value), _quantity(bound),
             str(stage.get("unit", "")), "–" if gap is None else percent(float(gap)),
             str(stage.get("scope") or ALL_PLANS), str(stage.get("status", "")),
             "–" if stage.get("seconds") is None else f"{float(stage['seconds']):,.1f} s"]
        )  # fmt: skip
    head = ["Goal, in order", "Reached", "In the plan", "No plan can pass", "Unit", "Gap", "Proven for", "Status",
            "Time"]  # fmt: skip
    if facts.run.scenario.rule is not None:
        said = RULE_TITLES[facts.run.scenario.rule.split]
        return tag(
            "p",
            f"The plan was made by a rule, {said}. Nothing was searched, so nothing is proven about how good it is; "
            "that it keeps every limit is checked as for any plan.",
        )
    missing = facts.run.record.get("not_reached") or []
    rows += [[titles.get(str(goal), str(goal)), "not reached", *["–"] * 7] for goal in missing]
    return join(
        [table("Goals, one after another", head, rows, numbers=(1, 2, 3, 5, 8)),
         tag("p", "The gap is how far the plan could at most be from the best possible one, proven by the solver, "
             "among the plans named under “proven for” that keep what the goals before have reached. What a goal "
             "reached may give way to later goals, by as much as its tolerance says; the gap is that of the plan.")]
    )  # fmt: skip


def _quantity(value: object) -> str:
    if not isinstance(value, int | float):
        return "–"
    return f"{round(value, 4) + 0.0:,.4f}" if abs(value) < 10 else number(float(value))  # no -0.0000


def _audit(record: dict[str, object]) -> Html:
    audit = record.get("audit")
    audit = audit if isinstance(audit, dict) else {}
    checks = [check for check in audit.get("checks") or [] if isinstance(check, dict)]
    found = audit.get("findings") or []
    passed = bool(audit.get("passed"))
    figures = audit.get("figures") or sum(int(check.get("figures_recomputed") or 0) for check in checks)
    count = int(audit.get("findings_count") or len(found))
    said = (
        f"A second program that shares nothing with the planning one read the inputs and the tables again and "
        f"recomputed {number(figures)} figures for {plural(len(checks), 'rule')}: "
        f"{plural(count, 'finding') if count else 'no finding'}."
    )
    parts: list[object] = [tag("p", said, class_="ok" if passed else "bad")]
    if checks:
        rows = [_check_row(check) for check in checks]
        inner = table("Rules checked", ["What holds", "Equation", "Figures recomputed"], rows, numbers=(2,),
                      hidden_caption=True)  # fmt: skip
        parts.append(tag("details", tag("summary", "The rules that were checked"), inner))
    if found:
        parts.append(tag("ul", *(tag("li", _finding(f)) for f in found[:50])))
    return join(parts)


def _check_row(check: dict[str, object]) -> list[str]:
    name = str(check.get("asks") or check.get("name") or "")
    figures = check.get("figures_recomputed")
    return [name, str(check.get("equation") or "–"), number(figures) if isinstance(figures, int) else "–"]


def _finding(found: object) -> str:
    if not isinstance(found, dict):
        return str(found)
    place = ", ".join(str(found[key]) for key in ("table", "row") if found.get(key))
    return ": ".join(part for part in (place, str(found.get("message") or "")) if part)


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
