"""Training on several machines: the driver of nodes that are actors of Ray (``pip install 'fastw2v[ray]'``).

Ray places, starts, watches and ends the nodes and carries bytes between them; here is who trains which tokens
(`ledger`), when nodes exchange what they learnt (`node`, `merging`), and what becomes of a run when one is lost. A
round is: tokens are leased, all train, all exchange the most frequent words' rows; every few rounds, at the end of an
epoch, for a checkpoint and at the end of the run the exchange is of all rows, after which all replicas are the same.
"""

import logging
import math
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ._version import PACKAGE, package_digest
from .checkpoint import LEDGER, MOVED, Checkpoints, State, check_state, finish
from .config import TrainConfig, TrainOptions
from .corpus import Corpus
from .embeddings import Embeddings, load
from .errors import ClusterError, ConfigError, CorpusError, DivergedError, FastW2VError, FolderError
from .interrupts import interruption, signals_noted, sigterm_raises
from .ledger import Ledger, Range, length
from .machine import usable_cores, versions
from .manifest import read_manifest
from .merging import MERGES, rate
from .merging import rounds as rounds_of_epoch
from .node import Node, Plan
from .prepared import PREPARED_MANIFEST, CorpusInput, opened
from .records import LOSS, LOSS_PAIRS, PAIRS, TALLY_WIDTH, TRAINED
from .run import Progress, Run, check_names, given_options, metrics_file, output_folder, place_of
from .screen import Bar, counted, say
from .simd import features_digest, host_cpu
from .spans import next_cut
from .staging import CACHE, write_errors

ROUND_SECONDS = 4.0  # of training, where the epoch is long enough for that
SHORT_ROUND = 1.0  # seconds: below that nodes are not stopped by the clock
SPARE = 1.25  # of the tokens that a node needs for a round: it may be faster than before
FIRST_LEASE = 250_000  # tokens per thread, before a node's speed is known
SLAB_BYTES = 1 << 28  # of V and U that are exchanged at once: bounds what the object stores hold
START_SECONDS = 600.0  # that a node may take to start: it reads the corpus once
DISK_SECONDS = 3600.0  # that a node may take to write or read a model, at least
PATIENCE = 60.0  # seconds that ``min_nodes`` wait for the others to start, and at least for one to come back
STRIKES = 3  # times that a node is started again without having brought a round to its end
TOKEN = "driver"  # a file in the output folder, by which nodes find out if it is theirs too
WAIT = 0.5  # seconds between two looks at who has arrived


class _AllLostError(Exception):
    """There is no node left that has the model."""


@dataclass(eq=False)
class _Member:
    """A node, as the driver knows it.

    Attributes:
        number: of the actor, never used twice in a run.
        slot: which of the nodes wanted it is.
        machine: Ray's name of the machine.
        name: for messages.
        actor: Ray's handle.
        joining: the answer that is awaited from it before it can train; None once it has given all.
        asked: the method that will give that answer.
        tokens_per_s: in its last round.
        writes: it sees the output folder.
    """

    number: int
    slot: int
    machine: str
    name: str
    actor: Any
    joining: Any = None
    asked: str = "hello"
    tokens_per_s: float | None = None
    writes: bool = False


def train_ray(
    corpus: CorpusInput,
    *,
    output: str | PathLike[str],
    nodes: int | None = None,
    address: str | None = None,
    resume: bool = False,
    checkpoint_every: float = 10.0,
    init_from: str | PathLike[str] | None = None,
    progress: bool = True,
    min_nodes: int | None = None,
    merge: str | None = None,
    hot_rows: int = 8_192,
    full_every: int = 6,
    round_tokens: int | None = None,
    round_timeout_s: float = 600.0,
    **options: Unpack[TrainOptions],
) -> Embeddings:
    """Train as `train` does, on several machines of a Ray cluster, or on several processes of this one.

    Every node has the whole model and trains on tokens of its own; see the module for how they stay one model. A node
    that is lost, or late, is replaced, and what it did since the last exchange of all rows is trained again.

    Args:
        corpus: as for `train`. Best a prepared folder under a path that all machines see; text is prepared first, into
            the output's subfolder ``cache``, which they then have to see.
        output: model folder to write; the driver and at least one node must see it.
        nodes: how many; None for one on each machine of the cluster. If the cluster has fewer machines that have the
            cores, some get several; others join when machines do.
        address: HOST:PORT of the cluster, or "auto" on one of its machines; None uses the Ray that this process is
            connected to, or else starts one on this machine alone, and ends it.
        resume: see `train`; ``nodes`` and all options of this function may differ from those of the run. Left out,
            ``nodes``, ``workers`` and ``merge``, on which the learning rate depends, are those of the run.
        checkpoint_every: see `train`.
        init_from: a model folder, see `train`.
        progress: see `train`.
        min_nodes: with fewer, none of them coming back within ``round_timeout_s`` (at least a minute), the run is
            saved and ends with an error. None is half of ``nodes``, rounded up.
        merge: what becomes of the nodes' updates of a row: a name of `merging.MERGES`; None for "mean". Nodes train
            with ``alpha`` times `merging.rate` of it and ``nodes``; ``min_alpha`` is as it is.
        hot_rows: so many rows, of the most frequent words, are exchanged after every round.
        full_every: all rows are exchanged after so many rounds.
        round_tokens: corpus tokens of a node's round; None for about four seconds. Less where an epoch would have fewer
            rounds than `merging.rounds`.
        round_timeout_s: a node that takes longer, for a round or a step of the exchange, is given up.
        options: see `TrainConfig`; ``workers`` is the threads of each node.

    Returns:
        The embeddings, mapped from ``output``.

    Raises:
        ConfigError: an option is out of range.
        ClusterError: Ray is missing or its cluster can't be reached, has no place for ``min_nodes``, or other versions
            on its machines; or too few nodes are left, in which case the run has been saved.
        CorpusError, FolderError: see `train`; also where that holds for a node, which the message then names.
        DivergedError, KeyboardInterrupt, Terminated: see `train`.
    """
    return _train_ray(
        Node, corpus, _Exchange(nodes, address, min_nodes, merge, hot_rows, full_every, round_tokens, round_timeout_s),
        Run(output, resume, checkpoint_every, init_from, (), progress, on_nodes=True), options,
    )  # fmt: skip


@dataclass(frozen=True)
class _Exchange:
    """The options of `train_ray` that `train` does not have."""

    nodes: int | None
    address: str | None
    min_nodes: int | None
    merge: str | None
    hot_rows: int
    full_every: int
    round_tokens: int | None
    round_timeout_s: float

    def __post_init__(self) -> None:
        for name in ("nodes", "min_nodes", "hot_rows", "full_every", "round_tokens"):
            value: Any = getattr(self, name)
            optional = value is None and name not in ("hot_rows", "full_every")
            if not optional and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ConfigError(f"{name} is {value!r:.60}: give a whole number, at least 1")
        if self.merge is not None and (not isinstance(self.merge, str) or self.merge not in MERGES):
            raise ConfigError(f"merge is {self.merge!r:.60}: give {' or '.join(map(repr, MERGES))}")
        seconds: Any = self.round_timeout_s
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
            raise ConfigError(f"round_timeout_s is {seconds!r:.60}: give a number of seconds above 0")
        if self.nodes is not None and self.min_nodes is not None and self.min_nodes > self.nodes:
            raise ConfigError(f"min_nodes is {self.min_nodes}, but nodes is {self.nodes}: make it smaller")
        host, _, port = str(self.address).rpartition(":")
        if self.address not in (None, "auto") and not (host and "/" not in host and port.isdigit()):
            raise ConfigError(
                f"the address of the Ray cluster is {self.address!r:.60}: give HOST:PORT, or auto on one of its "
                "machines; none for this machine alone"
            )


def _train_ray(
    node_class: type[Node],
    corpus: CorpusInput,
    exchange: _Exchange,
    run: Run,
    options: Mapping[str, Any],
) -> Embeddings:
    """Do what `train_ray` says, with actors of this class."""
    check_names("train_ray", options, TrainOptions)
    given = given_options(options)
    TrainConfig(**given)  # raises before anything is touched
    with sigterm_raises(), output_folder(run.output) as folder, ExitStack() as stack:
        state, given, config = run.start(folder, given)
        asked = {name: getattr(config, name) if name in given or state else None for name in ("min_count", "max_vocab")}
        before = {} if state is None else state.embeddings.metadata.get("ray", {})
        exchange = replace(
            exchange, nodes=exchange.nodes or before.get("nodes"), merge=exchange.merge or before.get("merge", "mean")
        )
        threads = given.get("workers") or (None if state is None else config.workers)
        machines = stack.enter_context(_ray(exchange, threads))
        if not machines():
            raise ClusterError("no machine of the Ray cluster has cores to give: start Ray on one with «ray start»")
        chosen = opened(corpus, folder, **asked, workers=usable_cores(), progress=run.progress)
        ready = stack.enter_context(chosen)
        wanted = exchange.nodes or len(machines())
        threads = threads or _threads(list(machines().values()), wanted)
        config = replace(config, min_count=ready.min_count, max_vocab=ready.max_vocab, workers=threads)
        return _Training(node_class, ready, config, folder, state, run, exchange, wanted, machines).run_all()


def _threads(cores: Sequence[int], wanted: int) -> int:
    """Return how many threads nodes can have, all the same: nodes are placed on the machines with most cores."""
    best = max(sum(c // threads for c in cores) >= wanted and threads for threads in range(1, max(cores) + 1))
    return max(1, int(best))


# ------------------------------------------------------------------------------------------------------------- Ray


@contextmanager
def _ray(exchange: _Exchange, threads: int | None) -> Iterator[Callable[[], dict[str, int]]]:
    """Connect to Ray, or start it on this machine.

    Yields:
        A function that returns the cores of each machine that is there, by Ray's name of it.

    Raises:
        ClusterError: it is not installed, or there is none at the address.
    """
    os.environ.setdefault(
        "RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died or was killed"
    )  # said in one line, by `_Training`
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ClusterError(f"Ray can't be loaded ({error}): pip install 'fastw2v[ray]'") from None

    def machines() -> dict[str, int]:
        there = {node["NodeID"]: int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]}
        return {name: cores for name, cores in there.items() if cores}

    if ray.is_initialized():
        yield machines
        return
    address = exchange.address
    if address not in (None, "auto"):
        _check_reachable(address)
    cores = None if address else (exchange.nodes or 1) * (threads or max(1, usable_cores() // (exchange.nodes or 1)))
    mine = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        try:
            # Ray has actors look for modules in the working directory first; a checkout there is not this package
            with chdir(PACKAGE.parent):
                ray.init(
                    address=address or "local",
                    num_cpus=cores,
                    include_dashboard=None if address else False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        finally:
            if mine:  # Ray's own would end the program in the middle of something
                signal.signal(signal.SIGTERM, before)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        where = f"no Ray cluster that this machine is part of at {address}" if address else "Ray can't be started here"
        token = "; if it wants a token, set RAY_AUTH_MODE=token" * (bool(address) and "RAY_AUTH_MODE" not in os.environ)
        raise ClusterError(f"{where}: {' '.join(str(error).split()):.400}{token}") from None
    try:
        yield machines
    finally:
        with signals_noted(lets_third_through=False):
            ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise at once if nobody listens at HOST:PORT, which takes Ray a minute to find out."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no Ray cluster at {address} ({getattr(error, 'strerror', None) or error}): start one there with "
            "«ray start --head», and give the address that this prints"
        ) from None


def _first_line(error: object) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _reason(error: Exception) -> str:
    """Return why an actor is gone: the error of Python's that kept it from starting, if that was it."""
    found = re.findall(r"^\s*(\w+(?:Error|Exception): .+)$", str(error), re.MULTILINE)
    return found[-1] if found else "its process ended"


# ------------------------------------------------------------------------------------------------------- one training


class _Training:
    """One run: the nodes that take part, the ledger, and what is known of the run so far.

    Arguments as in `train_ray`; ``machines`` is what `_ray` yields.
    """

    def __init__(
        self,
        node_class: type[Node],
        corpus: Corpus,
        config: TrainConfig,
        folder: Path,
        state: State | None,
        run: Run,
        exchange: _Exchange,
        wanted: int,
        machines: Callable[[], dict[str, int]],
    ) -> None:
        import ray

        self._ray, self._remote = ray, ray.remote(node_class)
        self._corpus, self._config, self._folder, self._state = corpus, config, folder, state
        # of the nodes wanted, not of those that are there: tiles and the schedule depend on it
        assert exchange.merge is not None
        self._alpha = rate(exchange.merge, wanted) * config.alpha
        self._run, self._exchange, self._wanted, self._machines = run, exchange, wanted, machines
        self._least = exchange.min_nodes or (wanted + 1) // 2
        self._timeout = exchange.round_timeout_s
        self._disk_seconds = max(DISK_SECONDS, self._timeout)
        self._members: list[_Member] = []  # those that take part, in order of number
        self._joining: list[_Member] = []
        self._strikes = [0] * wanted
        self._reasons: list[str] = []
        self._started = state.ledger[1] if state is not None and state.ledger is not None else 0
        self._attempt = 0
        committed = state.ledger[0] if state is not None and state.ledger is not None else []
        self._ledger = Ledger(len(corpus.ids), self._next_cut, committed)

    def run_all(self) -> Embeddings:
        """Train, and return what ``output`` then holds; raises what stopped the run early, once it is saved."""
        run, config, corpus, state = self._run, self._config, self._corpus, self._state
        assert run.output is not None
        n_tokens = len(corpus.ids)
        sizes = {"tokens": n_tokens, "sentences": len(corpus.offsets) - 1, "crc32": corpus.crc32()}
        total, done = n_tokens * config.epochs, 0
        if state is not None:
            check_state(state, corpus, sizes, total)
            done = state.tokens
            if done == total:
                say(
                    run.progress,
                    f"{run.output} is complete (epochs {config.epochs}): nothing to do; more --epochs go on",
                )
                finish(state.folder, state.embeddings.metadata["progress"])
                return state.embeddings
        self._plan = self._make_plan()
        say(
            run.progress,
            f"{counted(corpus.tokens_read, 'token')}, {len(corpus.ids):,} of them in the vocabulary of "
            f"{counted(len(corpus.vocab), 'word')}, {counted(len(corpus.offsets) - 1, 'sentence')}; "
            f"{counted(self._wanted, 'node')} of {counted(config.workers or 1, 'thread')} "
            "(not bit-identical from run to run)",
        )
        self._metadata: dict[str, Any] = {"versions": versions() | {"ray": self._ray.__version__}}
        self._metadata |= {"cpu": host_cpu(), "cpu_features": features_digest(), "config": asdict(config)}
        self._metadata["ray"] = {"nodes": self._wanted} | {
            name: getattr(self._exchange, name) for name in ("merge", "hot_rows", "full_every", "round_tokens")
        }
        self._metadata["corpus"] = {"tokens_read": corpus.tokens_read, **sizes}
        if state is not None:
            there = state.embeddings.metadata
            self._metadata |= {name: there[name] for name in ("init_from",) if name in there}
            was = there.get("ray", {}).get("nodes", self._wanted), there.get("ray", {}).get("merge", "mean")
            if was != (self._wanted, self._exchange.merge):
                say(run.progress, f"it was a run of {was[0]} nodes and merge {was[1]!r}: the learning rate may change")
        self._metadata["progress"] = {} if state is None else state.embeddings.metadata["progress"]
        self._metrics = [] if state is None else list(state.embeddings.metrics)
        self._checkpoints = Checkpoints(self._folder, run.checkpoint_every, state)
        try:
            self._gather_first()
            if state is not None:
                say(run.progress, f"going on at token {done:,} of {total:,}")
            return self._rounds(total, done)
        except DivergedError as error:
            saved = None if self._checkpoints.saved is None else str(self._checkpoints.saved)
            raise DivergedError(error.epoch, error.token, error.alpha, saved) from None
        except _AllLostError:
            saved = f"; {self._checkpoints.saved} holds the last checkpoint: --resume goes on from there"
            saved *= self._checkpoints.saved is not None
            raise ClusterError(f"no node is left ({'; '.join(self._reasons[-3:])}){saved}") from None
        finally:
            for member in [*self._members, *self._joining]:
                self._ray.kill(member.actor)

    def _make_plan(self) -> Plan:
        ids: Any = self._corpus.ids
        where = Path(ids.filename).parent
        # a cache that is being made moves from the staging folder at the first checkpoint
        places = [where, *([self._folder.parent / CACHE] if where.parent == self._folder else [])]
        token = secrets.token_hex(16)
        with write_errors(self._folder):
            (self._folder / TOKEN).write_text(token, "utf-8")
        machines = self._machines()
        return Plan(
            corpus=tuple(str(place.absolute()) for place in places),
            vocab_sha256=str(read_manifest(where, PREPARED_MANIFEST, "prepared")["vocab_sha256"]),
            n_tokens=len(self._corpus.ids),
            config=replace(self._config, alpha=self._alpha),
            merge=self._exchange.merge or "mean",
            token_file=str(self._folder.absolute() / TOKEN),
            token=token,
            machine_share=-(-self._wanted // max(1, len(machines))),
        )

    # ---------------------------------------------------------------------------------------------------- members

    def _summon(self) -> None:
        """Start a node for every slot that is empty, as far as there are machines with free cores."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        threads = self._config.workers
        assert threads is not None
        there = [*self._members, *self._joining]
        if len(there) == self._wanted:
            return
        taken = {member.slot for member in there}
        own = self._ray.get_runtime_context().get_node_id()
        machines = self._machines()
        for slot in range(self._wanted):
            if slot in taken or self._strikes[slot] >= STRIKES:
                continue
            busy = {name: sum(member.machine == name for member in there) for name in machines}
            free = [name for name, cores in machines.items() if (busy[name] + 1) * threads <= cores]
            if not free:
                return
            machine = min(free, key=lambda name: (busy[name], name != own))
            place = NodeAffinitySchedulingStrategy(machine, soft=False)
            actor = self._remote.options(num_cpus=threads, max_restarts=0, scheduling_strategy=place).remote()
            member = _Member(self._started, slot, machine, f"node {self._started}", actor, actor.hello.remote())
            self._started += 1
            self._joining.append(member)
            there.append(member)

    def _welcome(self, seconds: float) -> list[_Member]:
        """Wait until somebody who is joining has answered; return those that are ready for the model.

        Raises:
            FastW2VError: a node does not fit; it has been dismissed.
        """
        ready: list[_Member] = []
        refs = {member.joining: member for member in self._joining if member.joining is not None}
        arrived: list[Any] = []
        if refs:
            arrived, _ = self._ray.wait(list(refs), num_returns=1, timeout=seconds)
            arrived, _ = self._ray.wait(list(refs), num_returns=len(refs), timeout=0)
        for ref in arrived:
            member = refs[ref]
            answers = self._answer(member, ref)
            if not answers:
                continue
            answer = answers[0]
            if member.asked == "hello":
                member.name = f"node {member.number} ({answer['host']})"
                self._check_versions(member, answer)
                # those that train already have their memory
                plan = replace(self._plan, machine_share=1) if self._members else self._plan
                member.joining, member.asked = member.actor.open.remote(plan, member.number), "open"
            else:
                member.joining, member.writes = None, answer["sees_output"]
                self._tiles = answer["tiles"]
                ready.append(member)
        return ready

    def _check_versions(self, member: _Member, theirs: dict[str, str]) -> None:
        for name, here in (versions() | {"package": package_digest()}).items():
            there = str(theirs.get(name))
            same = [text.split(".")[:2] if name == "python" else text for text in (here, there)]
            if same[0] != same[1]:
                self._dismiss(member)
                self._strikes[member.slot] = STRIKES
                if name == "package":
                    name, there, here = "another fastw2v, in", theirs["folder"], f"that in {PACKAGE}"
                raise ClusterError(
                    f"{member.name} has {name} {there}, this machine has {here}: install the same on all machines"
                )

    def _answer(self, member: _Member, ref: Any) -> list[Any]:
        """Return the answer that has arrived, in a list, which is empty if the node turns out to be lost.

        Raises:
            FastW2VError: the node raised it; its name is in the text, and it has been dismissed.
        """
        from ray.exceptions import RayError, RayTaskError

        try:
            return [self._ray.get(ref)]
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, (ConfigError, CorpusError, FolderError)):
                self._dismiss(member)
                self._strikes[member.slot] = STRIKES
                raise type(cause)(f"{member.name}: {cause}") from None
            self._lose(member, f"failed ({type(cause).__name__}: {_first_line(cause)})")
        except RayError as error:
            self._lose(member, f"was lost ({_reason(error)})")
        return []

    def _ask(self, calls: dict[_Member, Any], seconds: float | None = None) -> dict[_Member, Any]:
        """Wait for the answers to calls of nodes; those that are lost or late are given up, and missing in the result.

        Late is after so many seconds, or ``round_timeout_s``.

        Raises:
            FastW2VError: see `_answer`.
            _AllLostError: nobody is left.
        """
        waiting = {ref: member for member, ref in calls.items()}
        found: dict[_Member, Any] = {}
        seconds = seconds or self._timeout
        deadline = time.monotonic() + seconds
        while waiting and (left := deadline - time.monotonic()) > 0:
            ready, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=min(left, WAIT))
            for ref in ready:
                member = waiting.pop(ref)
                for answer in self._answer(member, ref):
                    found[member] = answer
        for member in waiting.values():
            self._lose(member, f"did not answer for {seconds:g} s")
        if not self._members:
            raise _AllLostError
        return found

    def _dismiss(self, member: _Member) -> None:
        """End a node, and take back its tokens."""
        self._ray.kill(member.actor)
        for group in (self._members, self._joining):
            if member in group:
                group.remove(member)

    def _lose(self, member: _Member, what: str) -> None:
        self._dismiss(member)
        self._strikes[member.slot] += 1
        back = self._ledger.lose(member.number)
        self._reasons.append(f"{member.name} {what}")
        again = f"; {counted(back, 'token')} will be trained again" * (back > 0)
        gone = "; it is not started again" * (self._strikes[member.slot] >= STRIKES)
        say(self._run.progress, f"{member.name} {what}{again}{gone}")

    def _give_model(self, member: _Member) -> bool:
        """Bring the base to a node that joins, from one that has it; False if one of the two is lost."""
        for start, stop in self._slabs(len(self._corpus.vocab)):
            giver = self._members[-1]
            refs = self._ask({giver: giver.actor.give.remote(start, stop)}).get(giver)
            if refs is None:
                return False
            accepted = self._ask({member: member.actor.accept.remote(start, stop, refs, self._timeout / 2)})
            if accepted.get(member) is not True:
                return False
        return True

    def _join(self, ready: Sequence[_Member]) -> None:
        """Let nodes that are ready take part."""
        for member in ready:
            if self._give_model(member):
                self._joining.remove(member)
                self._members.append(member)
                self._members.sort(key=lambda member: member.number)
            elif member in self._joining:
                self._lose(member, "did not get the model")

    def _gather_first(self) -> None:
        """Start the nodes and bring all of them to the same rows.

        Raises:
            ClusterError: there are not enough.
            FastW2VError: one does not fit.
            FolderError: none of them can write the model folder.
        """
        ready: list[_Member] = []
        began = time.monotonic()
        self._summon()
        while len(ready) < self._wanted and len(self._joining) > len(ready):
            waited = time.monotonic() - began
            if waited > START_SECONDS or (waited > PATIENCE and len(ready) >= self._least):
                break
            ready += self._welcome(WAIT)
            self._summon()
        if len(ready) < self._least:
            cores = ", ".join(map(str, self._machines().values()))
            why = "; ".join(self._reasons[-3:]) or f"its machines have {cores} cores, which others may use"
            raise ClusterError(
                f"{counted(self._wanted, 'node')} with {counted(self._config.workers or 1, 'thread')} each wanted, "
                f"{len(ready)} started, fewer than min_nodes {self._least} ({why}): lower --nodes or --workers"
            )
        if len(ready) < self._wanted:
            say(self._run.progress, f"{len(ready)} of {counted(self._wanted, 'node')} came; others join when they come")
        first = next((member for member in ready if member.writes), None)
        if first is None:
            raise FolderError(
                f"no node can write {self._run.output}: put it on a file system that this machine and one of them share"
            )
        if self._config.kernel == "tile" and not self._tiles:
            say(self._run.progress, "tiles do not fit: too few tokens or words, or too high an alpha; pairwise kernel")
        self._joining = [member for member in self._joining if member is not first]
        self._members = [first]
        ready.remove(first)
        if self._state is not None:
            self._ask({first: first.actor.restore.remote(str(self._state.folder.absolute()))}, self._disk_seconds)
        elif self._run.init_from is not None:
            assert self._run.vectors is not None
            folder = Path(os.fspath(self._run.init_from)).absolute()  # type: ignore[arg-type]
            self._metadata["init_from"] = self._ask({first: first.actor.start_from.remote(str(folder))})[first]
            say(
                self._run.progress,
                "{words_taken:,} of {words:,} words start from given vectors".format(**self._metadata["init_from"]),
            )
        self._join(ready)

    def _let_in(self, seconds: float) -> None:
        """Start who is missing, and let join who is ready, for which to wait so long.

        A node that does not fit is a remark here: the others go on.
        """
        self._summon()
        if not any(member.joining is not None for member in self._joining):
            time.sleep(seconds)  # a machine may come
        try:
            self._welcome(seconds)
        except FastW2VError as error:
            say(self._run.progress, f"a node can't take part: {error}")
            self._reasons.append(str(error))
        self._join([member for member in self._joining if member.joining is None])

    @property
    def _nobody_comes(self) -> bool:
        """No node is being started, and none will be."""
        struck = (strikes >= STRIKES or self._has(slot) for slot, strikes in enumerate(self._strikes))
        return not self._joining and all(struck)

    def _fill(self, stopped: Callable[[], int]) -> bool:
        """Between rounds: let join who is there, start who is missing; False if too few are left.

        Nobody is waited for once ``stopped`` gives a signal.
        """
        deadline = time.monotonic() + max(self._timeout, PATIENCE)
        while True:
            self._let_in(0 if len(self._members) >= self._least else WAIT)
            if len(self._members) >= self._least:
                return True
            if time.monotonic() > deadline or self._nobody_comes or stopped():
                return False

    def _has(self, slot: int) -> bool:
        return any(member.slot == slot for member in [*self._members, *self._joining])

    # ----------------------------------------------------------------------------------------------------- rounds

    def _slabs(self, rows: int) -> list[tuple[int, int]]:
        """Return ranges of rows, `SLAB_BYTES` of V and U each."""
        step = max(1, SLAB_BYTES // (8 * self._config.vector_size))
        return [(start, min(start + step, rows)) for start in range(0, rows, step)]

    def _synchronise(self, rows: int, epoch: int, alpha: float) -> int:
        """Exchange the first rows among all nodes; return the bytes that went from one to another.

        Whoever is lost meanwhile is left out, with all that it did since the last full exchange.

        Raises:
            DivergedError: a merged row is not finite.
            ClusterError: all are there, but their rows do not arrive.
            _AllLostError: nobody is left.
        """
        moved, in_vain = 0, 0
        for start, stop in self._slabs(rows):
            while True:
                self._attempt += 1
                before = len(self._members)
                came = self._exchange_rows(start, stop, epoch, alpha)
                if came is not None:
                    moved += came
                    break
                self._ask({member: member.actor.ping.remote() for member in self._members})  # who has gone?
                in_vain = 0 if len(self._members) < before else in_vain + 1
                if in_vain == STRIKES:
                    raise ClusterError(
                        "rows do not arrive from node to node, though all nodes are there: look at Ray's logs and the "
                        "space for its object store"
                    )
        return moved

    def _exchange_rows(self, start: int, stop: int, epoch: int, alpha: float) -> int | None:
        """Exchange rows; return the bytes, None if somebody was lost before it was done: then nothing has changed."""
        members = list(self._members)
        if len(members) == 1:
            self._ask({members[0]: members[0].actor.settle.remote(start, stop)})
            return 0
        count, half = len(members), self._timeout / 2
        taken = self._ask({member: member.actor.take.remote(start, stop, count) for member in members})
        if len(taken) < count:
            return None
        turn = self._attempt % count  # a merge may prefer who comes first
        order = members[turn:] + members[:turn]
        calls = {
            member: member.actor.reduce.remote([taken[other][j] for other in order], half)
            for j, member in enumerate(members)
        }
        reduced = self._ask(calls)
        if len(reduced) < count or None in reduced.values():
            return None
        if not all(finite for _, finite, _ in reduced.values()):
            raise DivergedError(epoch, self._ledger.trained, alpha)
        refs = [reduced[member][0][0] for member in members]
        calls = {
            member: member.actor.prepare.remote(self._attempt, start, stop, refs, j, half)
            for j, member in enumerate(members)
        }
        came = self._ask(calls)
        if len(came) < count or None in came.values():
            return None
        self._ask({member: member.actor.commit.remote(self._attempt) for member in members})
        return int(sum(size for _, _, size in reduced.values()) + sum(came.values()))

    def _leases(self) -> tuple[dict[_Member, list[Range]], float]:
        """Lease the tokens of a round: the faster a node, the more, so that all need the same time.

        Returns:
            Some more than that time will do for, where the epoch has them, and the seconds after which all stop;
            infinite where it is the tokens that count.
        """
        threads = self._config.workers or 1
        known = [member.tokens_per_s for member in self._members if member.tokens_per_s]
        usual = float(np.mean(known)) * ROUND_SECONDS if known else FIRST_LEASE * threads
        shares = {
            member: self._exchange.round_tokens
            or (member.tokens_per_s * ROUND_SECONDS if member.tokens_per_s else usual)
            for member in self._members
        }
        together = sum(shares.values())
        most = self._ledger.n_tokens / rounds_of_epoch(len(shares))
        rounds = math.ceil(self._ledger.free / max(1, min(together, most)))
        part = self._ledger.free / max(1, rounds) / together
        seconds = part * ROUND_SECONDS
        if self._exchange.round_tokens or len(known) < len(shares) or seconds < SHORT_ROUND:
            seconds = math.inf
        elif rounds > 1:
            part *= SPARE
        leases = {}
        for member, share in shares.items():
            if ranges := self._ledger.lease(member.number, max(1, math.ceil(share * part))):
                leases[member] = ranges
        return leases, seconds

    def _train_leases(self, epoch: int, step: float) -> tuple[NDArray[np.float64], int]:
        """Have all nodes train a lease each; return the sums of what they tallied, and how many tokens that was.

        The learning rate is that of the tokens done by all: while a round runs, these pass as many times faster than a
        node's own as all leases are longer than its own.
        """
        alpha = self._alpha + step * self._tokens(epoch)
        leases, seconds = self._leases()
        tokens = {member: length(ranges) for member, ranges in leases.items()}
        together = sum(tokens.values())
        answers = self._ask(
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

    def _commit(self) -> list[Range]:
        """Note that all replicas are the same."""
        for member in self._members:
            self._strikes[member.slot] = 0
        return self._ledger.commit()

    def _rounds(self, total: int, done: int) -> Embeddings:
        """Run what is left after ``done`` tokens, round by round."""
        run, config, n_tokens, rows = self._run, self._config, len(self._corpus.ids), len(self._corpus.vocab)
        assert run.output is not None
        hot = min(self._exchange.hot_rows, rows)
        checkpoints = self._checkpoints
        began = time.perf_counter() - (0.0 if self._state is None else self._state.seconds)
        step = (config.min_alpha - self._alpha) / total
        epoch, since_full = done // n_tokens + 1, 0
        enough = True
        with ExitStack() as stack:
            stack.callback(checkpoints.close)
            signalled = stack.enter_context(signals_noted())
            with checkpoints.remedy():
                record = stack.enter_context(metrics_file(self._folder, self._metrics))
            bar = stack.enter_context(Bar(total, run.progress, done))
            while True:
                enough = self._fill(signalled)
                start = time.perf_counter()
                tally, trained = self._train_leases(epoch, step) if enough else (np.zeros(TALLY_WIDTH), 0)
                middle = time.perf_counter()
                ending = signalled() > 0 or not enough
                full = ending or checkpoints.due or self._ledger.free == 0 or hot == rows
                full = full or since_full + 1 >= self._exchange.full_every
                since_full = 0 if full else since_full + 1
                moved = self._synchronise(rows if full else hot, epoch, self._alpha + step * self._tokens(epoch))
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
                    loss=float(tally[LOSS] / tally[LOSS_PAIRS]) if tally[LOSS_PAIRS] else None,
                    seconds=end - began,
                )
                of_round = {
                    "nodes": len(self._members),
                    "seconds_training": round(middle - start, 4),
                    "seconds_exchanging": round(end - middle, 4),
                    "rows_exchanged": rows if full else hot,
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
        where = f"{run.output} holds the vectors as they were at token {tokens:,} of {total:,}: --resume goes on"
        if signalled() and tokens < total:
            raise interruption(signalled(), where)
        if not enough:
            reasons = "; ".join(self._reasons[-3:]) or "the others did not come back"
            left = counted(len(self._members), "node")
            raise ClusterError(f"{left} left, fewer than min_nodes {self._least} ({reasons}); {where}")
        return load(run.output)

    def _place(self, now: Progress) -> dict[str, Any]:
        """Return where the run is: what model.json says of it, and what it goes on from."""
        before = self._metadata["progress"]
        committed = [] if self._ledger.complete else [list(range_) for range_ in self._ledger.committed]
        return {
            **({MOVED: True} if before.get(MOVED) is True else {}),
            **place_of(now, before),
            LEDGER: {"committed": committed, "nodes_started": self._started},
        }

    def _write(self, folder: Path) -> None:
        """Have a node write the model's files into a folder.

        Raises:
            DivergedError: a value is not finite.
            FolderError: they can't be written, or no node that is left sees the folder.
        """
        progress = self._metadata["progress"]
        deadline = time.monotonic() + max(self._timeout, PATIENCE)
        while True:
            writer = next((member for member in self._members if member.writes), None)
            if writer is None:
                if time.monotonic() > deadline or self._nobody_comes:
                    raise FolderError(f"no node that is left can write {self._run.output}")
                self._let_in(WAIT)  # all rows have just been exchanged: who comes gets the model as it is
                continue
            ref = writer.actor.write.remote(str(folder.absolute()), self._metadata, self._metrics)
            finite = self._ask({writer: ref}, self._disk_seconds).get(writer)
            if finite is False:
                raise DivergedError(progress["epoch"], self._ledger.trained, progress["alpha"])
            if finite:
                return

    def _next_cut(self, place: int) -> int:
        return next_cut(self._corpus.offsets, place)

    def _tokens(self, epoch: int) -> int:
        """Return how many tokens have been done, over all epochs."""
        return (epoch - 1) * self._ledger.n_tokens + self._ledger.trained
