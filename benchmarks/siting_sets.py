"""Published location problems, read as their sources mean them, and random ones to compare speeds on."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

Floats = npt.NDArray[np.float64]


def rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _numbers(path: Path) -> list[float]:
    return [float(word) for word in path.read_text(encoding="utf-8").split()]


def _rounded_down(points: Floats) -> Floats:
    return np.asarray(np.floor(np.sqrt(((points[:, None] - points[None, :]) ** 2).sum(axis=2))))


def pmed(folder: Path, name: str) -> tuple[Floats, int]:
    """Distances and p of an OR-Library p-median file; of an edge that stands twice the last line counts."""
    words = _numbers(folder / f"{name}.txt")
    count, p = int(words[0]), int(words[2])
    edges = {
        (int(min(a, b)) - 1, int(max(a, b)) - 1): c
        for a, b, c in zip(*(words[3 + k :: 3] for k in range(3)), strict=True)
    }
    ends = np.array(list(edges))
    graph = csr_matrix((list(edges.values()), (ends[:, 0], ends[:, 1])), (count, count))
    return np.asarray(dijkstra(graph, directed=False)), p


def tsplib(path: Path) -> Floats:
    """Distances between the points of a TSPLIB file, rounded down."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    points = [[float(x), float(y)] for number, x, y in (w for w in lines if len(w) == 3) if number.isdigit()]
    return _rounded_down(np.array(points))


@dataclass(frozen=True, eq=False)
class Warehouses:
    """A warehouse location problem: cost (n, m) of all of each customer's demand."""

    cost: Floats
    demand: Floats
    capacity: Floats
    fixed_cost: Floats


def warehouses(path: Path) -> Warehouses:
    """An OR-Library warehouse location file (cap)."""
    words = _numbers(path)
    sites, clients = int(words[0]), int(words[1])
    fixed = np.array(words[2 : 2 + 2 * sites]).reshape(sites, 2)
    table = np.array(words[2 + 2 * sites :]).reshape(clients, sites + 1)
    return Warehouses(table[:, 1:], table[:, 0], fixed[:, 0], fixed[:, 1])


@dataclass(frozen=True, eq=False)
class Groups:
    """A capacitated p-median problem."""

    cost: Floats
    p: int
    demand: Floats
    capacity: float


def groups(path: Path) -> Groups:
    """An OR-Library capacitated p-median file (pmedcap1, one problem a file)."""
    words = _numbers(path)
    nodes = np.array(words[5:]).reshape(int(words[2]), 4)
    return Groups(_rounded_down(nodes[:, 1:3]), int(words[3]), nodes[:, 3], words[4])


def san_francisco(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cost table (client, site, cost) and the clients (id, weight) of spopt's sample."""
    pairs = pd.read_csv(folder / "SF_network_distance_candidateStore_16_censusTract_205_new.csv", dtype=str)
    costs = pairs.rename(columns={"DestinationName": "client", "name": "site", "distance": "cost"})
    tracts = pd.read_csv(folder / "SF_demand_205_centroid_uniform_weight.csv", dtype=str)
    return costs[["client", "site", "cost"]], tracts.rename(columns={"NAME": "id", "POP2000": "weight"})[
        ["id", "weight"]
    ]


def scattered(count: int, seed: int = 0) -> Floats:
    """Straight-line distances between points scattered in a square of 1,000 by 1,000."""
    points = np.random.default_rng(seed).uniform(0, 1000, (count, 2))
    return np.asarray(np.sqrt(((points[:, None] - points[None, :]) ** 2).sum(axis=2)))
