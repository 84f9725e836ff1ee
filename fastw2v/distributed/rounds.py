"""The driver of one run on several nodes: it leases tokens, has nodes train and exchange rows, and saves the run.

`train_nodes` connects to Ray, opens the corpus and runs a `Training`. Its `Ledger` records which tokens of the epoch
are free, leased, done or committed. So each token is trained at least once and committed exactly once, whichever node
is lost. Its `Members` are the nodes. At a checkpoint a node writes the model files: the driver never has V and U.
"""

import math
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig, TrainOptions
from ..embeddings import Embeddings, load
from ..errors import ClusterError, ConfigError, DivergedError, FolderError, option
from ..files.manifest import read_manifest
from ..files.staging import CACHE, write_errors
from ..interrupts import interruption, signals_noted, sigterm_raises
from ..kernels.records import LOSS, PAIRS, TALLY_WIDTH, TRAINED
from ..kernels.spans import next_cut
from ..machine import usable_cores
from ..screen import Bar, counted, say
from ..text.corpus import Corpus
from ..text.prepared import PREPARED_MANIFEST, CorpusInput, opened
from ..training.callbacks import Progress
from ..training.checkpoint import LEDGER, MOVED, Checkpoints, State
from ..training.ledger import Ledger, Range, length
from ..training.run import (
    Run,
    begin,
    checkpoint_named,
    doubt_words_alone,
    given_options,
    mean_loss,
    metadata_of,
    metrics_file,
    output_folder,
    place_of,
    report_taken,
    sizes_of,
    summary,
)
from .cluster import Cluster, connect, threads_per_node
from .members import STRIKES, WAIT, AllLostError, Member, Members
from .merging import rate
from .merging import rounds as rounds_of_epoch
from .node import Node, Plan, slabs

ROUND_SECONDS = 4.0  # Seconds of training per round, if the epoch is long enough.
SHORT_ROUND = 1.0  # In rounds of fewer seconds, nodes train their whole leases.
LEASE_MARGIN = 1.25  # A lease is longer than a round needs by this factor: a node may be faster than before.
FIRST_LEASE = 250_000  # Tokens per thread, before the speed of a node is known.
DISK_SECONDS = 3600.0  # A node may take at least this long to write or read a model.
TOKEN = "driver"  # Name of the file by which nodes recognise the output folder.


class RoundOptions(TypedDict, total=False):
    """Keyword options of `train_ray` about its rounds.

    Attributes:
        hot_rows: how many rows, of the most frequent words, nodes exchange after every round; by default 8,192.
        full_every: nodes exchange all rows after this many rounds; by default 6.
        round_tokens: corpus tokens per node and round; None, the default, for about four seconds of training. Rounds
            are shorter if an epoch would otherwise have fewer rounds than `merging.rounds`.
        round_timeout_s: seconds that a node may take for a round or a step of the exchange; by default 600. A node that
            takes longer is given up.
    """

    hot_rows: int
    full_every: int
    round_tokens: int | None
    round_timeout_s: float


class RayTrainOptions(TrainOptions, RoundOptions, total=False):
    """Keyword options of `train_ray`: those of `TrainConfig` and `RoundOptions`."""


@dataclass(frozen=True)
class RayOptions:
    """The options that `train_ray` has and `train` has not; see `train_ray`."""

    nodes: int | None
    address: str | None
    min_nodes: int | None
    hot_rows: int = 8_192
    full_every: int = 6
    round_tokens: int | None = None
    round_timeout_s: float = 600.0

    def __post_init__(self) -> None:
        for name in ("nodes", "min_nodes", "hot_rows", "full_every", "round_tokens"):
            value: Any = getattr(self, name)
            optional = value is None and name not in ("hot_rows", "full_every")
            if not optional and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ConfigError(f"{option(name)} is {value!r:.60}: give a whole number, at least 1")
        seconds: Any = self.round_timeout_s
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
            raise ConfigError(f"round_timeout_s is {seconds!r:.60}: give a number of seconds above 0")
        if self.nodes is not None and self.min_nodes is not None and self.min_nodes > self.nodes:
            raise ConfigError(f"min_nodes is {self.min_nodes}, but nodes is {self.nodes}: lower min_nodes")
        host, _, port = str(self.address).rpartition(":")
        if self.address not in (None, "auto") and not (host and "/" not in host and port.isdigit()):
            raise ConfigError(
                f"the address of the Ray cluster is {self.address!r:.60}: give HOST:PORT, or auto on one of its "
                "machines, or omit it to use this machine alone"
            )


def train_nodes(
    node_class: type[Node],
    corpus: CorpusInput,
    ray_options: RayOptions,
    run: Run,
    options: Mapping[str, Any],
) -> Embeddings:
    """Train as `train_ray` does, with nodes of this class."""
    explicit = given_options(options)
    if TrainConfig(**explicit).max_n:  # It raises before anything is touched.
        raise ConfigError(
            f"{option('max_n')} is {explicit['max_n']!r:.20}: nodes do not train n-grams yet; give 0, or train on one "
            "machine"
        )
    with sigterm_raises(), output_folder(run.output) as folder, ExitStack() as stack:
        state, explicit, config = run.start(folder, explicit)
        doubt_words_alone(run, state, explicit)
        asked = {
            name: getattr(config, name) if name in explicit or state else None for name in ("min_count", "max_vocab")
        }
        before = {} if state is None else state.embeddings.metadata.get("ray", {})
        nodes = ray_options.nodes or before.get("nodes")
        ray_options = replace(ray_options, nodes=nodes)
        threads = explicit.get("workers") or (None if state is None else config.workers)
        cores = (nodes or 1) * (threads or max(1, usable_cores() // (nodes or 1)))
        cluster = stack.enter_context(connect(ray_options.address, cores))
        machines = cluster.machines()
        if not machines:
            raise ClusterError("no machine of the Ray cluster offers cores: start Ray on one with `ray start`")
        chosen = opened(corpus, folder, **asked, workers=usable_cores(), progress=run.progress)
        ready = stack.enter_context(chosen)
        machines = cluster.machines()
        wanted = nodes or len(machines)
        threads = threads or threads_per_node(list(machines.values()), wanted)
        config = replace(config, min_count=ready.min_count, max_vocab=ready.max_vocab, workers=threads)
        return Training(node_class, ready, config, folder, state, run, ray_options, wanted, cluster).run_all()


class Training:
    """One run: its nodes, its ledger, its metadata and its metrics.

    The arguments are those of `train_nodes`. ``wanted`` is the number of nodes, and ``state`` is the run to resume.
    """

    _members: Members
    _metadata: dict[str, Any]
    _metrics: list[dict[str, Any]]
    _checkpoints: Checkpoints

    def __init__(
        self,
        node_class: type[Node],
        corpus: Corpus,
        config: TrainConfig,
        folder: Path,
        state: State | None,
        run: Run,
        ray_options: RayOptions,
        wanted: int,
        cluster: Cluster,
    ) -> None:
        self._node_class, self._corpus, self._folder, self._state = node_class, corpus, folder, state
        self._config, self._run, self._options, self._wanted, self._cluster = config, run, ray_options, wanted, cluster
        # The rate depends on the number of slots, not on the number of active nodes. So do tiles and the schedule.
        self._alpha = rate(wanted) * config.alpha
        self._timeout = ray_options.round_timeout_s
        self._disk_seconds = max(DISK_SECONDS, self._timeout)
        self._attempts = count(1)
        committed = state.ledger[0] if state is not None and state.ledger is not None else []
        self._ledger = Ledger(len(corpus.ids), self._next_cut, committed)

    def run_all(self) -> Embeddings:
        """Train; return the embeddings in ``output``, or save the run and raise the error that stopped it early."""
        run, config, corpus, state = self._run, self._config, self._corpus, self._state
        assert run.output is not None
        n_tokens = len(corpus.ids)
        sizes = sizes_of(corpus, saved=True)
        total, done = n_tokens * config.epochs, begin(run, corpus, config, state, sizes)
        if state is not None and done == total:
            return state.embeddings
        earlier = {} if state is None else state.embeddings.metadata.get("ray", {})
        if (merge := earlier.get("merge", "mean")) != "mean":  # Older versions had other ways to merge.
            raise ConfigError(
                f"the run in {run.output} merges by {merge!r:.60}, which this version can't: start a new run from its "
                f"vectors with {option('init_from')}"
            )
        share = -(-self._wanted // max(1, len(self._cluster.machines())))
        plan = make_plan(corpus, replace(config, alpha=self._alpha), self._folder, share)
        nodes = f"{counted(self._wanted, 'node')} of {counted(config.workers, 'thread')}"
        say(run.progress, f"{summary(corpus)}; {nodes} (not bit-identical from run to run)")
        names = ("hot_rows", "full_every", "round_tokens")
        asked = {"nodes": self._wanted} | {name: getattr(self._options, name) for name in names}
        self._metadata = metadata_of(corpus, config, sizes, ray=asked)
        self._metadata["versions"]["ray"] = self._cluster.version
        if state is not None:
            before = state.embeddings.metadata
            self._metadata |= {name: before[name] for name in ("init_from",) if name in before}
            wanted = earlier.get("nodes", self._wanted)
            if wanted != self._wanted:
                say(run.progress, f"the run had {counted(wanted, 'node')} before: the learning rate may change")
        self._metadata["progress"] = {} if state is None else state.embeddings.metadata["progress"]
        self._metrics = [] if state is None else list(state.embeddings.metrics)
        self._checkpoints = Checkpoints(self._folder, run.checkpoint_every, state)
        self._members = Members(
            self._cluster,
            self._node_class,
            plan,
            n_words=len(corpus.vocab),
            wanted=self._wanted,
            least=self._options.min_nodes or (self._wanted + 1) // 2,
            timeout=self._timeout,
            started=state.ledger[1] if state is not None and state.ledger is not None else 0,
            take_back=lambda number: self._ledger.lose(number),
            progress=run.progress,
        )
        try:
            with checkpoint_named(self._checkpoints):
                self._start_nodes()
                if state is not None:
                    say(run.progress, f"resuming at token {done:,} of {total:,}")
                return self._rounds(total, done)
        except AllLostError:
            saved = f"; {self._checkpoints.saved} holds the last checkpoint: "
            saved += f"use {option('resume', True)} to continue from there"
            saved *= self._checkpoints.saved is not None
            raise ClusterError(f"no node is left ({self._members.last_reasons}){saved}") from None
        finally:
            self._members.end_all()

    def _start_nodes(self) -> None:
        """Start the nodes and give all of them the same rows.

        Raises:
            FastW2VError: see `Members.gather`.
            FolderError: no node can write the model folder.
        """
        run, members = self._run, self._members
        ready = members.gather()
        first = next((member for member in ready if member.sees_output), None)
        if first is None:
            raise FolderError(
                f"no node can write {run.output}: put it on a file system that this machine and one of them share"
            )
        if self._config.kernel == "tile" and not members.tiles:
            say(run.progress, "using the pair kernel: too few tokens or words, or too high an alpha, for tiles")
        members.activate(first)
        if self._state is not None:
            members.ask_one(first, first.actor.restore.remote(str(self._state.folder.absolute())), self._disk_seconds)
        elif run.init_from is not None:
            assert run.vectors is not None
            folder = Path(os.fspath(run.init_from)).absolute()  # type: ignore[arg-type]
            taken = members.ask_one(first, first.actor.start_from.remote(str(folder)))
            self._metadata["init_from"] = taken
            report_taken(run.progress, taken)
        members.admit([member for member in ready if member is not first])

    def _rounds(self, total: int, done: int) -> Embeddings:
        """Train the tokens after the first ``done``, round by round; return or raise as `run_all`."""
        run, config, n_tokens, rows = self._run, self._config, len(self._corpus.ids), len(self._corpus.vocab)
        members, checkpoints = self._members, self._checkpoints
        hot = min(self._options.hot_rows, rows)
        began = time.perf_counter() - (0.0 if self._state is None else self._state.seconds)
        step = (config.min_alpha - self._alpha) / total
        epoch, since_full = done // n_tokens + 1, 0
        with ExitStack() as stack:
            stack.callback(checkpoints.close)
            signalled = stack.enter_context(signals_noted())
            with checkpoints.remedy():
                record = stack.enter_context(metrics_file(self._folder, self._metrics))
            bar = stack.enter_context(Bar(total, run.progress, done))
            while True:
                enough = members.wait_for_enough(signalled)
                start = time.perf_counter()
                tally, trained = self._train_leases(epoch, step) if enough else (np.zeros(TALLY_WIDTH), 0)
                middle = time.perf_counter()
                ending = signalled() > 0 or not enough
                full = ending or checkpoints.due or self._ledger.free == 0 or hot == rows
                full = full or since_full + 1 >= self._options.full_every
                since_full = 0 if full else since_full + 1
                exchanged = rows if full else hot
                moved = self._exchange(exchanged, epoch, self._alpha + step * self._tokens(epoch))
                committed = self._commit() if full else []
                end = time.perf_counter()

                tokens = self._tokens(epoch)
                now = Progress(
                    epoch=epoch,
                    tokens=tokens,
                    tokens_total=total,
                    tokens_per_s=trained / max(end - start, 1e-6),
                    tokens_trained=int(tally[TRAINED]),
                    pairs=int(tally[PAIRS]),
                    alpha=self._alpha + step * tokens,
                    loss=mean_loss(tally),
                    seconds=end - began,
                )
                of_round = {
                    "nodes": len(members.active),
                    "seconds_training": round(middle - start, 4),
                    "seconds_exchanging": round(end - middle, 4),
                    "rows_exchanged": exchanged,
                    "bytes_exchanged": moved,
                    "committed": " ".join(f"{first}-{last}" for first, last in committed),
                }
                self._metrics.append(asdict(now) | of_round)
                self._metadata["progress"] = self._place(now)
                with checkpoints.remedy():
                    record(self._metrics[-1])
                bar.show(epoch, config.epochs, now.tokens, now.loss, now.alpha)
                ending = ending or tokens == total
                if full and (ending or self._ledger.complete or checkpoints.due):
                    checkpoints.write_by(self._write, self._metadata["progress"], last=ending)
                if ending:
                    break
                if self._ledger.complete:
                    epoch += 1
                    self._ledger = Ledger(n_tokens, self._next_cut)
        return self._outcome(tokens, total, signalled(), enough)

    def _outcome(self, tokens: int, total: int, signal: int, enough: bool) -> Embeddings:
        """Return the embeddings of the run that has ended and is saved, or raise the error that stopped it early."""
        output, members = self._run.output, self._members
        assert output is not None
        where = f"{output} holds the vectors as they were at token {tokens:,} of {total:,}; "
        where += f"use {option('resume', True)} to continue"
        if signal and tokens < total:
            raise interruption(signal, where)
        if not enough:
            reasons = members.last_reasons or "the others did not come back"
            left = counted(len(members.active), "node")
            raise ClusterError(f"{left} left, but at least {members.least} must train ({reasons}); {where}")
        return load(output)

    def _train_leases(self, epoch: int, step: float) -> tuple[NDArray[np.float64], int]:
        """Have each node train a lease; return the sums of their tallies, and how many tokens they trained.

        The learning rate follows the tokens of all nodes. While a node trains its lease, all nodes together train
        all leases. So each node lowers the rate faster, by the ratio of the length of all leases to that of its own.
        """
        alpha = self._alpha + step * self._tokens(epoch)
        threads = self._config.workers
        leases, seconds = lease_round(self._members.active, self._ledger, threads, self._options.round_tokens)
        tokens = {member: length(ranges) for member, ranges in leases.items()}
        together = sum(tokens.values())
        answers = self._members.ask(
            {
                member: member.actor.train.remote(ranges, alpha, step * together / tokens[member], seconds)
                for member, ranges in leases.items()
            }
        )
        tally = np.zeros(TALLY_WIDTH)
        for member, answer in answers.items():
            self._ledger.finish(member.number, answer["tokens"])
            member.tokens_per_s = answer["tokens"] / max(answer["seconds"], 1e-6)
            tally += answer["tally"]
        if not np.isfinite(tally[LOSS]):
            raise DivergedError(epoch, self._ledger.trained, alpha)
        return tally, sum(answer["tokens"] for answer in answers.values())

    def _exchange(self, rows: int, epoch: int, alpha: float) -> int:
        """Exchange the first rows as `exchange_rows` does; raise `DivergedError` if a merged row is not finite."""
        try:
            return exchange_rows(self._members, rows, self._config.vector_size, self._timeout, self._attempts)
        except NotFiniteError:
            raise DivergedError(epoch, self._ledger.trained, alpha) from None

    def _commit(self) -> list[Range]:
        """Record that all replicas are the same; return the ranges of tokens that this commits."""
        self._members.clear_strikes()
        return self._ledger.commit()

    def _place(self, now: Progress) -> dict[str, Any]:
        """Return the progress of the run for model.json, with everything that a resumed run needs."""
        before = self._metadata["progress"]
        committed = [] if self._ledger.complete else [list(range_) for range_ in self._ledger.committed]
        return {
            **({MOVED: True} if before.get(MOVED) is True else {}),
            **place_of(now, before),
            LEDGER: {"committed": committed, "nodes_started": self._members.started},
        }

    def _write(self, folder: Path) -> None:
        """Have a node write the model's files into a folder.

        Raises:
            DivergedError: a value is not finite.
            FolderError: they can't be written, or no remaining node sees the folder.
        """
        members, progress, deadline = self._members, self._metadata["progress"], self._members.deadline()
        while True:
            writer = next((member for member in members.active if member.sees_output), None)
            if writer is None:
                if members.given_up(deadline):
                    raise FolderError(f"no remaining node can write {self._run.output}")
                members.refill(WAIT)  # All rows have just been exchanged: a node that joins gets the current model.
                continue
            ref = writer.actor.write.remote(str(folder.absolute()), self._metadata, self._metrics)
            finite = members.ask_one(writer, ref, self._disk_seconds)
            if finite is False:
                raise DivergedError(progress["epoch"], self._ledger.trained, progress["alpha"])
            if finite:
                return

    def _next_cut(self, place: int) -> int:
        return next_cut(self._corpus.offsets, place)

    def _tokens(self, epoch: int) -> int:
        """Return how many tokens have been trained, over all epochs."""
        return (epoch - 1) * self._ledger.n_tokens + self._ledger.trained


def lease_round(
    members: Sequence[Member], ledger: Ledger, threads: int, round_tokens: int | None
) -> tuple[dict[Member, list[Range]], float]:
    """Lease the tokens of a round: a faster node gets more, so that all nodes need the same time.

    Args:
        members: the active nodes.
        ledger: the tokens of the epoch.
        threads: threads per node.
        round_tokens: tokens per node; None for as many as take `ROUND_SECONDS`.

    Returns:
        The leases, and the time limit in seconds, at which all nodes stop. If the epoch has enough tokens, leases are
        somewhat longer than the limit. The limit is infinite if nodes must train their whole leases.
    """
    known = [member.tokens_per_s for member in members if member.tokens_per_s]
    usual = float(np.mean(known)) * ROUND_SECONDS if known else FIRST_LEASE * threads
    shares = {
        member: round_tokens or (member.tokens_per_s * ROUND_SECONDS if member.tokens_per_s else usual)
        for member in members
    }
    together = sum(shares.values())
    most = ledger.n_tokens / rounds_of_epoch(len(shares))
    rounds = math.ceil(ledger.free / max(1, min(together, most)))
    part = ledger.free / max(1, rounds) / together
    seconds = part * ROUND_SECONDS
    if round_tokens or len(known) < len(shares) or seconds < SHORT_ROUND:
        seconds = math.inf
    elif rounds > 1:
        part *= LEASE_MARGIN
    leases = {}
    for member, share in shares.items():
        if ranges := ledger.lease(member.number, max(1, math.ceil(share * part))):
            leases[member] = ranges
    return leases, seconds


class NotFiniteError(Exception):
    """A merged row has a value that is not finite."""


def exchange_rows(members: Members, rows: int, vector_size: int, timeout: float, attempts: Iterator[int]) -> int:
    """Exchange the first rows among all nodes; return the bytes that went from one node to another.

    If a node is lost meanwhile, the exchange omits all its updates since the last exchange of all rows.

    Args:
        members: the nodes.
        rows: how many rows.
        vector_size: columns of a row.
        timeout: seconds that a node may take for a step.
        attempts: counts the attempts of the run to exchange a slab.

    Raises:
        NotFiniteError: a merged row is not finite.
        ClusterError: no node is lost, and rows still do not arrive.
        AllLostError: no node is left.
    """
    moved, in_vain = 0, 0
    for start, stop in slabs(rows, vector_size):
        while True:
            before = len(members.active)
            size = _exchange_slab(members, start, stop, timeout / 2, next(attempts))
            if size is not None:
                moved += size
                break
            members.ask({member: member.actor.ping.remote() for member in members.active})  # This finds lost nodes.
            in_vain = 0 if len(members.active) < before else in_vain + 1
            if in_vain == STRIKES:
                raise ClusterError(
                    "rows do not arrive from node to node, although no node is lost: look at Ray's logs and at the "
                    "space for its object store"
                )
    return moved


def _exchange_slab(members: Members, start: int, stop: int, seconds: float, attempt: int) -> int | None:
    """Exchange rows in the steps of `node`; return the bytes, or None if a node was lost and nothing has changed."""
    nodes = list(members.active)
    if len(nodes) == 1:
        members.ask_one(nodes[0], nodes[0].actor.settle.remote(start, stop))
        return 0

    def answers_of(calls: list[Any]) -> list[Any] | None:
        """Return the answers of all nodes, None if one is lost or did not get what it needs."""
        answers = members.ask(dict(zip(nodes, calls, strict=True)))
        return None if len(answers) < len(nodes) or None in answers.values() else [answers[node] for node in nodes]

    taken = answers_of([node.actor.take.remote(start, stop, len(nodes)) for node in nodes])
    if taken is None:
        return None
    calls = [node.actor.reduce.remote([refs[j] for refs in taken], seconds) for j, node in enumerate(nodes)]
    reduced = answers_of(calls)
    if reduced is None:
        return None
    if not all(finite for _, finite, _ in reduced):
        raise NotFiniteError
    parts = [part for [part], _, _ in reduced]
    calls = [node.actor.assemble.remote(attempt, start, stop, parts, j, seconds) for j, node in enumerate(nodes)]
    received = answers_of(calls)
    if received is None:
        return None
    members.ask({node: node.actor.commit.remote(attempt) for node in nodes})
    return int(sum(size for _, _, size in reduced) + sum(received))


def make_plan(corpus: Corpus, config: TrainConfig, folder: Path, machine_share: int) -> Plan:
    """Return the plan for all nodes, and write the file by which nodes recognise the output folder."""
    ids: Any = corpus.ids
    prepared = Path(ids.filename).parent
    # A cache that is being made moves out of the staging folder at the first checkpoint.
    places = [prepared, *([folder.parent / CACHE] if prepared.parent == folder else [])]
    token = secrets.token_hex(16)
    with write_errors(folder):
        (folder / TOKEN).write_text(token, "utf-8")
    return Plan(
        corpus=tuple(str(place.absolute()) for place in places),
        vocab_sha256=str(read_manifest(prepared, PREPARED_MANIFEST, "prepared")["vocab_sha256"]),
        n_tokens=len(corpus.ids),
        config=config,
        token_file=str(folder.absolute() / TOKEN),
        token=token,
        machine_share=machine_share,
    )
