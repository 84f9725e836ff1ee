"""Random numbers, and the draws made with them: noise words, subsampling, window sizes.

One generator serves everything: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014). Its state is one 64-bit counter, so a checkpoint is one number per worker and skipping
ahead is one multiplication. A state lives in element 0 of a worker's own ``uint64`` row.

Inside kernels a uint64 meets only uint64. Numba turns ``uint64 op int64`` into float64, which would silently round a
random number to 53 bits.
"""

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
LOW_32 = np.uint64(0xFFFFFFFF)
SHIFT_27, SHIFT_30, SHIFT_31, SHIFT_32 = (np.uint64(shift) for shift in (27, 30, 31, 32))
ALWAYS = 2**32 - 1  # Every 32-bit draw is at or below this threshold.


def spawn_streams(seed: int, workers: int) -> NDArray[np.uint64]:
    """Return one starting state per worker, shape ``(workers,)``.

    Worker w's stream depends on the seed and w alone, not on how many workers there are. The states are 64 random
    bits each from NumPy's SeedSequence; two of the 2**64-long sequences overlap within n draws with probability
    below ``workers**2 * n / 2**64``.
    """
    children = np.random.SeedSequence(seed).spawn(workers)
    return np.array([child.generate_state(1, np.uint64)[0] for child in children], np.uint64)


@jit()
def next_u64(rng: NDArray[np.uint64]) -> np.uint64:
    """Advance the state ``rng[0]`` and return 64 random bits (SplitMix64)."""
    z = rng[0] + GAMMA
    rng[0] = z
    z = (z ^ (z >> SHIFT_30)) * MIX_1
    z = (z ^ (z >> SHIFT_27)) * MIX_2
    return z ^ (z >> SHIFT_31)  # type: ignore[no-any-return]


@jit()
def draw_below(rng: NDArray[np.uint64], n: int) -> int:
    """Return an integer in ``[0, n)``, ``1 <= n < 2**32``, from the high half of one draw.

    It multiplies and shifts (Lemire, "Fast random integer generation in an interval", 2019) without the rejection step.
    The relative error of each value's probability is at most ``n / 2**32``.
    """
    return np.int64(((next_u64(rng) >> SHIFT_32) * np.uint64(n)) >> SHIFT_32)  # type: ignore[return-value]


@jit(exact=True)
def build_alias(weights: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Build the alias table of a discrete distribution: O(n) to build, O(1) to draw from, 8 bytes per entry.

    Walker's method in Vose's form ("A linear algorithm for generating random numbers with a given distribution",
    1991). Entry i holds ``threshold << 32 | alias``: a draw that lands on slot i yields i if its 32-bit coin
    is below the threshold, the alias otherwise. A weight of 0 is never drawn.

    Args:
        weights: shape ``(n,)``, ``1 <= n < 2**31``, finite, none negative, not all zero.

    Returns:
        uint64 table of shape ``(n,)``.
    """
    n = len(weights)
    total, heaviest = 0.0, 0  # A loop compiles a quarter of a second faster than NumPy's functions.
    for i in range(n):
        total += weights[i]
        if weights[i] > weights[heaviest]:
            heaviest = i
    share = weights * (n / total)
    table = np.empty(n, np.uint64)
    small = np.empty(n, np.int64)
    large = np.empty(n, np.int64)
    n_small = n_large = 0
    for i in range(n):
        if share[i] < 1.0:
            small[n_small] = i
            n_small += 1
        else:
            large[n_large] = i
            n_large += 1
    while n_small > 0 and n_large > 0:
        n_small -= 1
        i = small[n_small]
        j = large[n_large - 1]
        table[i] = (np.uint64(share[i] * 4294967296.0) << SHIFT_32) | np.uint64(j)
        share[j] -= 1.0 - share[i]
        if share[j] < 1.0:
            n_large -= 1
            small[n_small] = j
            n_small += 1
    # The remaining slots are full, except for rounding. A large slot is its own alias and needs no threshold. A small
    # slot keeps its threshold and gives the rounding error to the heaviest word, so that weight 0 is never drawn.
    for k in range(n_large):
        table[large[k]] = np.uint64(large[k])
    for k in range(n_small):
        i = small[k]
        threshold = np.uint64(min(share[i] * 4294967296.0, 4294967295.0))
        table[i] = (threshold << SHIFT_32) | np.uint64(heaviest)
    return table


def noise_weights(counts: NDArray[np.int64], ns_exponent: float) -> NDArray[np.float64]:
    """Return the weights that noise words are drawn by, proportional to ``counts ** ns_exponent``.

    Mikolov et al., "Distributed representations of words and phrases", 2013, section 2.2. A word of count 0 is
    never drawn, whatever the exponent.
    """
    weights = np.zeros(len(counts), np.float64)
    seen = counts > 0
    # Counts are relative to the largest, so that no exponent overflows.
    weights[seen] = (counts[seen] / counts.max()) ** ns_exponent
    return weights


def noise_table(counts: NDArray[np.int64], ns_exponent: float) -> NDArray[np.uint64]:
    """Return the alias table of the noise distribution: `build_alias` of `noise_weights`."""
    return build_alias(noise_weights(counts, ns_exponent))


@jit()
def draw_noise(rng: NDArray[np.uint64], noise: NDArray[np.uint64]) -> int:
    """Draw a word from an alias table: slot from the high half of one draw, coin from the low half."""
    bits = next_u64(rng)
    slot = ((bits >> SHIFT_32) * np.uint64(len(noise))) >> SHIFT_32
    entry = noise[slot]
    if (bits & LOW_32) < (entry >> SHIFT_32):
        return np.int64(slot)  # type: ignore[return-value]
    return np.int64(entry & LOW_32)  # type: ignore[return-value]


@jit()
def draw_negatives(
    rng: NDArray[np.uint64], noise: NDArray[np.uint64], outside: int, negatives: NDArray[np.int32]
) -> int:
    """Draw ``len(negatives)`` noise words, drop those equal to ``outside``, and return how many were written.

    As in word2vec.c a noise word that equals the outside word is skipped, not drawn again.
    """
    n = 0
    for _ in range(len(negatives)):
        word = draw_noise(rng, noise)
        if word != outside:
            negatives[n] = word
            n += 1
    return n


def keep_thresholds(counts: NDArray[np.int64], sample: float) -> NDArray[np.uint32]:
    """Return each word's subsampling threshold: an occurrence is kept if a 32-bit draw is at or below it.

    word2vec.c's rule: a word that is a fraction f of the corpus is kept with probability
    ``min(1, sqrt(sample / f) + sample / f)``, here with 32 random bits where word2vec.c has 16.
    ``sample`` 0 keeps everything.
    """
    total = counts.sum()
    if sample == 0 or total == 0:
        return np.full(len(counts), ALWAYS, np.uint32)
    ratio = sample * total / np.maximum(counts, 1)
    kept = np.minimum(np.sqrt(ratio) + ratio, 1.0)
    thresholds: NDArray[np.uint32] = np.clip(np.rint(kept * 2.0**32) - 1, 0, ALWAYS).astype(np.uint32)
    return thresholds


def expected_kept(counts: NDArray[np.int64], keep: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return each word's expected number of occurrences that survive subsampling by these thresholds."""
    return counts * ((keep + 1.0) / 2.0**32)


@jit()
def draw_keep(rng: NDArray[np.uint64], keep: NDArray[np.uint32], word: int) -> bool:
    """Decide with one draw whether this occurrence of ``word`` survives subsampling."""
    return (next_u64(rng) >> SHIFT_32) <= np.uint64(keep[word])  # type: ignore[return-value]
