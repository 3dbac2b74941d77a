"""Tasks side by side on threads: HiGHS releases the interpreter's lock while it solves."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def in_parallel(task: Callable[[S], T], items: Sequence[S], threads: int) -> list[T]:
    """Run a task for every item on so many threads; results in the order of items."""
    if threads <= 1 or len(items) <= 1:
        return [task(item) for item in items]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return list(pool.map(task, items))
