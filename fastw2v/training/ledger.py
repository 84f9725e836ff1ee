"""The ledger: which tokens of an epoch have been trained, and which to lease next or train again after a loss.

This is bookkeeping only; it talks to nobody. A token is free, leased to a node, done by that node, or committed. A done
token is not safe: until the next full synchronisation, only the node's replica has its updates of rare words. If the
node is lost before that, its tokens since the last synchronisation are leased again. After a full synchronisation every
replica has the updates: the tokens are committed for good. So every token is trained at least once per epoch, and
committed exactly once.
"""

from collections.abc import Callable, Iterable

Range = tuple[int, int]  # tokens [start, stop) of an epoch


def union(ranges: Iterable[Range]) -> list[Range]:
    """Return the same tokens in as few ranges as possible, in order: adjacent and overlapping ranges are joined."""
    joined: list[Range] = []
    for start, stop in sorted(ranges):
        if start == stop:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def length(ranges: Iterable[Range]) -> int:
    """Return how many tokens disjoint ranges have."""
    return sum(stop - start for start, stop in ranges)


class Ledger:
    """The tokens of one epoch.

    Attributes:
        n_tokens: tokens of the epoch.
        committed: ranges that are in every replica, joined by `union`.
        leased: node -> the ranges it is training.
        done: node -> the ranges it trained since the last full synchronisation.
    """

    def __init__(self, n_tokens: int, next_cut: Callable[[int], int], committed: Iterable[Range] = ()) -> None:
        """Begin an epoch, or resume one.

        Args:
            n_tokens: tokens of the epoch.
            next_cut: returns the first place at or after a token where a range may end, at most ``n_tokens``.
            committed: the ranges that are committed already.
        """
        self.n_tokens, self._next_cut = n_tokens, next_cut
        self.committed = union(committed)
        self.leased: dict[int, list[Range]] = {}
        self.done: dict[int, list[Range]] = {}
        starts = [0, *(stop for _, stop in self.committed)]
        stops = [*(start for start, _ in self.committed), n_tokens]
        self._free = union(zip(starts, stops, strict=True))

    @property
    def free(self) -> int:
        """The number of tokens that are free."""
        return length(self._free)

    @property
    def trained(self) -> int:
        """The number of tokens done or committed, which the learning rate follows."""
        return length(self.committed) + sum(map(length, self.done.values()))

    @property
    def complete(self) -> bool:
        """True when every token is committed."""
        return self.committed == [(0, self.n_tokens)]

    def lease(self, node: int, tokens: int) -> list[Range]:
        """Lease the first free tokens to a node: at least ``tokens``, if that many are free.

        Raises:
            ValueError: the node has a lease already.
        """
        if node in self.leased:
            raise ValueError(f"node {node} has a lease: {self.leased[node]}")
        lease: list[Range] = []
        while self._free and length(lease) < tokens:
            start, stop = self._free.pop(0)
            end = min(self._next_cut(start + tokens - length(lease)), stop)
            if end < stop:
                self._free.insert(0, (end, stop))
            lease.append((start, end))
        if lease:
            self.leased[node] = lease
        return lease

    def finish(self, node: int, tokens: int | None = None) -> None:
        """Note that a node has trained its lease, or the first ``tokens`` of it. The other tokens are free again.

        A node without a lease was given up before it answered; its tokens do not count.
        """
        done = self.done.setdefault(node, []) if node in self.leased else []
        left = self.n_tokens if tokens is None else tokens
        for start, stop in self.leased.pop(node, []):
            end = min(stop, start + left)
            left -= end - start
            if end > start:
                done.append((start, end))
            self._free = union([*self._free, (end, stop)])

    def lose(self, node: int) -> int:
        """Free the tokens that a node has leased, or has done since the last commit; return their number."""
        freed = self.leased.pop(node, []) + self.done.pop(node, [])
        self._free = union([*self._free, *freed])
        return length(freed)

    def commit(self) -> list[Range]:
        """Note a full synchronisation: every replica has all done tokens. Return the new ranges, joined by `union`."""
        new = union(part for ranges in self.done.values() for part in ranges)
        self.done.clear()
        self.committed = union([*self.committed, *new])
        return new


def check_ranges(ranges: object, n_tokens: int) -> list[Range]:
    """Return the ranges of an epoch from a file: a list of pairs of numbers, sorted and apart as `union` makes them.

    Raises:
        ValueError: the ranges are malformed.
    """
    checked: list[Range] = []
    for item in ranges if isinstance(ranges, list) else [None]:
        pair = item if isinstance(item, list) and len(item) == 2 else [-1, -1]
        start, stop = (number if type(number) is int else -1 for number in pair)
        if not (checked[-1][1] if checked else -1) < start < stop <= n_tokens:
            raise ValueError("no ranges of tokens")
        checked.append((start, stop))
    return checked
