"""The README of a city that was started from polygons: what is data, what is estimated, and how."""

from collections.abc import Mapping
from typing import Any

import geopandas as gpd

from geodata import init_norms as norms
from geodata.files import Raw
from geodata.init_columns import Chosen

_TEXT = """\
# {title}

Started from `{file}`{layer}: {communities:,} communities, {people:,.0f} people. `city.gpkg` holds the tables
(any GIS opens and edits it), `scenario.yaml` the plan's rules and money.

```
allot check scenario.yaml
allot run scenario.yaml
allot compare scenario.yaml budget_cut.yaml
```

## What is data and what is estimated

| table, columns | comes from |
|---|---|
{rows}

**synthetic** means: not observed, only estimated so that there is something to plan with. Replace it by what is known;
`allot schema --data` describes every column. {missing}

## How it was estimated

- Groups of people: {shares}.
- Offices: {office:g} m2 for every 100 households, at most {most:g} m2, at a point inside the polygon.
- Rooms that could be added to an office (rent, renovate, build): together {room:g} times what is lacking to the space
  target or to the floor that the community's own services need, whichever is more. Prices are the reference city's.
- Buildings for stations: one for about {per_station} communities of a sub-district, in the most central community of
  each compact group; large enough together for {room:g} times the floor its shared services need. Halls: one for about
  {per_hall} communities, 14 hours a week.
- Sub-districts, where no column names them: compact groups of about {per_group} communities within each district.
- Needs: the norms of the services in the base scenario (`need: per, rate`), from the groups of people.
- Money: the base scenario's, scaled half by the number of communities and half by the number of people; a district's
  own finance likewise by its communities and people.
- Limits of travel: those of the base scenario suit neighbouring communities 1,000 m apart; here they are {factor:.3g}
  times as long, because that is how far neighbours are apart (never shorter than in the base scenario).
- Smallest stations: lowered where even all the need of a sub-district would not reach them.
"""


_NO_FACILITIES = """\
There are no existing facilities yet: add the layer `facilities` to `city.gpkg` when you have it."""
_NOTHING_YET = """\
There are no existing facilities and no streets yet: add the layers
`facilities` and `streets` to `city.gpkg` when you have them. Without streets, travel is the straight line times 1.3."""


def readme(
    made: Mapping[str, Any],
    chosen: Chosen,
    raw: Raw,
    communities: gpd.GeoDataFrame,
    buildings: int,
    factor: float,
    streets: str = "",
) -> str:
    """Return the README as Markdown."""
    columns = {ours: theirs for ours, theirs in chosen.columns.items() if theirs != "#"}
    given = {str(c) for c in raw.frame.columns}
    taken = ", ".join(f"{ours} (column `{theirs}`)" for ours, theirs in sorted(columns.items()))
    rows = [f"| communities: polygons, {taken} | the file |"]
    groups = [group for group in norms.SHARES if group not in given]
    synthetic = [c for c in ("households",) if c not in given] + groups
    for ours, said in (
        ("community", "the row number in the file"),
        ("name", "the identifier"),
        ("district", "one district, called city"),
        ("sub_district", "**synthetic**: compact groups, see below"),
    ):
        if ours not in columns:
            rows.append(f"| communities: {ours} | {said} |")
    if synthetic:
        rows.append(f"| communities: {', '.join(synthetic)} | **synthetic**: national shares, see below |")
    rows.append(
        "| communities: type, own_income_yuan, debt_yuan, hardship, main_city | defaults, unless the file has them |"
    )
    rows.append(f"| sites: all {buildings:,} buildings | **synthetic** |")
    if streets:
        rows.append(f"| streets | `{streets}` |")
    rows.append("| needs: all | **synthetic**: norms of the base scenario |")
    rows.append("| money and limits in scenario.yaml | **synthetic**: scaled from the base scenario |")
    shares = "; ".join(
        f"{g.replace('_', ' ')} {share:.1%} of {base} ({source})" for g, (base, share, source) in norms.SHARES.items()
    )
    return _TEXT.format(
        title=made["title"],
        file=raw.file.name,
        layer=f" (layer {raw.layer})" if raw.layer and raw.layer != raw.file.stem else "",
        communities=len(communities),
        people=communities["population"].sum(),
        rows="\n".join(rows),
        missing=_NO_FACILITIES if streets else _NOTHING_YET,
        shares="households population / 2.6; " + shares,
        office=norms.OFFICE_M2_PER_100_HOUSEHOLDS,
        most=norms.OFFICE_MOST_M2,
        room=norms.ROOM,
        per_station=norms.COMMUNITIES_PER_STATION,
        per_hall=norms.COMMUNITIES_PER_HALL,
        per_group=norms.COMMUNITIES_PER_SUB_DISTRICT,
        factor=factor,
    )
