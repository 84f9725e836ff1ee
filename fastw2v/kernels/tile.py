"""The tile kernel, the default: tiles of centres that share noise words.

`tile_step` takes T consecutive centres with all their (centre, outside) pairs and N noise words that all T share. It
adds one stochastic gradient step for the sum of their losses. All gradients are at the values before the step. A
(centre i, noise word n) term has weight ``negative / N`` times the number of pairs of i whose outside word is not n.
Noise words are drawn as for the pair kernel, so the expected gradient is exactly the one with `negative` noise words
per pair. Tiles save memory traffic: per centre they touch one row of V, a little over one of U and N / T noise rows,
where the pair kernel touches 37. They also turn most of the arithmetic into three small matrix products (`simd`).

`tile_span` cuts the tokens of a worker into tiles, and `choose_tiling` chooses the size of tiles.
Their NumPy twins are in `reference.py` under the same names.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .composed import ROW_BUCKETS, compose, fitting_centres, spread
from .records import (
    LOSS,
    LOSS_PAIRS,
    PAIRS,
    TRAINED,
    Ahead,
    Model,
    Rate,
    Sampling,
    Shared,
    Text,
    Tile,
    Tiling,
    Worker,
)
from .sampling import SHIFT_32, draw_below, draw_noise, next_u64
from .simd import (
    COLUMNS_MULTIPLE,
    DOT_COLUMNS,
    DOT_ROWS,
    LANES,
    PRODUCT_ROWS,
    ROWS_MULTIPLE,
    Band,
    Dense,
    Picked,
    Rows,
    add_products,
    at,
    block_dots,
    find,
    gather_rows,
    prefetch_row,
    put,
    row_between,
    row_load,
    row_mul,
    row_sigmoid,
    row_softplus,
    row_splat,
    row_store,
    row_sum,
    set_products,
    transpose_rows,
)
from .spans import PIECE, next_block, sentence_of

#: The loss is computed for one tile in LOSS_EVERY, because it takes a logarithm per term, which no gradient needs.
LOSS_EVERY = 16
SPARE = 32  # Vectors may read or write this many elements past the last one in use.
AT_ONCE = 8
GROUP = max(DOT_ROWS, PRODUCT_ROWS)  # The pairs of this many centres are one block of the band.
MOST_BASE = 2**30  # See `composed.fitting_centres`.
BUCKETS = 1024  # Words whose ids are equal modulo this may be the same word; only those are compared.


#: Tile sizes of choose_tiling, largest first, and the noise words that the centres of any of them share.
CENTRES, SHARED = (16, 8), 24
#: Noise words that composed centres share. Beside the time that composing takes, these additional ones cost little.
COMPOSED_SHARED = 48
#: The largest mean load of a tile on a row, see `choose_tiling`; a single tile may load it twice as much.
MOST_LOAD = 2.5
#: There are at most as many strips as a centre has terms in the pair kernel, divided by this: more would be no faster.
MOST_STRIPS = 10
#: The least number of tiles in a run: a small corpus needs many small steps.
LEAST_TILES = 2048


def choose_tiling(
    kept: NDArray[np.float64],
    weights: NDArray[np.float64],
    window: int,
    negative: int,
    alpha: float,
    trained: float = np.inf,
    crowd: float | None = None,
) -> Tiling | None:
    """Choose the tiling for a vocabulary by the load that it puts on a row; None means that only the pair kernel fits.

    A tile sums, for each row, the gradients of many terms at one place, where the pair kernel moves after every term.
    A short sum is as good. A long one moves the row too far, and it diverges. The load of a row is the rate times the
    expected weight of the terms summed into it:

    - centre rows: ``alpha P (1 + negative) (1 + (T - 1) p)``, with P mean pairs of a centre in a pass: window + 1 in
      one, half in each of two, at most 2 window / strips in the nearest of more; and p the most frequent word's share
      of the kept tokens;
    - noise rows: ``alpha T P negative / N (1 + (N - 1) q)``, with q the most frequent noise word's share;
    - outside rows: ``alpha P (1 + (T - 1) p)``, below the first.

    Composed centre vectors share rows. Centre j moves the vector of i by K_ij times its own gradient,
    ``K_ij = sum of share_ik over the parts k of i that j has too``, and K_ii is 1. So the load on the vector of i is
    ``alpha P (1 + negative) (1 + (T - 1) sum_j K_ij p_j)``, with p_j the share of word j. For words alone K is the
    identity, and this is the first of the loads above. `composition.crowd_of` computes the largest of these sums. Words
    that are alike come in bursts, too: `composed.fitting_centres` bounds what a single tile loads on them.

    The rule takes the fewest strips, at most one per distance, and then the largest T of `CENTRES`, such that each load
    is within `MOST_LOAD` and the run has `LEAST_TILES`. If none fits, the corpus or vocabulary is tiny, or the rate is
    extreme. Words can come in bursts: `copies` keeps each from loading its row with more than twice `MOST_LOAD`. The
    measurements behind this are in ``bench/NOTES.md``.

    Args:
        kept: float64 ``(n_words,)``, expected occurrences of each word after subsampling, any scale.
        weights: float64 ``(n_words,)``, the weights noise words are drawn by, any scale.
        window: see `TrainConfig`.
        negative: see `TrainConfig`.
        alpha: the largest learning rate of the run.
        trained: tokens that the run will train, over all epochs, after subsampling.
        crowd: the largest ``sum_j K_ij p_j`` of composed centre vectors; None for words alone.
    """
    p, q = (float(each.max() / each.sum()) if each.any() else 1.0 for each in (kept, weights))
    others, shared = (p, SHARED) if crowd is None else (crowd, COMPOSED_SHARED)
    per_pair = alpha * (1 + negative)
    least = min(max(1, int(np.ceil(per_pair * (window + 1) / MOST_LOAD))), 2 * window)
    most = min(max(least, (window + 1) * (1 + negative) // MOST_STRIPS), 2 * window)
    for strips in range(least, most + 1):
        pairs = (window + 1) / strips if strips <= 2 else 2 * window / strips
        copies = max(1, int(min(2 * MOST_LOAD / (per_pair * pairs), CENTRES[0])))
        for centres in CENTRES:
            on_centre = per_pair * pairs * (1 + (centres - 1) * others)
            on_noise = alpha * centres * pairs * negative / shared * (1 + (shared - 1) * q)
            if max(on_centre, on_noise) <= MOST_LOAD and centres * LEAST_TILES <= trained:
                return Tiling(centres, shared, strips, copies)
    return None


def tile_scratch(centres: int, contexts: int, shared: int, width: int) -> tuple[int, int]:
    """Return how many float32 and int32 elements of scratch `tile_step` needs, for tiles up to these sizes."""
    rows = centres + ROWS_MULTIPLE
    noise_columns = shared + LANES - shared % LANES
    copies = (rows + contexts + COLUMNS_MULTIPLE + noise_columns) * width + noise_columns * (width + LANES)
    factors = rows * noise_columns + rows * (contexts + COLUMNS_MULTIPLE + SPARE) + SPARE
    return copies + factors, 2 * (max(rows, contexts, shared) + SPARE)


def span_scratch(tiling: Tiling, window: int, width: int) -> tuple[int, int, int]:
    """Return the elements of ``tokens``, ``integers`` and ``floats`` that `tile_span` needs."""
    centres, shared = tiling.centres, tiling.shared
    floats, integers = tile_scratch(centres, centres + 2 * window, shared, width)
    room = 2 * PIECE + 2 * window + SPARE
    floats += (centres + 1) * shared + 2 * SPARE + centres * width
    return room, 2 * room + 3 * centres + BUCKETS + ROW_BUCKETS + integers, floats


@jit(borrows=True)
def tile_step(
    model: Model,
    tile: Tile,
    shared: Shared,
    alpha: np.float32,
    want_loss: bool,
    ahead: Ahead,
    floats: NDArray[np.float32],
    integers: NDArray[np.int32],
) -> float:
    """Take one gradient step for all pairs of a tile and its weighted noise terms, and return the loss before it.

    The loss is ``sum over pairs of -log sigma(u_o.v_c)  -  sum over i, n of weights[i, n] log sigma(-u_n.v_i)``. V and
    U get minus alpha times its gradient, all of it at the values before the step. A row that stands in the tile
    several times gets the sum.

    The pairs are a band in the matrix of centres (rows i) and outside words (columns j), since windows move on with
    the centres. With T = 8 and a window of 2 (o is a pair, c the centre itself, which is no pair)::

              j  0  1  2  3  4  5  6  7  8  9 10 11
        i = 0    o  o  c  o  o  .  .  .                 The windows of a group of GROUP centres, here 4, lie in
            1    .  o  o  c  o  o  .  .                 a block of `span` columns. Each block is one product of
            2    .  .  o  o  c  o  o  .                 all its centres and words. Dots and c, which are no
            3    .  .  .  o  o  c  o  o                 pairs, then get the factor 0.
            4                o  o  c  o  o  .  .  .
            5                .  o  o  c  o  o  .  .     The next group's block begins 4 columns to the right.
            6                .  .  o  o  c  o  o  .     In scratch, pair (i, j) is at ``band + i * pitch + j``.
            7                .  .  .  o  o  c  o  o

    Args:
        model: V and U, updated in place.
        tile: centres and outside words.
        shared: noise words and their weights.
        alpha: learning rate.
        want_loss: compute the loss; otherwise return 0.0.
        ahead: the rows to prefetch.
        floats: scratch, at least as long as `tile_scratch` returns.
        integers: scratch, likewise.
    """
    V, vector_size = model.V, model.vector_size
    T, C, N, width = len(tile.centres), len(tile.contexts), len(shared.negatives), V.shape[1]
    chunks = (vector_size + LANES - 1) // LANES
    lines = (vector_size + 15) // 16
    rows = (T + ROWS_MULTIPLE - 1) // ROWS_MULTIPLE * ROWS_MULTIPLE
    Vs, Us = V.reshape(-1), model.U.reshape(-1)
    pitch_n = (N + LANES - 1) // LANES * LANES
    # Scratch: copies of the rows as they are, those of noise words also transposed; then logits of noise terms
    # (rows, pitch_n) and of pairs (rows, pitch).
    outside = rows * width
    noise_at = outside + (C + DOT_COLUMNS) * width
    across = noise_at + pitch_n * width
    logits = across + (vector_size + LANES) * pitch_n
    band = logits + rows * pitch_n
    half = len(integers) // 2
    begins, counts = integers[:half], integers[half:]

    # A band holds all pairs: outside word j is paired with centre i only if 0 <= j - i - shift < reach. All blocks have
    # the same length, so that the processor predicts the end of every loop. Pair (i, j) is at band + i pitch + j. Since
    # windows move on with i, a pitch a little above the length of a block keeps rows apart, with zeros between them.
    shift: Any = C
    end: Any = -T
    for i in range(T):
        if at(tile.first, i) < at(tile.last, i):
            shift = min(shift, np.int64(at(tile.first, i)) - i)
            end = max(end, np.int64(at(tile.last, i)) - i)
    reach = max(end - shift, 0)
    span = min(reach + GROUP - 1, C) if reach > 0 else 0
    columns = (span + DOT_COLUMNS - 1) // DOT_COLUMNS * DOT_COLUMNS
    pitch = (columns + LANES - 1) // LANES * LANES + LANES
    low: Any
    for i in range(0, rows, GROUP):
        low = min(max(i + shift, 0), C - span)
        for m in range(i, i + GROUP, PRODUCT_ROWS):
            put(begins, m, low)
            put(counts, m, span)

    V_rows, U_rows = Rows(Vs, 0, width), Rows(Us, 0, width)
    own_copy, noise_copy = Rows(floats, 0, width), Rows(floats, noise_at, width)
    gather_rows(own_copy, V_rows, Picked(tile.centres, 0, T), chunks)
    gather_rows(Rows(floats, outside, width), U_rows, Picked(tile.contexts, 0, C), chunks)
    gather_rows(noise_copy, U_rows, Picked(shared.negatives, 0, N), chunks)
    for k in range(T * width, rows * width, LANES):
        row_store(floats, k, row_splat(np.float32(0)))
    for k in range(band, band + rows * pitch + C + LANES, LANES):
        row_store(floats, k, row_splat(np.float32(0)))

    # All logits come first: a register waits if its parts were just stored one by one.
    transposed = Rows(floats, across, pitch_n)
    transpose_rows(transposed, noise_copy, N, vector_size)
    set_products(Rows(floats, logits, pitch_n), own_copy, rows, transposed, vector_size, pitch_n // LANES)
    if columns > 0:
        for i in range(0, rows, DOT_ROWS):
            low = np.int64(at(begins, i // GROUP * GROUP))
            block_dots(
                Rows(floats, i * width, width), DOT_ROWS, Rows(floats, outside + low * width, width), columns,
                Rows(floats, band + i * pitch + low, pitch), chunks,
            )  # fmt: skip
            for m in range(i, min(i + DOT_ROWS, ahead.centres)):
                prefetch_row(Vs, np.int64(at(ahead.tokens, m)) * width, lines)
            for m in range(2 * i, min(2 * (i + DOT_ROWS), len(ahead.negatives))):
                prefetch_row(Us, np.int64(at(ahead.negatives, m)) * width, lines)
    # The factors of the gradient: 0 where there is no pair.
    loss = 0.0
    for i in range(rows):
        row_start = band + i * pitch
        low = np.int64(at(begins, i // GROUP * GROUP))
        begin: Any = np.int64(at(tile.first, i)) if i < T else 0
        end = np.int64(at(tile.last, i)) if i < T else 0
        for k in range(low, low + columns, LANES):
            x = row_mul(row_splat(np.float32(-1)), row_load(floats, row_start + k))
            if want_loss:
                loss += row_sum(row_between(row_softplus(x), k, begin, end, tile.skip + i))
            g = row_mul(row_splat(alpha), row_sigmoid(x))
            row_store(floats, row_start + k, row_between(g, k, begin, end, tile.skip + i))
    for i in range(rows):
        for k in range(0, N, LANES):
            x = row_load(floats, logits + i * pitch_n + k)
            w = row_load(shared.weights, i * N + k) if i < T else row_splat(np.float32(0))
            if want_loss:
                loss += row_sum(row_between(row_mul(w, row_softplus(x)), k, 0, N, -1))
            row_store(floats, logits + i * pitch_n + k, row_mul(row_mul(row_splat(-alpha), w), row_sigmoid(x)))

    # V gets sums over outside and noise words. U has not changed yet; it gets its sums from the copies.
    for i in range(0, T, AT_ONCE):
        add_products(
            V_rows, Picked(tile.centres, i, min(T - i, AT_ONCE)),
            Rows(floats, outside, width), Band(floats, band + i * pitch, pitch, 1, begins, counts, i),
            noise_copy, Dense(floats, logits + i * pitch_n, pitch_n, 1, N), chunks,
        )  # fmt: skip
        known = max(len(ahead.tokens) - T, 0)  # The first are outside words of this tile, too.
        for m in range(known + i, min(known + i + AT_ONCE, len(ahead.tokens))):
            prefetch_row(Us, np.int64(at(ahead.tokens, m)) * width, lines)
    # U gets sums for noise words, then for outside words: two at a time, over the centres that have one of them.
    for n in range(0, N, PRODUCT_ROWS):
        put(begins, n, 0)
        put(counts, n, 0)
    add_products(
        U_rows, Picked(shared.negatives, 0, N), own_copy, Band(floats, band, 0, 0, begins, counts, 0),
        own_copy, Dense(floats, logits, 1, pitch_n, T), chunks,
    )  # fmt: skip
    for j in range(0, C, PRODUCT_ROWS):
        low = max(j - shift - reach + 1, 0)
        put(begins, j, low)
        put(counts, j, max(min(j + PRODUCT_ROWS - shift, T) - low, 0))
    add_products(
        U_rows, Picked(tile.contexts, 0, C), own_copy, Band(floats, band, 1, pitch, begins, counts, 0),
        own_copy, Dense(floats, logits, 0, 0, 0), chunks,
    )  # fmt: skip
    return loss


@jit(borrows=True)
def read_block(
    text: Text,
    sentence: int,
    start: int,
    stop: int,
    sampling: Sampling,
    worker: Worker,
    left: NDArray[np.int32],
    right: NDArray[np.int32],
) -> tuple[int, int, int]:
    """Read a block of the corpus: find the tokens that survive subsampling, and the window of each.

    It writes the survivors of ``[start, stop)`` to ``tokens[window:centres_end]``. If the block starts or stops within
    a sentence, it puts up to ``window`` survivors of the other part before and after them, as outside words.

    Args:
        text: the whole corpus.
        sentence: the sentence that holds token ``start``.
        start: first token position.
        stop: one past the last token position, at most `PIECE` * 2 later.
        sampling: thresholds and window; the reach of each centre is drawn uniformly from 1..window.
        worker: its stream, and ``tokens``, shape ``(>= 2 PIECE + 2 window + 1,)``.
        left: for centre ``tokens[i]``, ``left[i]`` is the first position of its window; same shape.
        right: one past the last position of its window.

    Returns:
        First position in ``tokens`` in use, one past the last centre, one past the last position in use.
    """
    ids, offsets, rng, tokens, keep, window = (
        text.ids, text.offsets, worker.rng, worker.tokens, sampling.keep, sampling.window,
    )  # fmt: skip
    low = window
    i, begin = start, offsets[sentence]
    n: Any = window
    end: Any
    while i > begin and low > 0:
        i -= 1
        if (next_u64(rng) >> SHIFT_32) <= np.uint64(at(keep, at(ids, i))):
            low -= 1
            put(tokens, low, at(ids, i))
    position, sentence_start = start, low
    high: Any = n
    while position < stop:
        while offsets[sentence + 1] <= position:
            sentence += 1
        end = min(stop, offsets[sentence + 1])
        centre = n
        for k in range(position, end):
            word = at(ids, k)
            put(tokens, n, word)  # The next word overwrites this one if it is dropped.
            n += (next_u64(rng) >> SHIFT_32) <= np.uint64(at(keep, word))
        high = n
        if end == stop:
            k = end
            while k < offsets[sentence + 1] and high < n + window:
                word = at(ids, k)
                put(tokens, high, word)
                high += (next_u64(rng) >> SHIFT_32) <= np.uint64(at(keep, word))
                k += 1
        for k in range(centre, n):
            reach = window - draw_below(rng, window)
            put(left, k, max(sentence_start, k - reach))
            put(right, k, min(high, k + reach + 1))
        position, sentence_start = end, n
    return low, n, high


@jit(borrows=True)
def tile_span(
    text: Text, start: int, stop: int, model: Model, sampling: Sampling, tiling: Tiling, rate: Rate, worker: Worker
) -> None:
    """Train every token in ``[start, stop)`` as a centre, once, tile by tile.

    If the cuts come from `spans.cut`, the result depends on the tokens and the random stream alone, not on the cuts: no
    tile reaches across a place where a cut may stand.

    Args:
        text: the whole corpus.
        start: first token position.
        stop: one past the last token position.
        model: see `tile_step`; updated in place.
        sampling: noise words, subsampling and window.
        tiling: size of the tiles.
        rate: learning rate by token position.
        worker: its stream, scratch as `parallel.Workers` makes it, and tally. The loss is that of every tile in
            `LOSS_EVERY` or fewer, from a random one on, and stands for all of them.
    """
    rng, tokens, negatives, tally = worker.rng, worker.tokens, worker.negatives, worker.tally
    integers, floats, noise, window = worker.integers, worker.floats, sampling.noise, sampling.window
    centres, shared, strips, copies = tiling
    room = 2 * PIECE + 2 * window + SPARE
    left, right = integers[:room], integers[room : 2 * room]
    first, last = integers[2 * room : 2 * room + centres], integers[2 * room + centres : 2 * room + 2 * centres]
    seen = integers[2 * room + 2 * centres : 2 * room + 2 * centres + BUCKETS]
    step_integers = integers[2 * room + 2 * centres + BUCKETS :]
    weights = floats[: centres * shared + SPARE]
    multiplicity = floats[centres * shared + SPARE : (centres + 1) * shared + 2 * SPARE]
    step_floats = floats[(centres + 1) * shared + 2 * SPARE :]
    # Composed centre vectors are the rows of a small matrix H of their own, which a step updates in place of V.
    width, composed = model.V.shape[1], len(model.part_offsets) > 0
    H = floats[len(floats) - centres * width :].reshape(centres, width)
    before = step_floats[: centres * width].reshape(centres, width)
    composed_model = Model(H, model.U, model.vector_size, model.part_offsets, model.part_rows, model.part_shares)
    own_rows, met = integers[len(integers) - centres :], integers[len(integers) - centres - ROW_BUCKETS :]
    for k in range(centres):
        put(own_rows, k, k)
    per_pair = np.float32(sampling.negative) / np.float32(shared)
    for k in range(BUCKETS):
        put(seen, k, 0)
    base: Any = np.int64(MOST_BASE)

    sentence = sentence_of(text.offsets, start)
    position = start
    while position < stop:
        while text.offsets[sentence + 1] <= position:
            sentence += 1
        end = min(next_block(text.offsets, sentence, position), stop)
        low, n, high = read_block(text, sentence, position, end, sampling, worker, left, right)
        alpha = np.float32(rate.alpha + rate.step * position)
        every = min(max((n - window) * strips // centres // 4, 1), LOSS_EVERY)
        turn = draw_below(rng, every)
        now, later = 0, shared
        for k in range(shared):
            put(negatives, k, draw_noise(rng, noise))
        c = window
        while c < n:
            # The tile has as many centres as fit, before a word comes too often.
            T: Any = 0
            if composed:
                base += centres
                if base > MOST_BASE:
                    base = np.int64(0)
                    for k in range(ROW_BUCKETS):
                        put(met, k, 0)
                T = fitting_centres(model, tokens[c : min(c + centres, n)], copies, met, base)
            else:
                for k in range(c, min(c + centres, n)):
                    bucket = np.int64(at(tokens, k)) % BUCKETS
                    if at(seen, bucket) == copies:
                        break
                    put(seen, bucket, at(seen, bucket) + 1)
                    T += 1
                for k in range(T):
                    put(seen, np.int64(at(tokens, c + k)) % BUCKETS, 0)
            for strip in range(strips):
                for k in range(shared):
                    put(negatives, later + k, draw_noise(rng, noise))
                # A strip has the distances from `near` on and below `far`. All strips have -window..-1, 1..window.
                near, far = 2 * window * strip // strips - window, 2 * window * (strip + 1) // strips - window
                near, far = near + (near >= 0), far + (far > 0)
                low_context, high_context = max(low, c + near), min(high, c + T - 1 + far)
                C: Any = high_context - low_context
                pairs = 0
                for k in range(0, shared, LANES):
                    row_store(multiplicity, k, row_splat(np.float32(0)))
                for k in range(shared):  # A word drawn m times counts m times in its first place.
                    bucket = np.int64(at(negatives, now + k)) % BUCKETS
                    place: Any = k
                    if at(seen, bucket) > 0:
                        place = find(negatives, now, shared, at(negatives, now + k))
                    put(seen, bucket, 1)
                    put(multiplicity, place, at(multiplicity, place) + np.float32(1))
                for i in range(T):
                    begin: Any = max(np.int64(at(left, c + i)), c + i + near)
                    begin = min(begin - low_context, max(C, 0))
                    finish: Any = min(np.int64(at(right, c + i)), c + i + far)
                    finish = max(finish - low_context, begin)
                    put(first, i, begin)
                    put(last, i, finish)
                    itself = c + i - low_context
                    of_centre = finish - begin - ((begin <= itself) & (itself < finish))
                    pairs += of_centre
                    for k in range(0, shared, LANES):
                        row = row_mul(row_splat(per_pair * np.float32(of_centre)), row_load(multiplicity, k))
                        row_store(weights, i * shared + k, row)
                if pairs > 0:
                    for j in range(C):  # An outside word is never its own noise word.
                        place = shared
                        if at(seen, np.int64(at(tokens, low_context + j)) % BUCKETS) > 0:
                            place = find(negatives, now, shared, at(tokens, low_context + j))
                        if place < shared:
                            share = per_pair * at(multiplicity, place)
                            middle = low_context + j - c
                            for i in range(max(0, middle - window), min(T, middle + window + 1)):
                                if at(first, i) <= j and j < at(last, i) and i != middle:
                                    put(weights, i * shared + place, at(weights, i * shared + place) - share)
                    want_loss = turn == 0
                    words, trained, rows = tokens[c : c + T], model, tokens[c : c + T]
                    n_ahead = min(T, n - c - T)
                    if composed:
                        compose(model, words, H)
                        trained, rows, n_ahead = composed_model, own_rows[:T], 0
                    loss = tile_step(
                        trained,
                        Tile(rows, tokens[low_context:high_context], first, last, c - low_context),
                        Shared(negatives[now : now + shared], weights),
                        alpha,
                        want_loss,
                        Ahead(
                            tokens[c + T : min(c + 2 * T + window, high)], negatives[later : later + shared], n_ahead
                        ),
                        step_floats,
                        step_integers,
                    )
                    if composed:
                        spread(model, words, H, before)
                    if want_loss:
                        tally[LOSS] += every * loss
                        tally[LOSS_PAIRS] += every * pairs
                    tally[PAIRS] += pairs
                for k in range(shared):
                    put(seen, np.int64(at(negatives, now + k)) % BUCKETS, 0)
                turn = turn - 1 if turn > 0 else every - 1
                now, later = later, now
            c += T
        tally[TRAINED] += n - window
        position = end
