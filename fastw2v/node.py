"""What one node of a training on several machines does: train a replica, and exchange what that did to it.

The driver (`distributed`) tells nodes what to do and hears small facts; what nodes did to rows, the deltas, travels
from node to node through Ray's object store, and the driver holds no more than references to it.

A node has V and U as they are, and the base: V and U as they were when the rows were last exchanged. The base is the
same, bit for bit, in all nodes at any time between two exchanges, so whoever joins takes it from anybody. Rows are
exchanged in slabs, each in three steps, and until the third nothing has been changed: `take` makes the deltas,
`reduce` merges a part of the rows over all nodes, `prepare` brings every part to every node; then `commit` adds
them. If a node is lost before that, the survivors begin again with `take`.
"""

import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._version import PACKAGE, package_digest
from .config import TrainConfig
from .embeddings import load
from .errors import ConfigError, CorpusError, FolderError
from .finite import all_finite
from .ledger import Range
from .machine import available_memory, trim_memory, versions
from .manifest import read_manifest
from .merging import MERGES, add_delta, parts, take_delta
from .prepared import PREPARED_MANIFEST, is_prepared, open_prepared
from .records import TALLY_WIDTH, Rate, Text
from .replica import Replica, memory_bill
from .spans import cut

SHARED_PLACE = "put it on a file system that all nodes see, or copy it there under the same path"
CHUNK_TOKENS = 1 << 18  # per thread, between two looks at the clock


@dataclass(frozen=True)
class Plan:
    """What every node has to know.

    Attributes:
        corpus: where the prepared folder may be; the first that is there is taken.
        vocab_sha256: of the driver's vocabulary.
        n_tokens: tokens of an epoch.
        config: options of the run; ``workers`` is threads of a node.
        merge: a name of `merging.MERGES`.
        token_file: a file of the driver's in the output folder, which a node that can write there sees.
        token: its content.
        machine_share: how many nodes share a machine's memory at most.
    """

    corpus: tuple[str, ...]
    vocab_sha256: str
    n_tokens: int
    config: TrainConfig
    merge: str
    token_file: str
    token: str
    machine_share: int


class Node:
    """An actor of Ray's, which runs one method after the other."""

    number: int
    replica: Replica

    @property
    def _matrices(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.replica.model[:2]

    def hello(self) -> dict[str, str]:
        """Return the name of this machine, the versions that decide what is computed, and where this package is."""
        package = {"package": package_digest(), "folder": str(PACKAGE)}
        return {"host": platform.node() or "?", **versions(), **package}

    def open(self, plan: Plan, number: int) -> dict[str, Any]:
        """Map the corpus, make V and U as at the start of a run, and compile.

        Args:
            plan: what to train on and how.
            number: of this node, never given twice in a run: its random streams.

        Returns:
            sees_output: this node can write the model folder; tiles: False if the pairwise kernel is taken.

        Raises:
            FolderError: the corpus can't be read here.
            CorpusError: it is another one.
            ConfigError: there is not enough memory.
        """
        self.plan, self.number, config = plan, number, plan.config
        folder = next((path for path in plan.corpus if is_prepared(path)), plan.corpus[0])
        try:
            digest = str(read_manifest(Path(folder), PREPARED_MANIFEST, "prepared").get("vocab_sha256"))
            if digest != plan.vocab_sha256:
                raise CorpusError(
                    f"the vocabulary of {folder} has SHA-256 {digest:.12}, that of the driver {plan.vocab_sha256:.12}: "
                    "copy the prepared folder there again"
                )
            self.corpus = open_prepared(folder)
        except FolderError as error:
            raise FolderError(f"{error}; {SHARED_PLACE}") from None
        if len(self.corpus.ids) != plan.n_tokens:
            raise CorpusError(f"{folder} has {len(self.corpus.ids):,} tokens, that of the driver {plan.n_tokens:,}")
        n_words = len(self.corpus.vocab)
        need, free = memory_bill(n_words, config), available_memory()
        if free is not None and (need[0] + sum(need)) * plan.machine_share > free:
            raise ConfigError(
                f"V, U and their copies take {2 * need[0] / 1e6:,.0f} MB, tables and scratch "
                f"{sum(need[1:]) / 1e6:,.0f} MB, on {plan.machine_share} nodes of a machine with {free / 1e6:,.0f} MB "
                "free: lower vector_size or max_vocab"
            )
        self.replica = Replica(self.corpus.vocab.counts, config, number)
        V, U = self._matrices
        self.base = V.copy(), U.copy()
        self.text = Text(self.corpus.ids, self.corpus.offsets)
        self.pool = ThreadPoolExecutor(config.workers)
        self.prepared: tuple[int, int, list[tuple[int, int]], list[Any]] | None = None
        self.replica.compile(self.text)
        self._compile_exchange()
        trim_memory()
        try:
            sees_output = Path(plan.token_file).read_text("utf-8") == plan.token
            if sees_output:  # perhaps without leave to write
                probe = Path(f"{plan.token_file}-{number}")
                probe.touch()
                probe.unlink()
        except (OSError, UnicodeDecodeError):
            sees_output = False
        return {"sees_output": sees_output, "tiles": self.replica.tiling is not None}

    def restore(self, folder: str) -> None:
        """Put V and U of a checkpoint in place."""
        self.replica.restore(load(folder))
        self.settle(0, len(self.base[0]))

    def start_from(self, folder: str) -> dict[str, int]:
        """Take the rows of words that the model in a folder has; returns and raises as `Replica.start_from`."""
        taken = self.replica.start_from(load(folder), self.corpus.vocab)
        self.settle(0, len(self.base[0]))
        return taken

    def train(self, ranges: Sequence[Range], alpha: float, step: float, seconds: float) -> dict[str, Any]:
        """Train ranges of the epoch one after the other, as far as there is time for.

        Args:
            ranges: the lease.
            alpha: learning rate at its first token.
            step: change of the learning rate from one of its tokens to the next.
            seconds: stop as near to that time as a chunk allows.

        Returns:
            tokens: so many, from the first range's start, were trained; seconds: what it took; tally: the sums of
            `pair`.
        """
        began = time.perf_counter()
        offsets, threads = self.corpus.offsets, len(self.replica.workers)
        tally = np.zeros(TALLY_WIDTH)
        trained, now, chunk = 0, began, 0.0
        for start, stop in ranges:
            chunks = -(-(stop - start) // (CHUNK_TOKENS * threads))
            for first, last in pairwise(cut(offsets, start, stop, chunks).tolist()):
                if now - began + chunk / 2 > seconds:
                    break
                # Kernels count tokens from the epoch's first.
                tally += self.replica.train(self.text, first, last, Rate(alpha + step * (trained - first), step))
                self.corpus.let_go()
                trained += last - first
                before, now = now, time.perf_counter()
                chunk = now - before
        return {"tokens": trained, "seconds": now - began, "tally": tally.tolist()}

    def take(self, start: int, stop: int, count: int) -> list[Any]:
        """Put what was done to rows ``[start, stop)`` into the object store, in ``count`` parts of rows.

        Returns:
            A reference to each part: deltas of V and U, float32 ``(rows, vector_size)``, and touched rows of both.
        """
        import ray

        columns = self.plan.config.vector_size
        found = []
        for first, last in _ranges(start, stop, count):
            deltas = tuple(np.empty((last - first, columns), np.float32) for _ in "VU")
            touched = tuple(np.empty(last - first, np.uint8) for _ in "VU")
            for M, base, delta, of in zip(self._matrices, self.base, deltas, touched, strict=True):
                self._on_threads(take_delta, M[first:last], base[first:last], delta, of)
            found.append(ray.put((deltas, touched)))
        return found

    def reduce(self, refs: Sequence[Any], seconds: float) -> tuple[list[Any], bool, int] | None:
        """Merge a part of the rows over all nodes.

        Args:
            refs: what `take` of each node returned for that part, in the order in which they are merged.
            seconds: how long to wait for them.

        Returns:
            A list with the reference to the merged deltas of V and U; if they are finite; bytes that came from others.
            None if a part did not come.
        """
        import ray

        parts_of_nodes = _arrived(refs, seconds)
        if parts_of_nodes is None:
            return None
        merge, n = MERGES[self.plan.merge], len(refs)

        def merge_rows(*rows: Any) -> None:
            merge(rows[:n], rows[n : 2 * n], rows[2 * n])

        merged = []
        for which in (0, 1):
            deltas = [part[0][which] for part in parts_of_nodes]
            touched = [part[1][which] for part in parts_of_nodes]
            merged.append(np.empty_like(deltas[0]))
            self._on_threads(merge_rows, *deltas, *touched, merged[-1])
        size = sum(array.nbytes for part in parts_of_nodes for pair in part for array in pair)
        came = size // n * (n - 1)
        return [ray.put(tuple(merged))], all(map(all_finite, merged)), came

    def prepare(self, attempt: int, start: int, stop: int, refs: Sequence[Any], own: int, seconds: float) -> int | None:
        """Bring all merged parts of rows ``[start, stop)`` here; nothing is changed yet.

        Returns:
            Bytes that came from others; None if a part did not come.
        """
        merged = _arrived(refs, seconds)
        self.prepared = None
        if merged is None:
            return None
        self.prepared = attempt, start, _ranges(start, stop, len(refs)), merged
        return sum(int(array.nbytes) for j, pair in enumerate(merged) if j != own for array in pair)

    def commit(self, attempt: int) -> None:
        """Add what was prepared to the base, and go on from there."""
        assert self.prepared is not None
        assert self.prepared[0] == attempt
        for (first, last), merged in zip(self.prepared[2], self.prepared[3], strict=True):
            for M, base, delta in zip(self._matrices, self.base, merged, strict=True):
                self._on_threads(add_delta, base[first:last], delta, M[first:last])
        self.prepared = None

    def settle(self, start: int, stop: int) -> None:
        """Make rows ``[start, stop)`` as they are the base: an exchange where there is nobody else."""
        for M, base in zip(self._matrices, self.base, strict=True):
            base[start:stop] = M[start:stop]

    def give(self, start: int, stop: int) -> list[Any]:
        """Put rows ``[start, stop)`` of the base into the object store; return a list with the reference."""
        import ray

        return [ray.put(tuple(base[start:stop] for base in self.base))]

    def accept(self, start: int, stop: int, refs: Sequence[Any], seconds: float) -> bool:
        """Take rows ``[start, stop)`` of the base of another node; False if they did not come."""
        arrived = _arrived(refs, seconds)
        if arrived is None:
            return False
        for M, base, rows in zip(self._matrices, self.base, arrived[0], strict=True):
            base[start:stop] = M[start:stop] = rows
        return True

    def write(self, folder: str, metadata: dict[str, Any], metrics: Sequence[dict[str, Any]]) -> bool:
        """Write V and U as a model folder's files into an existing folder; False, and nothing, if they are not finite.

        Raises:
            FolderError: they can't be written.
        """
        if not self.replica.is_finite():
            return False
        self.replica.embeddings(self.corpus.vocab, metadata, metrics).write_parts(Path(folder))
        return True

    def ping(self) -> None:
        """Answer."""

    def _compile_exchange(self) -> None:
        """Exchange one row that has not changed with itself, as far as that needs nobody else."""
        rows = slice(0, 1)
        delta, of = np.empty((1, self.plan.config.vector_size), np.float32), np.empty(1, np.uint8)
        take_delta(self._matrices[0][rows], self.base[0][rows], delta, of)
        still, touched = delta.view(), of.view()
        still.flags.writeable = touched.flags.writeable = False  # as what comes from the object store
        MERGES[self.plan.merge]([still, still], [touched, touched], delta)
        all_finite(delta)
        add_delta(self.base[0][rows], still, self._matrices[0][rows])

    def _on_threads(self, function: Callable[..., None], *arrays: NDArray[Any]) -> None:
        """Call a function of arrays that have the same rows with parts of the rows, on all threads."""
        threads = len(self.replica.workers)
        if threads == 1:
            function(*arrays)
            return
        ranges = parts(len(arrays[0]), threads)
        work = [self.pool.submit(function, *(rows[first:last] for rows in arrays)) for first, last in ranges]
        for done in work:
            done.result()


def _ranges(start: int, stop: int, count: int) -> list[tuple[int, int]]:
    return [(start + first, start + last) for first, last in parts(stop - start, count)]


def _arrived(refs: Sequence[Any], seconds: float) -> list[Any] | None:
    """Return what is referred to, mapped from the object store; None if a node that has it is gone or does not send."""
    import ray
    from ray.exceptions import GetTimeoutError, ObjectLostError

    try:
        return list(ray.get(list(refs), timeout=seconds))
    except (ObjectLostError, GetTimeoutError):
        return None
