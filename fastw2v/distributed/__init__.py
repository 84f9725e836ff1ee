"""Training on several machines with Ray (``pip install 'fastw2v[ray]'``): `train_ray` is all that users need.

Ray places, starts, watches and ends the nodes, and carries bytes between them. The files here decide the rest:

- `rounds` is the driver of one run. It decides which node trains which tokens, when nodes exchange rows, and when to
  save the run.
- `members` starts and checks nodes, and replaces lost ones.
- `cluster` is the driver's side of Ray.
- `node` is one node: it trains a replica and exchanges rows.
- `merging` averages the deltas of several nodes.

In a round, the driver leases tokens to the nodes, all nodes train, and all exchange the rows of the most frequent
words. Every few rounds, at the end of an epoch, for a checkpoint and at the end of the run, they exchange all rows.
After that all replicas are the same.
"""

from os import PathLike
from typing import Unpack

from ..embeddings import Embeddings
from ..text.prepared import CorpusInput
from ..training.run import Run, check_names
from .node import Node
from .rounds import RayOptions, RayTrainOptions, RoundOptions, train_nodes


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
    **options: Unpack[RayTrainOptions],
) -> Embeddings:
    """Train as `train` does, on several machines of a Ray cluster or in several processes of this machine.

    Every node has the whole model and trains on its own tokens. The nodes exchange their updates. If a node is lost or
    late, another node replaces it, and its tokens since the last exchange of all rows are trained again.

    Args:
        corpus: as for `train`. A prepared folder under a path that all machines see is best. Text is first prepared
            into the output's subfolder ``cache``, which all machines must then see.
        output: model folder to write; the driver and at least one node must see it.
        nodes: how many nodes to use; None for one per machine of the cluster. If fewer machines have enough cores, some
            machines run several nodes. When a machine joins the cluster, missing nodes start there. Nodes train with
            ``alpha * merging.rate(nodes)``; ``min_alpha`` does not change.
        address: HOST:PORT of the cluster, or "auto" on one of its machines. None uses the Ray that this process is
            connected to, or else starts Ray on this machine alone and ends it afterwards.
        resume: see `train`. You may change ``nodes`` and all other options of this function. If you omit
            ``nodes`` or ``workers``, the run keeps its values. The learning rate depends on ``nodes``.
        checkpoint_every: see `train`.
        init_from: a model folder, see `train`.
        progress: see `train`.
        min_nodes: if fewer nodes are left, and none comes back within ``round_timeout_s`` (at least a minute), the run
            is saved and ends with an error. None means half of ``nodes``, rounded up.
        options: the options of `TrainConfig`, where ``workers`` is the number of threads per node, and those of
            `rounds.RoundOptions`.

    Returns:
        The embeddings, mapped from ``output``.

    Raises:
        ConfigError: an option is out of range.
        ClusterError: Ray is not installed, or its cluster can't be reached, has no room for ``min_nodes`` or has other
            versions on its machines. Or too few nodes are left; then the run has been saved.
        CorpusError, FolderError: see `train`; if a node raised it, the message names the node.
        DivergedError, KeyboardInterrupt, Terminated: see `train`.
    """
    check_names(train_ray, options, RayTrainOptions)
    rounds = {name: options.pop(name) for name in RoundOptions.__annotations__ if name in options}  # type: ignore[misc]
    run = Run(output, resume, checkpoint_every, init_from, (), progress, on_nodes=True)
    return train_nodes(Node, corpus, RayOptions(nodes, address, min_nodes, **rounds), run, options)
