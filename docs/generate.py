"""Write the pages that follow from the code: the commands, the data, the keys of a scenario.

python -m docs.generate            writes them
python -m docs.generate --check    says which differ, and fails if one does
"""

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import typer.main
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.testing import CliRunner

from geodata.describe import markdown_table, number, plain, schema_markdown
from optimizer.cli import app
from optimizer.scenario import Scenario

HERE = Path(__file__).resolve().parent
NOTE = "<!-- Written by docs/generate.py; change the code, not this page. -->\n"
SCENARIOS = """\
A scenario is one YAML file. `extends: base` (or the path of another scenario) takes everything from there and changes
only what the file says; `allot run NAME --set a.b.c=value` changes one value on the command line. Unknown keys are
errors. `allot scenarios` lists those that ship.
"""


def commands_page() -> str:
    """Return the page of all commands: their help as the terminal shows it, 100 characters wide."""
    parts = [NOTE, "# The commands\n", f"```text\n{_help([])}\n```\n"]
    commands = sorted(_commands(typer.main.get_command(app)))
    parts += [f"## allot {' '.join(words)}\n\n```text\n{_help(words)}\n```\n" for words in commands]
    return "\n".join(parts)


def _commands(group: Any) -> Iterator[list[str]]:
    """Words that call each command that is not hidden, commands of groups included."""
    for name, command in group.commands.items():
        if not command.hidden and hasattr(command, "commands"):
            yield from ([name, *words] for words in _commands(command))
        elif not command.hidden:
            yield [name]


def _help(words: list[str]) -> str:
    """What `allot WORDS --help` prints, without colours and without blanks at the ends of lines."""
    bare = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb", "FORCE_COLOR": None}
    done = CliRunner().invoke(app, [*words, "--help"], prog_name="allot", env=bare)
    if done.exit_code != 0:
        raise RuntimeError(f"allot {' '.join(words)} --help failed: {done.output}")
    return "\n".join(line.rstrip() for line in done.output.strip().splitlines())


def data_page() -> str:
    """Return the page of all tables and columns of a city."""
    return NOTE + "\n" + schema_markdown()


def scenario_page() -> str:
    """Return the page of all keys of a scenario."""
    parts = [
        NOTE,
        "# Scenarios\n",
        SCENARIOS,
    ]
    seen: set[type[BaseModel]] = set()
    parts += [text for path, model in _models(Scenario, "", seen) for text in _model(path, model)]
    return "\n".join(parts)


def _models(model: type[BaseModel], path: str, seen: set[type[BaseModel]]) -> Iterator[tuple[str, type[BaseModel]]]:
    if model in seen:
        return
    seen.add(model)
    yield path, model
    for name, field in model.model_fields.items():
        for kind, inner in _parts(field.annotation):
            step = {"dict": ".NAME", "list": "[]"}.get(kind, "")
            yield from _models(inner, f"{path}.{name}{step}".lstrip("."), seen)


def _parts(annotation: Any, kind: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Scenario parts that an annotation speaks of, with the container they stand in."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield kind, annotation
    origin = get_origin(annotation)
    container = {dict: "dict", list: "list"}.get(origin, kind) if origin else kind
    for inner in get_args(annotation) if origin is not Literal else ():
        yield from _parts(inner, container)


def _model(path: str, model: type[BaseModel]) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        limits = "; ".join(filter(None, map(_limit, field.metadata)))
        rows.append([f"`{name}`", _type(field.annotation), _field_default(field), limits, field.description or ""])
    title = f"## `{path}`\n" if path else "## At the top\n"
    return [
        title,
        f"{(model.__doc__ or '').strip()}\n",
        markdown_table(["key", "type", "default", "limits", "meaning"], rows),
    ]


def _field_default(field: Any) -> str:
    if field.is_required():
        return "must be given"
    value = field.default if field.default is not PydanticUndefined else field.default_factory()
    if isinstance(value, BaseModel) or value in ("", [], {}, None):
        return ""
    if isinstance(value, list) and isinstance(value[0], BaseModel):
        value = [next(iter(item.model_dump().values())) for item in value]
    return f"`{', '.join(map(plain, value)) if isinstance(value, list) else plain(value)}`"


def _limit(rule: Any) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    found = [f"{word} {number(getattr(rule, name))}" for name, word in words.items() if hasattr(rule, name)]
    return "; ".join(found)


def _type(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): ""}
    if annotation in plain:
        return plain[annotation]
    if origin is Literal:
        return " / ".join(map(str, inner))
    if origin in (Union, types.UnionType):
        return " or ".join(filter(None, map(_type, inner)))
    if origin is list:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return f"name -> {_type(inner[1])}"
    if origin is not None and hasattr(annotation, "__metadata__"):
        return _type(inner[0])
    return "part" if isinstance(annotation, type) and issubclass(annotation, BaseModel) else "text"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": commands_page,
    "data-schema.md": data_page,
    "scenarios.md": scenario_page,
}


def main(words: list[str]) -> int:
    """Write every page, or with `--check` compare them; return the exit status."""
    stale = [
        name
        for name, write in PAGES.items()
        if not (HERE / name).is_file() or (HERE / name).read_text(encoding="utf-8") != write()
    ]
    for name in stale:
        if "--check" in words:
            print(f"docs/{name} is not what the code says; run: python -m docs.generate")
        else:
            (HERE / name).write_text(PAGES[name](), encoding="utf-8", newline="\n")
    return 1 if stale and "--check" in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
