"""The nodes of a run: start them, check them, give them the model, and replace nodes that fail.

A run has one slot per node. A node is first `starting`: it answers `hello`, the driver checks its versions, and it
opens the corpus. Then it is ready, gets the model from a node that has it, and becomes `active`. If a node fails or
answers too late, the driver ends it, gives its slot a strike, and starts another node in the slot. A slot with
`STRIKES` strikes stays empty. A completed exchange of all rows clears the strikes of the nodes that took part.

`rounds` waits for the answers of nodes through `Members.ask`, which notices lost nodes.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._version import PACKAGE, package_digest
from ..errors import ClusterError, ConfigError, CorpusError, FastW2VError, FolderError, option
from ..machine import versions
from ..screen import counted, say
from .cluster import Cluster, NodeLostError
from .node import Node, Plan, slabs

START_SECONDS = 600.0  # A node may take this long to start: it reads the corpus once.
PATIENCE = 60.0  # Seconds that a run with ``min_nodes`` waits for the others; any other run waits at least as long.
STRIKES = 3  # After this many failures, with no exchange of all rows between them, a slot stays empty.
WAIT = 0.5  # Seconds between two checks for answers.


class AllLostError(Exception):
    """No node is left that has the model."""


@dataclass(eq=False)
class Member:
    """A node, as the driver knows it.

    Attributes:
        number: the node's number, never used twice in a run.
        slot: the node's slot.
        machine: Ray's name for the machine.
        name: the node's name in messages.
        actor: Ray's handle of the node.
        pending: reference to the answer that it owes before it is ready for the model; None once it is ready.
        opening: True if ``pending`` is the answer of `Node.open`, False if it is that of `Node.hello`.
        tokens_per_s: speed in its last round; None before its first.
        sees_output: True if it can write the model folder.
    """

    number: int
    slot: int
    machine: str
    name: str
    actor: Any
    pending: Any
    opening: bool = False
    tokens_per_s: float | None = None
    sees_output: bool = False


class Members:
    """The nodes of a run.

    Attributes:
        active: the nodes that train, in order of number.
        starting: the nodes that do not have the model yet.
        started: how many nodes the run has started; the number of the next one.
        least: the least number of active nodes; with fewer, the run ends.
        tiles: True if the nodes train with the tile kernel.
    """

    def __init__(
        self,
        cluster: Cluster,
        node_class: type[Node],
        plan: Plan,
        *,
        n_words: int,
        wanted: int,
        least: int,
        timeout: float,
        started: int,
        take_back: Callable[[int], int],
        progress: bool,
    ) -> None:
        """Set up empty slots.

        Args:
            cluster: where nodes run.
            node_class: `Node`, or a class derived from it.
            plan: the facts that each node needs.
            n_words: rows of V and of U.
            wanted: the number of slots.
            least: see above.
            timeout: seconds after which the driver gives up a node that does not answer.
            started: how many nodes the run had started when it was saved.
            take_back: a function of the number of a lost node; it returns how many tokens will be trained again.
            progress: report what happens.
        """
        self._cluster, self._node_class, self._plan, self._n_words = cluster, node_class, plan, n_words
        self._wanted, self.least, self._timeout, self.started = wanted, least, timeout, started
        self._take_back, self._progress = take_back, progress
        self.active: list[Member] = []
        self.starting: list[Member] = []
        self.tiles = True
        self._strikes = [0] * wanted
        self._reasons: list[str] = []

    # ------------------------------------------------------------------------------------------ starting and joining

    def gather(self) -> list[Member]:
        """Start the first nodes of the run; return those that are ready for the model, at least `least`.

        Raises:
            ClusterError: fewer nodes are ready.
            FastW2VError: a node can't take part.
        """
        ready: list[Member] = []
        began = time.monotonic()
        self.start_missing()
        while len(ready) < self._wanted and len(self.starting) > len(ready):
            waited = time.monotonic() - began
            if waited > START_SECONDS or (waited > PATIENCE and len(ready) >= self.least):
                break
            ready += self.next_ready(WAIT)
            self.start_missing()
        nodes = counted(self._wanted, "node")
        if len(ready) < self.least:
            cores = ", ".join(map(str, self._cluster.machines().values()))
            why = self.last_reasons or f"its machines have {cores} cores, which others may use"
            raise ClusterError(
                f"{nodes} with {counted(self._plan.config.workers, 'thread')} each wanted, {len(ready)} started, "
                f"but at least {self.least} must train ({why}): lower {option('nodes')} or {option('workers')}"
            )
        if len(ready) < self._wanted:
            say(self._progress, f"{len(ready)} of {nodes} started; others join as soon as they are ready")
        return ready

    def start_missing(self) -> None:
        """Start a node in every empty slot, as long as there are machines with enough free cores."""
        if len(self._all) == self._wanted:
            return
        threads = self._plan.config.workers
        machines, local = self._cluster.machines(), self._cluster.own_machine()
        for slot in range(self._wanted):
            if self._is_taken(slot) or self._strikes[slot] >= STRIKES:
                continue
            busy = {machine: sum(member.machine == machine for member in self._all) for machine in machines}
            free = [machine for machine, cores in machines.items() if (busy[machine] + 1) * threads <= cores]
            if not free:
                return
            machine = min(free, key=lambda name: (busy[name], name != local))
            actor = self._cluster.start(self._node_class, machine, threads)
            name = f"node {self.started}"
            self.starting.append(Member(self.started, slot, machine, name, actor, actor.hello.remote()))
            self.started += 1

    def next_ready(self, seconds: float) -> list[Member]:
        """Wait up to ``seconds`` for an answer of a starting node; return the nodes that have become ready.

        Raises:
            FastW2VError: a node can't take part; the driver has ended it.
        """
        ready: list[Member] = []
        owed = {member.pending: member for member in self.starting if member.pending is not None}
        for ref in self._cluster.arrived(list(owed), seconds) if owed else []:
            member = owed[ref]
            for answer in self._answer(member, ref):
                if member.opening:
                    member.pending, member.sees_output, self.tiles = None, answer["sees_output"], answer["tiles"]
                    ready.append(member)
                else:
                    member.name = f"node {member.number} ({answer['host']})"
                    self._check_versions(member, answer)
                    # Active nodes have taken their memory: only this node needs more.
                    plan = replace(self._plan, machine_share=1) if self.active else self._plan
                    member.pending, member.opening = member.actor.open.remote(plan, member.number), True
        return ready

    def activate(self, member: Member) -> None:
        """Let a node that has the model take part."""
        self.starting.remove(member)
        self.active = sorted([*self.active, member], key=lambda member: member.number)

    def admit(self, ready: Sequence[Member]) -> None:
        """Give the model to nodes that are ready, and let them take part."""
        for member in ready:
            if self._give_model(member):
                self.activate(member)
            elif member in self.starting:
                self._lose(member, "did not get the model")

    def refill(self, seconds: float) -> None:
        """Start nodes in empty slots, wait up to ``seconds`` for an answer, and admit the nodes that are ready.

        If a node can't take part, this reports it, and the others continue without it.
        """
        self.start_missing()
        if all(member.pending is None for member in self.starting):
            time.sleep(seconds)  # Nobody will answer, but a machine may join the cluster.
        try:
            self.next_ready(seconds)
        except FastW2VError as error:
            say(self._progress, f"a node can't take part: {error}")
            self._reasons.append(str(error))
        self.admit([member for member in self.starting if member.pending is None])

    def wait_for_enough(self, stopped: Callable[[], int]) -> bool:
        """Refill until there are enough active nodes; return whether there are.

        Args:
            stopped: returns the number of a signal that ends the wait; 0 for none.
        """
        deadline = self.deadline()
        while True:
            self.refill(0 if len(self.active) >= self.least else WAIT)
            if len(self.active) >= self.least:
                return True
            if self.given_up(deadline) or stopped():
                return False

    def deadline(self) -> float:
        """Return when to stop waiting for a node to come back, in seconds of `time.monotonic`."""
        return time.monotonic() + max(self._timeout, PATIENCE)

    def given_up(self, deadline: float) -> bool:
        """Return whether it is pointless to wait for another node: it is too late, or no slot can get one."""
        closed = (strikes >= STRIKES or self._is_taken(slot) for slot, strikes in enumerate(self._strikes))
        return time.monotonic() > deadline or (not self.starting and all(closed))

    # --------------------------------------------------------------------------------------------- asking and losing

    def ask(self, calls: dict[Member, Any], seconds: float | None = None) -> dict[Member, Any]:
        """Wait for the answers to calls of nodes.

        Args:
            calls: the reference of the answer that each node owes.
            seconds: how long to wait; None for the run's timeout.

        Returns:
            The answers. Nodes that failed or were late are missing: the driver has ended them.

        Raises:
            FastW2VError: a node can't take part.
            AllLostError: no node is left.
        """
        owed = {ref: member for member, ref in calls.items()}
        answers: dict[Member, Any] = {}
        seconds = seconds or self._timeout
        deadline = time.monotonic() + seconds
        while owed and (left := deadline - time.monotonic()) > 0:
            for ref in self._cluster.arrived(list(owed), min(left, WAIT)):
                member = owed.pop(ref)
                for answer in self._answer(member, ref):
                    answers[member] = answer
        for member in owed.values():
            self._lose(member, f"did not answer for {seconds:g} s")
        if not self.active:
            raise AllLostError
        return answers

    def ask_one(self, member: Member, ref: Any, seconds: float | None = None) -> Any:
        """Wait for one answer as `ask` does; return it, None if the node is lost."""
        return self.ask({member: ref}, seconds).get(member)

    def clear_strikes(self) -> None:
        """Forget the failures of the slots whose nodes are active."""
        for member in self.active:
            self._strikes[member.slot] = 0

    def end_all(self) -> None:
        """End all nodes."""
        for member in self._all:
            self._cluster.end(member.actor)

    @property
    def last_reasons(self) -> str:
        """The reasons for the last losses of nodes, as text."""
        return "; ".join(self._reasons[-3:])

    @property
    def _all(self) -> list[Member]:
        return [*self.active, *self.starting]

    def _is_taken(self, slot: int) -> bool:
        return any(member.slot == slot for member in self._all)

    def _check_versions(self, member: Member, theirs: dict[str, str]) -> None:
        for name, ours in (versions() | {"package": package_digest()}).items():
            other = str(theirs.get(name))
            compared = [text.split(".")[:2] if name == "python" else text for text in (ours, other)]
            if compared[0] != compared[1]:
                self._refuse(member)
                if name == "package":
                    name, other, ours = "another fastw2v, in", theirs["folder"], f"that in {PACKAGE}"
                raise ClusterError(
                    f"{member.name} has {name} {other}, this machine has {ours}: install the same on all machines"
                )

    def _answer(self, member: Member, ref: Any) -> list[Any]:
        """Return a list of the answer that has arrived; the list is empty if the node is lost.

        Raises:
            FastW2VError: the node can't take part. The text names the node, and the driver has ended it.
        """
        try:
            return [self._cluster.answer(ref)]
        except (ConfigError, CorpusError, FolderError) as error:
            self._refuse(member)
            raise type(error)(f"{member.name}: {error}") from None
        except NodeLostError as error:
            self._lose(member, str(error))
            return []

    def _give_model(self, member: Member) -> bool:
        """Copy the base to a node from one that has it; return False if one of the two is lost."""
        for start, stop in slabs(self._n_words, self._plan.config.vector_size):
            giver = self.active[-1]
            refs = self.ask_one(giver, giver.actor.give.remote(start, stop))
            if refs is None:
                return False
            if not self.ask_one(member, member.actor.accept.remote(start, stop, refs, self._timeout / 2)):
                return False
        return True

    def _lose(self, member: Member, what: str) -> None:
        """End a node that failed, report the loss, and free its tokens, so that they are trained again."""
        self._end(member)
        self._strikes[member.slot] += 1
        tokens = self._take_back(member.number)
        self._reasons.append(f"{member.name} {what}")
        again = f"; {counted(tokens, 'token')} will be trained again" * (tokens > 0)
        closed = "; it is not started again" * (self._strikes[member.slot] >= STRIKES)
        say(self._progress, f"{member.name} {what}{again}{closed}")

    def _refuse(self, member: Member) -> None:
        """End a node that can't take part, and start no other in its place."""
        self._end(member)
        self._strikes[member.slot] = STRIKES

    def _end(self, member: Member) -> None:
        self._cluster.end(member.actor)
        self.active = [other for other in self.active if other is not member]
        self.starting = [other for other in self.starting if other is not member]
