"""Folders that appear whole or not at all: written beside their place first."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import uuid4


@dataclass
class Draft:
    """What is being written: `part`, to write into, and `folder`, where it will be, or is when all is written."""

    part: Path
    folder: Path


@contextmanager
def whole_folder(folder: Path) -> Iterator[Draft]:
    """Give a folder to write into that becomes `folder` when all is written, and is gone where something fails.

    Where something else has come to be there meanwhile, nothing of either is lost: a number is added to the name.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Draft(folder.parent / f".{folder.name}-{uuid4().hex[:8]}", folder)
    draft.part.mkdir()
    try:
        yield draft
        draft.folder = _placed(draft.part, folder)
    finally:
        shutil.rmtree(draft.part, ignore_errors=True)  # gone already where all went well


def _placed(part: Path, folder: Path) -> Path:
    for number in count(1):
        target = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            if target.is_dir():
                target.rmdir()  # it is empty, or this fails
            if not target.exists():
                return part.rename(target)
        except OSError:
            if not target.exists():
                raise
    raise AssertionError
