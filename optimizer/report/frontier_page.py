"""A frontier as one page: the curve, what each step costs, and the table of its points; it needs no network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from optimizer.report.html import Html, asset, document, join, table, tag
from optimizer.report.sections import section
from optimizer.words import number

At = Callable[[float, float], tuple[float, float]]
WIDTH, HEIGHT, LEFT, BOTTOM, EDGE = 760, 420, 96, 56, 16


@dataclass(frozen=True)
class Axis:
    """A column of the table along an axis: its title, and how many of its units one shown unit is."""

    column: str
    title: str
    unit: float = 1.0
    digits: int = 0


def frontier_page(
    frame: pd.DataFrame,
    *,
    title: str,
    kicker: str,
    axes: Sequence[Axis],
    heads: dict[str, Axis],
    lines: Sequence[str],
    sure: str,
) -> str:
    """Return the page of a frontier.

    `axes` are the columns of the picture (across, up); `heads` the columns of the table; `lines` say what steps cost.
    """
    header = tag(
        "header", tag("a", "Skip to the frontier", href="#content", class_="skip"), tag("p", kicker, class_="kicker"),
        tag("h1", title), tag("p", sure, class_="sentence"),
    )  # fmt: skip
    parts = [section("curve", "The curve", Html(picture(frame, axes[0], axes[1])), lead=_lead(axes[1]))]
    if lines:
        parts.append(section("steps", "What each step costs", tag("ul", *(tag("li", line) for line in lines))))
    parts.append(section("points", "The points", _points(frame, heads)))
    body = join([header, tag("main", *parts, id="content")])
    return document(title, body, styles=asset("page.css") + asset("report.css"), script="")


def _lead(up: Axis) -> str:
    bounds = " The line below a point goes down to its proven bound." if up.column == "unmet_need" else ""
    return f"Every dot is a plan with a run folder of its own; its number is that of the table.{bounds}"


def _points(frame: pd.DataFrame, heads: dict[str, Axis]) -> Html:
    rows: list[list[object]] = []
    for row in frame.to_dict("records"):
        name = str(row["run"])
        link = tag("a", str(row["point"]), href=f"{name}/report.html")
        rows.append([link, *(_cell(row[column], axis) for column, axis in heads.items()), tag("code", name)])
    head = ["Point", *(axis.title for axis in heads.values()), "Run folder"]
    return table("Points of the frontier", head, rows, numbers=range(1, len(head) - 1), hidden_caption=True)


def _cell(value: object, axis: Axis) -> str:
    if value is None or value != value:
        return "–"
    return value if isinstance(value, str) else _shown(float(str(value)), axis)


def _shown(value: float, axis: Axis) -> str:
    return number(value / axis.unit, axis.digits)


def picture(frame: pd.DataFrame, across: Axis, up: Axis) -> str:
    """Return the curve as SVG: dots, a line through them, and for unmet need the proven bounds."""
    x, y = frame[across.column].astype(float), frame[up.column].astype(float)
    low = frame["unmet_need_bound"].astype(float) if up.column == "unmet_need" else y
    left, right = _range(x)
    bottom, top = _range(pd.concat([y, low]))

    def at(a: float, b: float) -> tuple[float, float]:
        wide, high = WIDTH - LEFT - EDGE, HEIGHT - BOTTOM - EDGE
        return LEFT + wide * (a - left) / (right - left), EDGE + high * (top - b) / (top - bottom)

    parts = [*_axis(across, left, right, at, bottom, upright=False), *_axis(up, bottom, top, at, left, upright=True)]
    ordered = sorted(zip(x, y, strict=True))
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in (at(*pair) for pair in ordered))
    parts.append(tag("polyline", points=line, fill="none", stroke="#0b62a4", stroke_width="1.5", opacity="0.6"))
    for name, a, b, least in zip(frame["point"], x, y, low, strict=True):
        (px, py), (_, foot) = at(a, b), at(a, least)
        said = f"Point {name}: {across.title} {_shown(a, across)}, {up.title} {_shown(b, up)}"
        parts.append(tag("line", x1=f"{px:.1f}", x2=f"{px:.1f}", y1=f"{py:.1f}", y2=f"{foot:.1f}", stroke="#d1480b",
                         stroke_width="2"))  # fmt: skip
        parts.append(tag("circle", tag("title", said), cx=f"{px:.1f}", cy=f"{py:.1f}", r="5", fill="#0b62a4"))
        parts.append(tag("text", str(name), x=f"{px + 7:.1f}", y=f"{py - 7:.1f}", font_size="12", fill="#51606c"))
    label = f"Curve of {up.title} against {across.title}; the table of points says the same."
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label,
               style=f"max-width:{WIDTH}px;width:100%;height:auto;font-family:inherit",
               xmlns="http://www.w3.org/2000/svg")  # fmt: skip


def _range(values: "pd.Series[float]") -> tuple[float, float]:
    least, most = float(values.min()), float(values.max())
    room = 0.06 * (most - least) or max(1e-6, 0.05 * abs(most))
    return least - room, most + room


def _axis(axis: Axis, low: float, high: float, at: At, across: float, *, upright: bool) -> list[Html]:
    parts = []
    for n in range(5):
        value = low + (high - low) * (n + 0.5) / 5
        px, py = at(across, value) if upright else at(value, across)
        if upright:
            parts.append(
                tag("line", x1=str(LEFT), x2=str(WIDTH - EDGE), y1=f"{py:.1f}", y2=f"{py:.1f}", stroke="#d9dfe4")
            )
            parts.append(tag("text", _shown(value, axis), x=str(LEFT - 8), y=f"{py + 4:.1f}", text_anchor="end",
                             font_size="12", fill="#51606c"))  # fmt: skip
        else:
            parts.append(tag("text", _shown(value, axis), x=f"{px:.1f}", y=str(HEIGHT - BOTTOM + 18),
                             text_anchor="middle", font_size="12", fill="#51606c"))  # fmt: skip
    if upright:
        parts.append(tag("text", axis.title, x="14", y=str((HEIGHT - BOTTOM) // 2), font_size="13", fill="#1c2730",
                         text_anchor="middle", transform=f"rotate(-90 14 {(HEIGHT - BOTTOM) // 2})"))  # fmt: skip
    else:
        parts.append(tag("text", axis.title, x=str((LEFT + WIDTH) // 2), y=str(HEIGHT - 10), font_size="13",
                         fill="#1c2730", text_anchor="middle"))  # fmt: skip
    return parts
