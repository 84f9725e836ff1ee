"""The ledger: whatever happens to nodes, every token of an epoch is trained, none is lost, and none committed twice."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fastw2v.training.ledger import Ledger, check_ranges, length, union

GRAIN = 7


def cut(n_tokens):
    return lambda place: min(math.ceil(place / GRAIN) * GRAIN, n_tokens)


def tokens_of(ranges):
    return [token for start, stop in ranges for token in range(start, stop)]


ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted).map(tuple))


@given(ranges)
def test_merged_ranges_are_the_same_tokens(given_ranges):
    found = union(given_ranges)
    assert tokens_of(found) == sorted(set(tokens_of(given_ranges)))
    assert all(before[1] < after[0] for before, after in pairwise(found))
    assert length(found) == len(tokens_of(found))


@given(ranges)
def test_ranges_come_back_from_a_file(given_ranges):
    found = union(given_ranges)
    assert check_ranges([list(pair) for pair in found], 60) == found


@pytest.mark.parametrize(
    "wrong",
    [None, 3, "ab", [3], [[1]], [[1, 2, 3]], [[2, 2]], [[3, 2]], [[-1, 2]], [[0, 61]], [[0, 2], [1, 3]],
     [[0, 2], [2, 3]], [[4, 5], [0, 2]], [[0.0, 2]], [[False, 2]], [{"0": 1}]],
)  # fmt: skip
def test_what_is_no_list_of_ranges_is_refused(wrong):
    with pytest.raises(ValueError, match="no ranges"):
        check_ranges(wrong, 60)


def test_what_comes_back_is_leased_first_and_a_second_lease_is_refused():
    ledger = Ledger(70, cut(70))
    assert ledger.lease(0, 20) == [(0, 21)]
    assert ledger.lease(1, 20) == [(21, 42)]
    with pytest.raises(ValueError, match="has a lease"):
        ledger.lease(1, 5)
    assert ledger.lose(0) == 21
    assert ledger.lease(2, 30) == [(0, 21), (42, 56)]
    assert ledger.free == 14


class Nodes(RuleBasedStateMachine):
    """Any sequence of leases, ends, losses, late answers and full synchronisations."""

    @initialize(n_tokens=st.integers(1, 200), data=st.data())
    def begin(self, n_tokens, data):
        places = sorted({cut(n_tokens)(place) for place in data.draw(st.lists(st.integers(0, n_tokens), max_size=8))})
        before = list(zip(places[::2], places[1::2], strict=False))
        self.ledger = Ledger(n_tokens, cut(n_tokens), before)
        self.n_tokens = n_tokens
        self.committed = tokens_of(before)
        self.trained = set(self.committed)
        self.leased, self.done, self.lost = {}, {}, set()

    @rule(node=st.integers(0, 3), tokens=st.integers(1, 60))
    def lease(self, node, tokens):
        if node in self.leased:
            return
        free = self.ledger.free
        given = self.ledger.lease(node, tokens)
        assert (length(given) > 0) == (free > 0)
        assert min(tokens, free) <= length(given) < tokens + GRAIN
        assert all(place % GRAIN == 0 or place == self.n_tokens for pair in given for place in pair)
        if given:
            self.leased[node] = tokens_of(given)
        self.lost.discard(node)

    @rule(node=st.integers(0, 3))
    def finish(self, node):
        self.ledger.finish(node)  # of a node that has no lease, or lost it, nothing is noted
        tokens = self.leased.pop(node, [])
        self.done.setdefault(node, []).extend(tokens)
        self.trained.update(tokens)

    @rule(node=st.integers(0, 3), share=st.floats(0, 1))
    def finish_the_first_part(self, node, share):
        mine = self.leased.pop(node, [])
        places = [place for place in range(len(mine) + 1) if place == len(mine) or mine[place] % GRAIN == 0]
        tokens = mine[: places[int(share * (len(places) - 1))]]  # nodes stop where a cut may stand
        self.ledger.finish(node, len(tokens))
        self.done.setdefault(node, []).extend(tokens)
        self.trained.update(tokens)

    @rule(node=st.integers(0, 3))
    def lose(self, node):
        back = self.ledger.lose(node)
        assert back == len(self.leased.pop(node, [])) + len(self.done.pop(node, []))

    @rule()
    def commit(self):
        new = tokens_of(self.ledger.commit())
        assert new == sorted(token for tokens in self.done.values() for token in tokens)
        assert self.trained.issuperset(new)
        self.committed += new
        self.done.clear()

    @precondition(lambda self: not self.ledger.complete)
    @rule(node=st.integers(4, 5))
    def a_node_that_stays_ends_the_epoch(self, node):
        for other in range(4):
            self.lose(other)
        while self.ledger.free:
            self.ledger.lease(node, 50)
            self.leased[node] = tokens_of(self.ledger.leased[node])
            self.finish(node)
        self.commit()
        assert self.ledger.complete

    @invariant()
    def every_token_is_in_one_place(self):
        if not hasattr(self, "ledger"):
            return
        assert len(self.committed) == len(set(self.committed))  # committed once
        assert tokens_of(self.ledger.committed) == sorted(self.committed)
        held = [token for group in (self.leased, self.done) for tokens in group.values() for token in tokens]
        assert len(held) == len(set(held))
        assert not set(held) & set(self.committed)
        assert self.ledger.free == self.n_tokens - len(held) - len(self.committed)
        assert self.ledger.trained == len(self.committed) + sum(map(len, self.done.values()))
        assert self.ledger.complete == (len(self.committed) == self.n_tokens)


TestNodes = Nodes.TestCase
TestNodes.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
