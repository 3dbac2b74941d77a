"""Read YAML 1.2 into plain values that remember where they stand (file, line, column)."""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Keys = tuple[str | int, ...]
LARGEST_FILE = 2_000_000  # bytes
MOST_VALUES = 100_000
DEEPEST = 40
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Place:
    """Where a key or a value stands; line and column count from 1, 0 where they mean nothing."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Origin:
    """Places of one key (or list item) and of its value."""

    key: Place
    value: Place


@dataclass(frozen=True)
class Finding:
    """One mistake: where, which key, the value as written ("" where it does not matter) and what to do."""

    place: Place
    path: str
    value: str
    message: str

    def __str__(self) -> str:
        what = f"{self.path} = {self.value}" if self.path and self.value else self.path or self.value
        return "  ".join(part for part in (str(self.place), what, self.message) if part)


@dataclass
class Tree:
    """Plain values, the places of all of them, and what was wrong with the text."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Keys, Origin] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def dotted(keys: Keys) -> str:
    """Return a path of keys as `a.b.0.c`."""
    return ".".join(str(key) for key in keys)


def value_at(values: Any, keys: Keys) -> Any:
    """Return the value under keys, None where there is none."""
    for key in keys:
        try:
            values = values[key]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def shown(path: Path) -> str:
    """Return a file's name as people should see it: relative where it lies below the current folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return os.path.normpath(path)


def read_tree(path: Path) -> Tree:
    """Read a YAML file whose outermost value is a mapping; every mistake becomes a finding, none is raised."""
    tree = Tree()
    place = Place(shown(path))
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= LARGEST_FILE else b""
    except OSError as error:
        tree.findings.append(Finding(place, "", "", f"cannot be read: {error.strerror or error}"))
        return tree
    if size > LARGEST_FILE:
        tree.findings.append(Finding(place, "", "", f"has {size:,} bytes; a scenario may have {LARGEST_FILE:,}"))
        return tree
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        message = f"line {line} is not UTF-8 text; save the file as UTF-8"
        tree.findings.append(Finding(place, "", "", message))
        return tree
    _fill(tree, text, place.file)
    return tree


def read_value(text: str, place: Place) -> tuple[Any, list[Finding]]:
    """Return the value of one piece of YAML (the right side of `key=value`) and what is wrong with it."""
    tree = Tree()
    node = _compose(tree, text, place.file)
    if node is None:
        return None, [Finding(place, f.path, f.value, f.message) for f in tree.findings]
    value = _Walk(tree, "").value(node, ())
    return value, [Finding(place, f.path, f.value, f.message) for f in tree.findings]


def _fill(tree: Tree, text: str, file: str) -> None:
    node = _compose(tree, text, file)
    if tree.findings:
        return
    if node is None:
        tree.findings.append(Finding(Place(file), "", "", "is empty; a scenario has at least a name and a horizon"))
    elif not isinstance(node, MappingNode):
        tree.findings.append(Finding(_start(node, file), "", "", "must be a mapping of keys to values"))
    else:
        if text.lstrip().startswith("%YAML 1.1"):
            message = "asks for YAML 1.1, where `no` and `010` mean something else; remove the line"
            tree.findings.append(Finding(Place(file, 1, 1), "", "%YAML 1.1", message))
        tree.values = _Walk(tree, file).value(node, ())


def _compose(tree: Tree, text: str, file: str) -> Node | None:
    yaml = YAML(typ="rt", pure=True)
    try:
        _not_too_deep(text)
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        words = " ".join(str(part) for part in (error.context, error.problem) if part)
        hint = "; put a blank after every colon" if "flow" in words else ""
        hint = "; indent with blanks" if "\\t" in words else hint
        tree.findings.append(Finding(place, "", "", f"is not valid YAML: {words}{hint}"))
    except (YAMLError, ValueError) as error:
        tree.findings.append(Finding(Place(file), "", "", f"is not valid YAML: {str(error).splitlines()[0]}"))
    except RecursionError:
        tree.findings.append(Finding(Place(file), "", "", f"is nested more than {DEEPEST} deep"))
    else:
        return node
    return None


def _not_too_deep(text: str) -> None:
    """Raise RecursionError for brackets nested so deep that parsing them would take long."""
    depth = 0
    for letter in re.findall(r"[\[\]{}]", text):
        depth += 1 if letter in "[{" else -1
        if depth > 5 * DEEPEST:
            raise RecursionError


def _start(node: Node, file: str) -> Place:
    return Place(file, node.start_mark.line + 1, node.start_mark.column + 1)


class _Walk:
    """Turns the nodes of one document into plain values and notes where each stands."""

    def __init__(self, tree: Tree, file: str) -> None:
        self.tree = tree
        self.file = file
        self.count = 0

    def found(self, node: Node, keys: Keys, value: str, message: str) -> None:
        self.tree.findings.append(Finding(_start(node, self.file), dotted(keys), value, message))

    def value(self, node: Node, keys: Keys) -> Any:
        """Return the plain value of a node: dict, list, str, int, float, bool or None."""
        self.count += 1
        if self.count > MOST_VALUES or len(keys) > DEEPEST:
            if self.count <= MOST_VALUES + 1:
                self.count = MOST_VALUES + 1
                self.found(node, keys[:2], "", f"more than {MOST_VALUES:,} values, or more than {DEEPEST} deep")
                self.count += 1
            return None
        if isinstance(node, MappingNode):
            return self.mapping(node, keys)
        if isinstance(node, SequenceNode):
            return [self.item(item, (*keys, i)) for i, item in enumerate(node.value)]
        return self.scalar(node, keys)

    def item(self, node: Node, keys: Keys) -> Any:
        place = _start(node, self.file)
        self.tree.origins[keys] = Origin(place, place)
        return self.value(node, keys)

    def mapping(self, node: MappingNode, keys: Keys) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in self.pairs(node, keys):
            key = str(key_node.value)
            here = (*keys, key)
            if key in values:
                first = self.tree.origins[here].key
                self.found(key_node, here, "", f"duplicate key, first given in line {first.line}; keep one of them")
                continue
            place = _start(key_node, self.file)
            scalar = isinstance(value_node, ScalarNode) and value_node.value != ""
            self.tree.origins[here] = Origin(place, _start(value_node, self.file) if scalar else place)
            values[key] = self.value(value_node, here)
        return values

    def pairs(self, node: MappingNode, keys: Keys) -> Iterator[tuple[ScalarNode, Node]]:
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.found(key_node, keys, "", "a key must be a word")
            elif key_node.tag == _TAG + "merge":
                self.found(key_node, keys, "<<", "merge keys are not used in scenarios; use extends")
            else:
                yield key_node, value_node

    def scalar(self, node: Node, keys: Keys) -> Any:
        kind = str(node.tag).removeprefix(_TAG)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return str(node.value).lower() == "true"
            if kind == "int":
                return _integer(str(node.value))
            if kind == "float":
                number = float(str(node.value).replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
                if math.isfinite(number):
                    return number
                self.found(node, keys, str(node.value), "is not a finite number")
                return number
        except (ValueError, OverflowError):
            self.found(node, keys, str(node.value)[:40], "is not a number")
            return str(node.value)
        if kind not in ("str", "timestamp"):
            message = "YAML tags are not used in scenarios; write the plain value"
            self.found(node, keys, f"{kind} {node.value}"[:40], message)
        return str(node.value)


def _integer(text: str) -> int:
    """Return a YAML 1.2 integer: decimal (leading zeros allowed), 0x, 0o or 0b."""
    digits = text.replace("_", "")
    return int(digits, 0 if digits.lstrip("+-")[:2] in ("0x", "0o", "0b") else 10)
