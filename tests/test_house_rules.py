"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

FREE = {*range(14, 19)}  # numbers kept for programmes to come
TEXT_ENDINGS = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".html", ".css", ".js", ".ipynb", ".lp", ""}
FORBIDDEN = {
    "a package index by name": re.compile(r"pypi\.(org|io)|pythonhosted\.org|npmjs\.(org|com)|deb\.debian\.org"),
    "a path of one machine": re.compile(r"(?<![\w.])/(work|root|home/\w+|Users/\w+)/(?=\w)"),
}


def tracked(root: Path) -> list[Path]:
    """Return the text files under version control, or skip where there is no git."""
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [root / name for name in done.stdout.decode("utf-8").split("\0") if name]
    return [path for path in paths if path.suffix in TEXT_ENDINGS and path.is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_names(what: str, root: Path) -> None:
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()[:100]}"
        for path in tracked(root)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found, "\n".join(found)


def test_every_text_file_ends_its_lines_the_same_way(root: Path) -> None:
    assert [str(path) for path in tracked(root) if b"\r\n" in path.read_bytes()] == []


def equations(text: str) -> set[int]:
    """Numbers in parentheses, and ranges such as (13)–(18) or "(5) to (7)", in a text."""
    found = {int(number) for number in re.findall(r"\((\d{1,2})\)", text)}
    for first, last in re.findall(r"\((\d{1,2})\)\s*(?:–|-|to)\s*\((\d{1,2})\)", text):
        found |= set(range(int(first), int(last) + 1))
    return found


def docstrings(*paths: Path) -> str:
    """All docstrings of the modules, their classes and functions."""
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return "\n".join(ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds))


def stated(root: Path) -> set[int]:
    """Equation numbers that the mathematics gives a rule to."""
    text = (root / "docs" / "mathematics.md").read_text(encoding="utf-8")
    return {int(number) for number in re.findall(r"^\((\d{1,2})\)(?!–)", text, flags=re.MULTILINE)} - FREE


def test_the_mathematics_numbers_its_rules(root: Path) -> None:
    assert stated(root) == set(range(1, 38)) - FREE


def test_every_equation_stands_in_the_docstring_of_what_writes_it(root: Path) -> None:
    package = root / "optimizer"
    elsewhere = {"audit", "report"}
    writing = [path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in elsewhere]
    assert stated(root) - equations(docstrings(*writing)) == set()


def test_every_equation_is_audited(root: Path) -> None:
    package = root / "optimizer"
    texts = [path.read_text(encoding="utf-8") for path in [*package.glob("audit/*.py"), *package.glob("audit.py")]]
    assert texts
    assert stated(root) - equations("\n".join(texts)) == set()


def test_no_equation_is_invented(root: Path) -> None:
    writing = [*(root / "optimizer").rglob("*.py"), *(root / "geodata").rglob("*.py")]
    beyond = {number for number in equations(docstrings(*writing)) if number > max(stated(root))}
    assert beyond == set()


def imports(path: Path) -> set[str]:
    """Modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_audit_shares_only_the_reading_of_a_city(root: Path) -> None:
    shared = ("optimizer.audit", "geodata.read.", "geodata.findings.")
    project = ("optimizer", "geodata", "scenarios", "pulp", "highspy")
    for path in (root / "optimizer" / "audit").glob("*.py"):
        ours = {name for name in imports(path) if name.split(".")[0] in project}
        assert not [name for name in ours if not name.startswith(shared)], path.name
