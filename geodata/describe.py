"""The data schema in words: every table and column of a city as Markdown."""

from geodata.schema import TABLES, Column

DATA = """\
A city is a GeoPackage, or a folder of files, with these tables. Other file types (GeoJSON, zipped Shapefile,
GeoParquet, CSV) and other column names are mapped in the scenario under `data.layers`.
"""


def schema_markdown() -> str:
    """Return every table and column of a city as Markdown."""
    parts = [
        "# The data\n",
        DATA,
    ]
    for each in TABLES.values():
        need = "required" if each.required else "optional"
        parts.append(f"## {each.name}\n")
        geometry = "no geometry" if each.geometry == "none" else f"geometry: {each.geometry}"
        parts.append(f"{each.description} ({need}; {geometry}; one row per {', '.join(each.key)})\n")
        rows = [[f"`{c.name}`", c.kind, c.unit, _column_default(c), _limits(c), c.description] for c in each.columns]
        parts.append(markdown_table(["column", "type", "unit", "where empty", "limits", "meaning"], rows))
    return "\n".join(parts)


def _column_default(column: Column) -> str:
    if column.required:
        return "an error"
    return "" if column.default is None or column.default == "" else f"`{plain(column.default)}`"


def _limits(column: Column) -> str:
    limits = [f"at least {number(column.minimum)}" if column.minimum is not None else ""]
    limits.append(f"at most {number(column.maximum)}" if column.maximum is not None else "")
    limits.append(f"a warning above {column.plausible:,.0f}" if column.plausible is not None else "")
    limits.append("one of " + ", ".join(column.choices) if column.choices else "")
    limits.append(f"a row of {column.references}" if column.references else "")
    limits.append(f"one of the scenario's {column.scenario_choices}" if column.scenario_choices else "")
    return "; ".join(limit for limit in limits if limit)


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown; a column that is empty in every row is left out."""
    keep = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = [[head[i] for i in keep], ["---" for _ in keep], *([cell(row[i]) for i in keep] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def cell(text: object) -> str:
    """Text for one cell of a table: one line, no bar."""
    return " ".join(str(text).split()).replace("|", "\\|")


def number(value: float) -> str:
    """Text of a number, with commas where it is long."""
    return f"{value:,.15g}" if abs(value) >= 10_000 else f"{value:.12g}"


def plain(value: object) -> str:
    """Text of any default value."""
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
