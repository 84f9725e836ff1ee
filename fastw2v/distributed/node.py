"""One node of a run on several machines: it trains a replica, and exchanges deltas with the other nodes.

The driver (`rounds`) tells nodes what to do and gets small answers. Deltas are the changes that training made
to rows. They travel from node to node through Ray's object store, and the driver only handles references to them.

A node has the current V and U, and the base: V and U after the last exchange of their rows. Between two exchanges the
base is the same in all nodes, bit for bit, so a node that joins can take it from any other. Nodes exchange rows in
slabs, in four steps. The first three steps do not change the model:

- `take` makes the deltas of this node,
- `reduce` merges a part of the rows over all nodes,
- `assemble` brings the merged parts to every node,
- `commit` adds them.

If a node is lost before `commit`, the others start again with `take`.
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

from .._version import PACKAGE, package_digest
from ..config import TrainConfig
from ..embeddings import load
from ..errors import ConfigError, CorpusError, FolderError
from ..files.manifest import read_manifest
from ..kernels.records import TALLY_WIDTH, Rate, Text
from ..kernels.spans import cut
from ..machine import available_memory, trim_memory, versions
from ..text.prepared import PREPARED_MANIFEST, is_prepared, open_prepared
from ..training.finite import all_finite
from ..training.ledger import Range
from ..training.replica import Replica, memory_bill
from .cluster import fetch, put
from .merging import add_delta, mean, parts, take_delta

SHARED_PLACE = "put it on a file system that all nodes see, or copy it there under the same path"
CHUNK_TOKENS = 1 << 18  # Tokens per thread between two looks at the clock.
SLAB_BYTES = 1 << 28  # Bytes of V and U per slab: this bounds the memory of the object stores.


@dataclass(frozen=True)
class Plan:
    """The facts that every node needs.

    Attributes:
        corpus: paths where the prepared folder may be; a node takes the first that exists.
        vocab_sha256: SHA-256 of the driver's vocabulary.
        n_tokens: tokens per epoch.
        config: options of the run; ``workers`` is the number of threads per node.
        token_file: a file that the driver wrote into the output folder.
        token: its content, by which a node recognises the driver's output folder.
        machine_share: the largest number of nodes that share the memory of one machine.
    """

    corpus: tuple[str, ...]
    vocab_sha256: str
    n_tokens: int
    config: TrainConfig
    token_file: str
    token: str
    machine_share: int


class Node:
    """An actor of Ray, which runs one method at a time."""

    number: int
    replica: Replica

    @property
    def _matrices(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.replica.model[:2]

    def hello(self) -> dict[str, str]:
        """Return the name of this machine, the versions on which results depend, and the folder of this package."""
        package = {"package": package_digest(), "folder": str(PACKAGE)}
        return {"host": platform.node() or "?", **versions(), **package}

    def open(self, plan: Plan, number: int) -> dict[str, Any]:
        """Map the corpus, make V and U as for a new run, and compile the kernels.

        Args:
            plan: what to train on and how.
            number: the number of this node, never used twice in a run; it decides the random streams.

        Returns:
            A dict: sees_output, whether this node can write the model folder; tiles, whether it trains with the tile
            kernel.

        Raises:
            FolderError: the corpus can't be read here.
            CorpusError: it is not the driver's corpus.
            ConfigError: there is not enough memory.
        """
        self.plan, self.number, config = plan, number, plan.config
        folder = next((path for path in plan.corpus if is_prepared(path)), plan.corpus[0])
        try:
            digest = str(read_manifest(Path(folder), PREPARED_MANIFEST, "prepared").get("vocab_sha256"))
            if digest != plan.vocab_sha256:
                raise CorpusError(
                    f"the vocabulary of {folder} has SHA-256 {digest:.12}, but the driver's has "
                    f"{plan.vocab_sha256:.12}: copy the prepared folder there again"
                )
            self.corpus = open_prepared(folder)
        except FolderError as error:
            raise FolderError(f"{error}; {SHARED_PLACE}") from None
        if len(self.corpus.ids) != plan.n_tokens:
            raise CorpusError(f"{folder} has {len(self.corpus.ids):,} tokens, but the driver's has {plan.n_tokens:,}")
        n_words = len(self.corpus.vocab)
        need, free = memory_bill(n_words, config), available_memory()
        if free is not None and (need[0] + sum(need)) * plan.machine_share > free:
            raise ConfigError(
                f"V, U and their copies take {2 * need[0] / 1e6:,.0f} MB, tables and scratch "
                f"{sum(need[1:]) / 1e6:,.0f} MB, on {plan.machine_share} nodes of a machine with {free / 1e6:,.0f} MB "
                "free: use shorter vectors or a smaller vocabulary"
            )
        self.replica = Replica(self.corpus.vocab.counts, config, number)
        V, U = self._matrices
        self.base = V.copy(), U.copy()
        self.text = Text(self.corpus.ids, self.corpus.offsets)
        self.pool = ThreadPoolExecutor(config.workers)
        self.assembled: tuple[int, list[tuple[int, int]], list[Any]] | None = None
        self.replica.compile(self.text)
        self._compile_exchange()
        trim_memory()
        try:
            sees_output = Path(plan.token_file).read_text("utf-8") == plan.token
            if sees_output:  # It may lack the permission to write there.
                probe = Path(f"{plan.token_file}-{number}")
                probe.touch()
                probe.unlink()
        except (OSError, UnicodeDecodeError):
            sees_output = False
        return {"sees_output": sees_output, "tiles": self.replica.tiling is not None}

    def restore(self, folder: str) -> None:
        """Load V and U from a checkpoint."""
        self.replica.restore(load(folder))
        self.settle(0, len(self.base[0]))

    def start_from(self, folder: str) -> dict[str, int]:
        """Copy the rows of words that the model in a folder has; returns and raises as `Replica.start_from`."""
        taken = self.replica.start_from(load(folder), self.corpus.vocab)
        self.settle(0, len(self.base[0]))
        return taken

    def train(self, ranges: Sequence[Range], alpha: float, step: float, seconds: float) -> dict[str, Any]:
        """Train ranges of the epoch one after the other, until the time is up.

        Args:
            ranges: the lease.
            alpha: learning rate at its first token.
            step: change of the learning rate from one of its tokens to the next.
            seconds: stop as near to that time as a chunk allows.

        Returns:
            A dict: tokens, how many were trained, from the start of the lease; seconds, the time that this took; tally,
            the sums that `records` names.
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
                # Kernels count tokens from the first of the epoch.
                tally += self.replica.train(self.text, first, last, Rate(alpha + step * (trained - first), step))
                self.corpus.let_go()
                trained += last - first
                before, now = now, time.perf_counter()
                chunk = now - before
        return {"tokens": trained, "seconds": now - began, "tally": tally.tolist()}

    def take(self, start: int, stop: int, count: int) -> list[Any]:
        """Put the deltas of rows ``[start, stop)`` into the object store, in ``count`` parts of rows.

        Returns:
            A reference to each part: the deltas of V and U, float32 ``(rows, vector_size)``, and for both the flags of
            the rows that training touched, uint8 ``(rows,)``.
        """
        columns = self.plan.config.vector_size
        refs = []
        for first, last in _ranges(start, stop, count):
            deltas = tuple(np.empty((last - first, columns), np.float32) for _ in "VU")
            touched = tuple(np.empty(last - first, np.uint8) for _ in "VU")
            for M, base, delta, flags in zip(self._matrices, self.base, deltas, touched, strict=True):
                self._on_threads(take_delta, M[first:last], base[first:last], delta, flags)
            refs.append(put((deltas, touched)))
        return refs

    def reduce(self, refs: Sequence[Any], seconds: float) -> tuple[list[Any], bool, int] | None:
        """Merge a part of the rows over all nodes.

        Args:
            refs: the references of `take` to that part, one per node.
            seconds: how long to wait for them.

        Returns:
            A list with the reference to the merged deltas of V and U; whether they are finite; the bytes received from
            other nodes. None if a part did not arrive.
        """
        parts_of_nodes = fetch(refs, seconds)
        if parts_of_nodes is None:
            return None
        n = len(refs)

        def merge_rows(*rows: Any) -> None:
            mean(rows[:n], rows[n : 2 * n], rows[2 * n])

        merged = []
        for which in (0, 1):
            deltas = [part[0][which] for part in parts_of_nodes]
            touched = [part[1][which] for part in parts_of_nodes]
            merged.append(np.empty_like(deltas[0]))
            self._on_threads(merge_rows, *deltas, *touched, merged[-1])
        size = sum(array.nbytes for part in parts_of_nodes for pair in part for array in pair)
        return [put(tuple(merged))], all(map(all_finite, merged)), size // n * (n - 1)

    def assemble(
        self, attempt: int, start: int, stop: int, refs: Sequence[Any], part: int, seconds: float
    ) -> int | None:
        """Fetch all merged parts of rows ``[start, stop)``; this does not change the model yet.

        Args:
            attempt: number of this try to exchange a slab, which `commit` repeats.
            start: first row of the slab.
            stop: the row after its last.
            refs: the references of `reduce` to the parts, in order of rows.
            part: the number of the part that this node has merged itself.
            seconds: how long to wait for them.

        Returns:
            The bytes received from other nodes; None if a part did not arrive.
        """
        merged = fetch(refs, seconds)
        self.assembled = None
        if merged is None:
            return None
        self.assembled = attempt, _ranges(start, stop, len(refs)), merged
        return sum(int(array.nbytes) for j, pair in enumerate(merged) if j != part for array in pair)

    def commit(self, attempt: int) -> None:
        """Add the assembled deltas to the base, and continue from there."""
        assert self.assembled is not None
        assert self.assembled[0] == attempt
        for (first, last), merged in zip(*self.assembled[1:], strict=True):
            for M, base, delta in zip(self._matrices, self.base, merged, strict=True):
                self._on_threads(add_delta, base[first:last], delta, M[first:last])
        self.assembled = None

    def settle(self, start: int, stop: int) -> None:
        """Copy rows ``[start, stop)`` to the base: the exchange of a node that is alone."""
        for M, base in zip(self._matrices, self.base, strict=True):
            base[start:stop] = M[start:stop]

    def give(self, start: int, stop: int) -> list[Any]:
        """Put rows ``[start, stop)`` of the base into the object store; return a list with the reference."""
        return [put(tuple(base[start:stop] for base in self.base))]

    def accept(self, start: int, stop: int, refs: Sequence[Any], seconds: float) -> bool:
        """Take rows ``[start, stop)`` from the base of another node; False if they did not arrive."""
        arrived = fetch(refs, seconds)
        if arrived is None:
            return False
        for M, base, rows in zip(self._matrices, self.base, arrived[0], strict=True):
            base[start:stop] = M[start:stop] = rows
        return True

    def write(self, folder: str, metadata: dict[str, Any], metrics: Sequence[dict[str, Any]]) -> bool:
        """Write the files of a model into an existing folder; write nothing and return False if a value is not finite.

        Raises:
            FolderError: they can't be written.
        """
        if not self.replica.is_finite():
            return False
        self.replica.embeddings(self.corpus.vocab, metadata, metrics).write_parts(Path(folder))
        return True

    def ping(self) -> None:
        """Answer, which shows that this node is alive."""

    def _compile_exchange(self) -> None:
        """Compile the kernels of an exchange: take, merge and add the delta of one row, which is 0."""
        rows = slice(0, 1)
        delta, flags = np.empty((1, self.plan.config.vector_size), np.float32), np.empty(1, np.uint8)
        take_delta(self._matrices[0][rows], self.base[0][rows], delta, flags)
        read_only, touched = delta.view(), flags.view()
        read_only.flags.writeable = touched.flags.writeable = False  # Arrays from the object store are read-only.
        mean([read_only, read_only], [touched, touched], delta)
        all_finite(delta)
        add_delta(self.base[0][rows], read_only, self._matrices[0][rows])

    def _on_threads(self, function: Callable[..., None], *arrays: NDArray[Any]) -> None:
        """Call a function on all threads, each with a part of the rows; all arrays have equally many rows."""
        threads = len(self.replica.workers)
        if threads == 1:
            function(*arrays)
            return
        ranges = parts(len(arrays[0]), threads)
        work = [self.pool.submit(function, *(rows[first:last] for rows in arrays)) for first, last in ranges]
        for future in work:
            future.result()


def slabs(rows: int, vector_size: int) -> list[tuple[int, int]]:
    """Return the ranges of rows that are exchanged one after the other, `SLAB_BYTES` of V and U each."""
    step = max(1, SLAB_BYTES // (8 * vector_size))
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def _ranges(start: int, stop: int, count: int) -> list[tuple[int, int]]:
    return [(start + first, start + last) for first, last in parts(stop - start, count)]
