"""Ray: the driver starts nodes on a cluster and waits for their answers; nodes put rows into its store and fetch them.

No other file imports Ray, and this one does so only when a run asks for nodes, so everything else works without it.
Ray's errors become errors that a user can act on: a `ClusterError` says what to start or install, a `NodeLostError`
why a node is gone.
"""

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from typing import Any

from .._version import PACKAGE
from ..errors import ClusterError, ConfigError, CorpusError, FolderError
from ..interrupts import signals_noted


class NodeLostError(Exception):
    """A node failed, or its process is gone; the text says how, and follows the node's name in a message."""


@dataclass(frozen=True)
class Cluster:
    """A connection to Ray.

    Attributes:
        ray: the module.
    """

    ray: Any

    @property
    def version(self) -> str:
        """The version of Ray."""
        return str(self.ray.__version__)

    def machines(self) -> dict[str, int]:
        """Return the number of cores of each machine that has any, by Ray's name for the machine."""
        alive = [node for node in self.ray.nodes() if node["Alive"]]
        cores = {node["NodeID"]: int(node["Resources"].get("CPU", 0)) for node in alive}
        return {machine: count for machine, count in cores.items() if count}

    def own_machine(self) -> str:
        """Return Ray's name for the machine that the driver runs on."""
        return str(self.ray.get_runtime_context().get_node_id())

    def start(self, node_class: type[Any], machine: str, threads: int) -> Any:
        """Start a node on a machine and reserve its cores; return Ray's handle of the actor."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        place = NodeAffinitySchedulingStrategy(machine, soft=False)
        remote = self.ray.remote(node_class)
        return remote.options(num_cpus=threads, max_restarts=0, scheduling_strategy=place).remote()

    def end(self, actor: Any) -> None:
        """End a node at once."""
        self.ray.kill(actor)

    def arrived(self, refs: Sequence[Any], seconds: float) -> list[Any]:
        """Wait up to ``seconds`` for one answer; return the references of all answers that have arrived."""
        self.ray.wait(refs, num_returns=1, timeout=seconds)
        ready: list[Any] = self.ray.wait(refs, num_returns=len(refs), timeout=0)[0]
        return ready

    def answer(self, ref: Any) -> Any:
        """Return an answer that has arrived.

        Raises:
            ConfigError, CorpusError, FolderError: the node raised it and can't take part.
            NodeLostError: the node raised another error, or is gone.
        """
        from ray.exceptions import RayError, RayTaskError

        try:
            return self.ray.get(ref)
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, (ConfigError, CorpusError, FolderError)):
                raise cause from None
            raise NodeLostError(f"failed ({type(cause).__name__}: {_first_line(cause)})") from None
        except RayError as error:
            raise NodeLostError(f"was lost ({_reason(error)})") from None


def put(value: Any) -> Any:
    """Put a value into the object store of this node; return its reference."""
    import ray

    return ray.put(value)


def fetch(refs: Sequence[Any], seconds: float) -> list[Any] | None:
    """Return the values of references, mapped from the object store; None if one does not come in time, or is lost."""
    import ray
    from ray.exceptions import GetTimeoutError, ObjectLostError

    try:
        return list(ray.get(list(refs), timeout=seconds))
    except (ObjectLostError, GetTimeoutError):
        return None


@contextmanager
def connect(address: str | None, cores: int) -> Iterator[Cluster]:
    """Connect to Ray, or start it on this machine and end it afterwards.

    Args:
        address: HOST:PORT or "auto". None takes the Ray that this process is connected to, or else starts one.
        cores: the number of cores that nodes may use, if this starts Ray.

    Raises:
        ClusterError: Ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died or was killed")  # `members` reports that.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ClusterError(f"Ray can't be loaded ({error}): pip install 'fastw2v[ray]'") from None
    if ray.is_initialized():
        yield Cluster(ray)
        return
    if address not in (None, "auto"):
        _check_reachable(address)
    try:
        _initialise(ray, address, cores)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        where = f"no Ray cluster that this machine is part of at {address}" if address else "Ray can't be started here"
        token = "; if it wants a token, set RAY_AUTH_MODE=token" * (bool(address) and "RAY_AUTH_MODE" not in os.environ)
        raise ClusterError(f"{where}: {' '.join(str(error).split()):.400}{token}") from None
    try:
        yield Cluster(ray)
    finally:
        with signals_noted(lets_third_through=False):
            ray.shutdown()


def threads_per_node(cores: Sequence[int], nodes: int) -> int:
    """Return how many threads each node can have if ``nodes`` nodes share machines with these cores; at least 1."""
    fits = [n for n in range(1, max(cores) + 1) if sum(count // n for count in cores) >= nodes]
    return max(fits, default=1)


def _initialise(ray: Any, address: str | None, cores: int) -> None:
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        # Actors look for modules in the driver's working directory first, where a checkout would hide this package.
        with chdir(PACKAGE.parent):
            ray.init(
                address=address or "local",
                num_cpus=None if address else cores,
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    finally:
        if in_main_thread:  # Ray sets its own handler, which would end the program at any moment.
            signal.signal(signal.SIGTERM, handler)


def _check_reachable(address: str) -> None:
    """Raise at once if nobody listens at HOST:PORT; Ray takes a minute to find out."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no Ray cluster at {address} ({getattr(error, 'strerror', None) or error}): start one there with "
            "`ray start --head`, and give the address that it prints"
        ) from None


def _first_line(error: object) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _reason(error: Exception) -> str:
    """Return why an actor is gone: the Python error that kept it from starting, if there is one."""
    errors = re.findall(r"^\s*(\w+(?:Error|Exception): .+)$", str(error), re.MULTILINE)
    return errors[-1] if errors else "its process ended"
