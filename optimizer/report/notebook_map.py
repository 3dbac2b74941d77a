"""Maps for notebooks: communities coloured by a column, drawn without a network."""

from typing import TYPE_CHECKING, Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd

from optimizer.report.map_chart import DIVERGING, SEQUENTIAL, SHARE_EDGES, simplified
from optimizer.words import need_title

if TYPE_CHECKING:
    from altair import Chart

    from optimizer.compare import Comparison

DIFFERENCE_EDGES = (-0.1, -0.05, -0.01, 0.01, 0.05, 0.1)
WIDTH, HEIGHT = 620, 520


def community_map(
    frame: gpd.GeoDataFrame, column: str, title: str, *, stations: gpd.GeoDataFrame | None = None
) -> "Chart":
    """Return a map of a column of communities: shares and differences in fixed classes, words by colour.

    Raises KeyError for a column that is not there.
    """
    import altair as alt

    if column not in frame.columns or column == "geometry":
        raise KeyError(f"{column}: there is no such column; columns are {', '.join(map(str, frame.columns))}")
    values = frame[column]
    if column in ("change", "gain"):
        scale: Any = alt.Scale(type="threshold", domain=list(DIFFERENCE_EDGES), range=list(DIVERGING))
        kind = "Q"
    elif column.startswith(("met_", "score")):
        scale, kind = alt.Scale(type="threshold", domain=list(SHARE_EDGES), range=list(SEQUENTIAL)), "Q"
    elif pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        scale, kind = alt.Scale(scheme="yellowgreenblue"), "Q"
    else:
        scale, kind = alt.Scale(scheme="tableau10"), "N"
    return _draw(frame, column, kind, scale, title, stations)


def difference_map(comparison: "Comparison", scenario: str, need: str = "", *, main_city: bool = False) -> "Chart":
    """Return a map of what a scenario changes against the base; see `Comparison.map`."""
    import altair as alt

    sides = {side.label: side for side in comparison.sides}
    if scenario not in sides:
        raise KeyError(f"{scenario}: not compared; there are {', '.join(sides)}")
    base, side = comparison.base, sides[scenario]
    if need and need not in base.facts.needs:
        raise KeyError(f"{need}: there is no such need; needs are {', '.join(base.facts.needs)}")
    if need:
        shares = [_share_of(one.met, need) for one in (base, side)]
        change, what = shares[1] - shares[0], need_title(base.run.scenario, need)
    else:
        change, what = side.scores - base.scores, "All needs"
    frame = base.facts.city.communities
    frame = frame[frame["main_city"]] if main_city else frame
    frame = frame[["community", "name", "district", "geometry"]].reset_index(drop=True)
    frame["difference"] = frame["community"].map(change)
    scale = alt.Scale(type="threshold", domain=list(DIFFERENCE_EDGES), range=list(DIVERGING))
    return _draw(frame, "difference", "Q", scale, f"{what}: {scenario} less {base.label}", None)


def _share_of(met: pd.DataFrame, need: str) -> "pd.Series[float]":
    rows = met[met["need"] == need].assign(part=lambda f: f["beta"] * f["share"])
    sums = rows.groupby("community")[["part", "beta"]].sum()
    return sums["part"] / sums["beta"]


def _draw(
    frame: gpd.GeoDataFrame, column: str, kind: str, scale: Any, title: str, stations: gpd.GeoDataFrame | None
) -> "Chart":
    import altair as alt

    if alt.renderers.active == "default":  # it would need a network
        alt.renderers.enable("svg")
    left, bottom, right, top = frame.total_bounds
    tips = [c for c in ("name", "district", column) if c in frame.columns]
    shown = frame[[*dict.fromkeys(tips), "geometry"]].copy()
    shown.geometry = gpd.GeoSeries(
        list(simplified(np.asarray(frame.geometry), max(right - left, top - bottom))), index=frame.index, crs=frame.crs
    )
    areas = (
        alt.Chart(_features(shown))
        .mark_geoshape(stroke="white", strokeWidth=0.4, invalid=None)
        .encode(
            color=alt.Color(f"properties.{column}:{kind}", scale=scale, title=None),
            tooltip=[
                alt.Tooltip(f"properties.{tip}", title=tip, type=_type(shown[tip])) for tip in list(shown.columns[:-1])
            ],
        )
    )
    chart = areas
    if stations is not None and len(stations):
        dots = stations[["name", "service", "change", "geometry"]]
        chart = areas + alt.Chart(_features(dots)).mark_geoshape(stroke="white", strokeWidth=0.8, fill="#d1480b")
    made: Chart = chart.project(type="identity", reflectY=True, pointRadius=3.5).properties(
        width=WIDTH, height=HEIGHT, title=title
    )
    return made


def _type(values: "pd.Series[Any]") -> Literal["quantitative", "nominal"]:
    return "quantitative" if pd.api.types.is_numeric_dtype(values) else "nominal"


def _features(frame: gpd.GeoDataFrame) -> Any:
    """Return rows as features without their coordinate system, whose numbers are already those of the picture."""
    import altair as alt

    features = []
    for record in frame.to_geo_dict(drop_id=True, na="null")["features"]:
        record["properties"] = {k: (None if v != v else v) for k, v in record["properties"].items()}
        features.append(record)
    return alt.InlineData(values=features)
