"""The nodal measures of a graph of voxels, and what their computation is given."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import cast

import numba
import numpy as np

from bids_app.graph import coefficients
from bids_app.graph.bits import count_in_sets, pack
from bids_app.graph.cores import components, core_numbers
from bids_app.graph.edges import BLOCK, DEGREE, FISHER, SHORT, STRENGTH, Nodes, Sums
from bids_app.graph.onnela import sum_cube_roots
from bids_app.graph.paths import sum_paths
from bids_app.graph.spectrum import eigenvector_centrality
from bids_app.graph.triangles import sum_triangles

DISTANCE = 75.0
FROM_ONE_PASS = {"degree", "strength", "strength-fisher", "degree-short", "degree-long"}
CLUSTERED = {"clustering", "clustering-weighted"}


@dataclass(frozen=True)
class Means:
    """What a computation may use.

    Attributes
    ----------
    n_threads : int or None
        Every available one by default. The result does not depend on it.
    memory : float
        Bytes that the bits of graphs may take in memory at one time; what is larger goes to `allocate`.
    allocate : callable
        Makes an array of zeros from a shape and a data type, for what does not fit, as a mapped file.
    block : int
        Rows and columns of a block of correlations, a multiple of 64. The edges do not depend on it.
    """

    n_threads: int | None = None
    memory: float = np.inf
    allocate: Callable[..., np.ndarray] = field(default_factory=lambda: np.zeros)
    block: int = BLOCK

    @property
    def threads(self) -> int:
        """Threads to use."""
        return self.n_threads or numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined] # set at run time


@dataclass(frozen=True)
class Place:
    """Where the nodes lie.

    Attributes
    ----------
    coordinates : (N, 3) ndarray or None
        In mm.
    modules : (N,) int ndarray or None
        Network of each node, from 0; -1 for none.
    distance : float
        What divides short from long edges, mm.
    """

    coordinates: np.ndarray | None = None
    modules: np.ndarray | None = None
    distance: float = DISTANCE

    @property
    def given(self) -> list[str]:
        """Which of the two is there."""
        return [name for name in ("coordinates", "modules") if getattr(self, name) is not None]


@dataclass(frozen=True)
class NodalMaps:
    """The nodal measures of one graph, each family computed where one of its members is asked for."""

    nodes: Nodes
    bits: np.ndarray
    sums: Sums
    place: Place
    means: Means

    def of(self, metrics: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the maps of the metrics."""
        families = {
            self._from_one_pass: FROM_ONE_PASS,
            self._clustering: CLUSTERED,
            self._onnela: {"clustering-onnela"},
            self._paths: {"efficiency", "path-length", "path-length-mean"},
            self._eigenvector: {"eigenvector"},
            self._weighted_eigenvector: {"eigenvector-weighted"},
            self._cores: {"core-number"},
            self._modules: {"participation", "module-degree"},
            self._components: {"component", "component-size"},
        }
        maps: dict[str, np.ndarray] = {}
        for family, members in families.items():
            if asked := members.intersection(metrics):
                maps |= family(asked)
        return {name: np.asarray(maps[name], dtype=np.float64) for name in metrics}

    @property
    def _degree(self) -> np.ndarray:
        return self.sums.totals[DEGREE]

    def _from_one_pass(self, asked: set[str]) -> dict[str, np.ndarray]:
        totals = self.sums.totals
        return {
            "degree": self._degree,
            "strength": totals[STRENGTH],
            "strength-fisher": totals[FISHER],
            "degree-short": totals[SHORT],
            "degree-long": self._degree - totals[SHORT],
        }

    def _clustering(self, asked: set[str]) -> dict[str, np.ndarray]:
        unit = self.nodes.unit if "clustering-weighted" in asked else self.nodes.unit[:, :0]
        panel = max(1, int(min(self.means.memory / (self.nodes.n_nodes * 512 + 1), len(self.bits) + 1)))
        common, *weighted = sum_triangles(self.bits, unit, panel=panel, n_threads=self.means.threads)
        return {
            "clustering": coefficients.binary_clustering(self._degree, common),
            "clustering-weighted": coefficients.weighted_clustering(self._degree, *weighted),
        }

    def _onnela(self, asked: set[str]) -> dict[str, np.ndarray]:
        roots = sum_cube_roots(self.nodes.unit, self.bits, n_threads=self.means.threads)
        return {"clustering-onnela": coefficients.onnela_clustering(self._degree, roots)}

    def _paths(self, asked: set[str]) -> dict[str, np.ndarray]:
        lengths, inverse, reached = sum_paths(self.bits, n_threads=self.means.threads)
        return {
            "efficiency": coefficients.efficiency(inverse, self.nodes.n_nodes),
            "path-length": coefficients.path_length(inverse, self.nodes.n_nodes),
            "path-length-mean": coefficients.path_length_mean(lengths, reached),
        }

    def _eigenvector(self, asked: set[str]) -> dict[str, np.ndarray]:
        return {"eigenvector": eigenvector_centrality(self.bits, self._degree, n_threads=self.means.threads)}

    def _weighted_eigenvector(self, asked: set[str]) -> dict[str, np.ndarray]:
        start, unit = self.sums.totals[STRENGTH], self.nodes.unit
        return {"eigenvector-weighted": eigenvector_centrality(self.bits, start, unit, n_threads=self.means.threads)}

    def _cores(self, asked: set[str]) -> dict[str, np.ndarray]:
        return {"core-number": core_numbers(self.bits, self._degree.astype(np.int64))}

    def _modules(self, asked: set[str]) -> dict[str, np.ndarray]:
        modules = cast(np.ndarray, self.place.modules)
        members = modules == np.arange(modules.max(initial=-1) + 1)[:, np.newaxis]
        counts = np.zeros((self.nodes.n_nodes, len(members)), np.int64)
        count_in_sets(self.bits, pack(members, self.nodes.n_nodes), counts)
        return {
            "participation": coefficients.participation(counts, modules >= 0),
            "module-degree": coefficients.module_degree(counts, modules),
        }

    def _components(self, asked: set[str]) -> dict[str, np.ndarray]:
        labels, sizes = coefficients.ranked_components(components(self.bits))
        return {"component": labels, "component-size": sizes}
