"""Where every column of the reference city comes from: report, derived or synthetic."""

from collections.abc import Mapping, Sequence

import pandas as pd

from geodata.reference.layout import records

SOURCES = ("report", "derived", "synthetic")
# (layer, column) -> (source, note); a column that is not named here is synthetic without a cause.
NOTES: dict[tuple[str, str], tuple[str, str]] = {
    ("communities", "community"): ("synthetic", "Identifier made for this city; 396 of them, as the study counts."),
    ("communities", "name"): ("synthetic", "District and number; no real community's name but for the studied ones."),
    ("communities", "name_zh"): ("synthetic", "District and number, in Chinese."),
    ("communities", "district"): ("synthetic", "District in whose outline the synthetic polygon lies."),
    ("communities", "sub_district"): ("synthetic", "19 as the study counts; names, places and membership are made up."),
    ("communities", "type"): ("synthetic", "The study's types; old core in the middle, fringe at the edge."),
    ("communities", "main_city"): ("synthetic", "131 as the study counts; which ones is made up."),
    ("communities", "population"): (
        "synthetic",
        "Lognormal, 800 to 12,000; the main city sums to 700,000 (report: 100,000 migrants, 1/7 of the people).",
    ),
    ("communities", "migrants"): (
        "synthetic", "Sum 100,000 from the report, all in the main city; more in the fringe."
    ),
    ("communities", "laid_off"): ("synthetic", "Sum 35,000 made up; the report: over 25,000 were helped into work."),
    ("communities", "own_income_yuan"): ("synthetic", "Mostly 0 to 30,000 yuan; a few rich ones."),
    ("communities", "debt_yuan"): ("synthetic", "A few communities owe 10,000 to 250,000 yuan."),
    ("communities", "hardship"): ("derived", "Formula of docs/reference-city.md from synthetic columns."),
    ("communities", "note"): ("synthetic", "Empty but for zones (report names the zones, not their communities)."),
    ("communities", "geometry"): ("synthetic", "Voronoi cells in a made-up footprint, clipped to the real district."),
    ("sites", "community"): ("derived", "Community whose polygon holds the building."),
    ("sites", "area_m2"): ("synthetic", "Offices 14 to 150 m2; 300 and more in the zones, as the report says of them."),
    ("facilities", "facility"): ("synthetic", "Identifiers; how many there are of each kind is the report's."),
    ("facilities", "kind"): ("report", "Kinds and their numbers; where it says `over`, the number named is taken."),
    ("facilities", "service"): ("derived", "Service of the plan that the kind gives; empty where none."),
    ("facilities", "level"): ("derived", "Follows from the kind."),
    ("facilities", "area_m2"): ("synthetic", "At the own office: capacity x area per unit; else 0, not known."),
    ("streets", "length_m"): ("synthetic", "2 to 15 % above the straight line."),
    ("streets", "geometry"): ("synthetic", "Made-up network; no real street is in it."),
    ("needs", "community"): ("derived", "Identifier of communities."),
    ("needs", "need"): ("derived", "Services of scenarios/base.yaml."),
    ("needs", "amount"): ("synthetic", "Norm x people x local variation, docs/reference-city.md."),
    ("needs", "persons"): ("derived", "From the synthetic people of communities."),
    ("districts", "district"): ("derived", "Short English name."),
    ("districts", "name"): ("derived", "As in districts.geojson."),
    ("districts", "name_zh"): ("derived", "As in districts.geojson."),
    ("districts", "geometry"): (
        "derived", "Real outlines, simplified (150 m), projected, whole metres; not those of 2006. README.md beside."
    ),
}  # fmt: skip


def _studied(studied: pd.DataFrame) -> list[tuple[str, str, str, str, str]]:
    """Rows of what the study says of the eight studied communities."""
    rows = []
    for row in records(studied):
        name = row["community"]
        placed = "synthetic" if row["position"].startswith("synthetic") else "derived"
        kind_note = "As the report describes it." if row["type_source"] == "report" else "The report names none."
        rows += [
            ("communities", "name", name, "report", "Named in the report."),
            ("communities", "name_zh", name, "report", "Named in the report."),
            ("communities", "main_city", name, "report", "Studied within the main city."),
            ("communities", "type", name, row["type_source"], kind_note),
            ("communities", "note", name, "report", "What the report says of it."),
            ("communities", "geometry", name, "synthetic", "Boundary made up around the position."),
            ("sites", "geometry", f"office_{name}", placed, f"Position: {row['position']}."),
        ]  # fmt: skip
    rows += [
        ("communities", "debt_yuan", "banqiao", "report", "Over 600,000 yuan; 600,000 is taken."),
        ("communities", "own_income_yuan", "liuli", "synthetic", "The report says rich, with a wholesale market."),
        ("communities", "debt_yuan", "liuli", "synthetic", "The report names no debt."),
        ("sites", "area_m2", "office_dongduan", "derived", "In the High-tech Zone: 300 m2 per community (report)."),
        ("sites", "area_m2", "office_dongcai", "synthetic", "The report says it lacks rooms; 15 m2 is made up."),
    ]
    return rows


def build_provenance(studied: pd.DataFrame, columns: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return layer, column, feature (empty: all rows), source and note for every column of every layer.

    `columns` are those of the layers that have a table of the schema.
    """
    rows = []
    for name, names in columns.items():
        for column in names:
            source, note = NOTES.get((name, column), ("synthetic", "Made up; docs/reference-city.md says how."))
            rows.append((name, column, "", source, note))
    rows += _studied(studied)
    rows += [("facts", c, "", "report", "Figures of the study; column source says where others are from.")
             for c in ("key", "what", "value", "unit", "qualifier", "source")]  # fmt: skip
    return pd.DataFrame(rows, columns=["layer", "column", "feature", "source", "note"])
