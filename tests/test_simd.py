"""The LLVM-level code against NumPy: every intrinsic, from a user's own function, on every kind of processor."""

import ast
import os
import platform
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import numba
import numpy as np
import pytest
from llvmlite import binding
from numba.core.extending import _Intrinsic

from fastw2v.kernels import _jit, simd
from fastw2v.kernels.simd import (
    CHUNK,
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
    bits_between,
    block_dots,
    call_at,
    fetch_add,
    find,
    gather_rows,
    ones,
    prefetch,
    prefetch_row,
    put,
    row_add,
    row_between,
    row_fma,
    row_load,
    row_mul,
    row_sigmoid,
    row_softplus,
    row_splat,
    row_store,
    row_sum,
    set_products,
    spread_row,
    sum_rows,
    trailing_zeros,
    transpose_rows,
)

plain = numba.njit
ours = numba.njit(fastmath=set(_jit.FASTMATH), error_model="numpy", nogil=True)  # `_jit.jit`, but kept nowhere


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# ------------------------------------------------------------------------------------------------ the checks, by kind


def check_values(jit):
    @jit
    def values(x, y, z, start, scalar, out):
        a, b, c = row_load(x, start), row_load(y, start), row_load(z, start)
        row_store(out, start, a)
        row_store(out, start + LANES, row_splat(scalar))
        row_store(out, start + 2 * LANES, row_add(a, b))
        row_store(out, start + 3 * LANES, row_mul(a, b))
        row_store(out, start + 4 * LANES, row_fma(a, b, c))
        return row_sum(a)

    x, y, z = normal(3, 3 * LANES)
    for start in (0, 1, LANES + 3):  # memory need not be aligned
        out = np.full(9 * LANES, 7, np.float32)
        total = values(x, y, z, start, 0.1, out)
        a, b, c = (array[start : start + LANES] for array in (x, y, z))
        got = out[start : start + 5 * LANES].reshape(5, LANES)
        np.testing.assert_array_equal(got[:4], [a, np.full(LANES, 0.1, np.float32), a + b, a * b])
        np.testing.assert_allclose(got[4], a.astype(np.float64) * b + c, rtol=1e-6, atol=1e-6)
        assert total == pytest.approx(a.sum(dtype=np.float64), abs=1e-5)
        assert (out[:start] == 7).all()
        assert (out[start + 5 * LANES :] == 7).all()


def check_sigmoid_and_softplus(jit):
    @jit
    def both(x, sigmoid, softplus):
        for k in range(0, len(x), LANES):
            row_store(sigmoid, k, row_sigmoid(row_load(x, k)))
            row_store(softplus, k, row_softplus(row_load(x, k)))

    edges = [0.0, -0.0, 1e-45, -1e-45, 1e-30, 86.9, -86.9, 87.4, -87.4, 88.8, -88.8, 126 * np.log(2), -126 * np.log(2)]
    special = [np.nan, -np.nan, np.inf, -np.inf, 3e38, -3e38]
    x = np.concatenate([np.linspace(-100, 100, 200_001), np.linspace(-2, 2, 10_001), edges, special])
    x = np.concatenate([x, np.zeros(-len(x) % LANES)]).astype(np.float32)
    sigmoid, softplus = np.empty_like(x), np.empty_like(x)
    both(x, sigmoid, softplus)
    for got in (sigmoid, softplus):
        assert np.isnan(got[np.isnan(x)]).all()
    np.testing.assert_array_equal(sigmoid[x == np.inf], 1)
    np.testing.assert_array_equal(softplus[x == np.inf], np.inf)
    for got in (sigmoid, softplus):
        assert (got[x == -np.inf] < 2e-38).all()

    finite = np.isfinite(x)
    x, sigmoid, softplus = x[finite].astype(np.float64), sigmoid[finite], softplus[finite]
    e = np.exp(-np.abs(x))
    for got, exact in [(sigmoid, np.where(x < 0, e, 1) / (1 + e)), (softplus, np.maximum(x, 0) + np.log1p(e))]:
        np.testing.assert_allclose(got[x > -87], exact[x > -87], rtol=6e-6)
        np.testing.assert_allclose(got[np.abs(x) < 8], exact[np.abs(x) < 8], rtol=1e-6)  # where training happens
        np.testing.assert_allclose(got[x <= -87], exact[x <= -87], rtol=0, atol=2e-38)
        assert (got >= 0).all()
    assert (sigmoid <= 1).all()
    assert (sigmoid[x == 0] == 0.5).all()
    assert (sigmoid[x > 100] == 1).all()


def check_between(jit):
    @jit
    def between(x, index, low, high, skip, out):
        row_store(out, 0, row_between(row_load(x, 0), index, low, high, skip))

    out = np.empty(LANES, np.float32)
    lane = np.arange(LANES)
    for index, low, length, skip in product([0, 5], [-3, 0, 4, 9], [-1, 0, 1, 6, 40], [-9, 5, 7]):
        place = index + lane
        used = (place >= low) & (place < low + length) & (place != skip)
        x = np.where(used, 1.0 + lane, np.nan).astype(np.float32)  # unused lanes may hold anything
        between(x, index, low, low + length, skip, out)
        np.testing.assert_array_equal(out, np.where(used, x, 0))


def check_elements(jit):
    @jit
    def move(source, i, target, j):
        put(target, j, at(source, i))
        return at(source, np.int32(i))

    kinds = [np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64]
    for kind in kinds:
        source, target = np.arange(1, 9).astype(kind), np.zeros(8, kind)
        source[3] = np.iinfo(kind).max if kind not in (np.float32, np.float64) else 1 / 3
        assert move(source, 3, target, 5) == source[3]
        np.testing.assert_array_equal(target, [0, 0, 0, 0, 0, source[3], 0, 0])
    for source, target in [(np.float32, np.int32), (np.int32, np.float32), (np.int64, np.int32)]:
        converted = np.zeros(2, target)
        move(np.array([-3, 7], source), 0, converted, 1)
        assert converted.tolist() == [0, -3]


def check_fetch_add(jit):
    @numba.njit(parallel=True)
    def count(taken, rounds):
        for _w in numba.prange(4):
            for _ in range(rounds):
                fetch_add(taken, 1, 2)

    taken = np.array([7, 5, 7])
    count(taken, 10_000)
    assert taken.tolist() == [7, 5 + 2 * 4 * 10_000, 7]

    @jit
    def take(taken):
        return fetch_add(taken, 2, -1)

    assert take(taken) == 7
    assert taken[2] == 6


def check_find(jit):
    @jit
    def search(array, start, n, x):
        return find(array, start, n, x)

    array = np.array([9, 8, 5, -1, 5, 2**31 - 1, -(2**31), 3, 4, 6, 7, 9, 1, 0, 5, 8], np.int32)
    for start, n in product(range(4), (0, 4, 8, 12)):
        part = array[start : start + n].tolist()
        for x in {*array.tolist(), 77}:
            assert search(array, start, n, x) == (part.index(x) if x in part else n)
            assert search(array, start, n, np.int32(x)) == (part.index(x) if x in part else n)


def check_bits(jit):
    @jit
    def compared(text, start, low, high):
        prefetch(text, start)  # asks for memory, changes nothing
        return bits_between(text, start, low, high)

    @jit
    def counted(bits):
        return trailing_zeros(bits), ones(bits)

    text = np.random.default_rng(0).permutation(np.tile(np.arange(256, dtype=np.uint8), 2))
    for start, (low, high) in product([0, 1, 33, 200], [(0, 0), (9, 13), (32, 32), (100, 200), (127, 128), (255, 255)]):
        chunk = text[start : start + CHUNK]
        inside = (low <= chunk) & (chunk <= high)
        assert int(compared(text, start, low, high)) == sum(1 << int(i) for i in np.flatnonzero(inside))
    for bits in (1, 2, 3, 0xF0, 1 << 63, (1 << 64) - 1, 0x8000_0001_0000_0000):
        assert counted(np.uint64(bits)) == ((bits & -bits).bit_length() - 1, bits.bit_count())


def check_gather(jit):
    @jit
    def gather(target, start, source, width, ids, id_start, n, chunks):
        prefetch_row(source, 0, 2)  # asks for memory, changes nothing
        gather_rows(Rows(target, start, width), Rows(source, 0, width), Picked(ids, id_start, n), chunks)

    width = 48
    source, ids = normal(9, width), np.array([3, 8, 0, 0, 5], np.int32)
    for start, id_start, n, chunks in product([0, 7], [0, 2], [0, 1, 3], [1, 48 // LANES]):
        target = np.full((6, width), 7, np.float32)
        gather(target.reshape(-1), start, source.reshape(-1), width, ids, id_start, n, chunks)
        expected = np.full((6, width), 7, np.float32)
        for i in range(n):
            begin = start + i * width
            expected.reshape(-1)[begin : begin + chunks * LANES] = source[ids[id_start + i], : chunks * LANES]
        np.testing.assert_array_equal(target, expected)
    np.testing.assert_array_equal(source, normal(9, width))


def check_picked_sums(jit):
    """Up to three blocks of registers, with a last one that is shorter; a row may be picked twice."""

    @jit
    def summed(target, start, source, width, ids, id_start, n, shares, chunks):
        sum_rows(Rows(target, start, width), Rows(source, 0, width), Picked(ids, id_start, n), shares, chunks)

    @jit
    def spread(out, width, ids, id_start, n, now, before, start, chunks):
        picked = Picked(ids, id_start, n)
        spread_row(Rows(out, 0, width), picked, Rows(now, start, width), Rows(before, start, width), chunks)

    most = 60
    width = most * LANES
    source, now, before = normal(9, width), normal(2, width) + 1, normal(2, width) - 1
    ids, shares = np.array([3, 8, 0, 0, 5], np.int32), normal(1, 5)[0]
    for start, id_start, n, chunks in product([0, width], [0, 2], [0, 1, 3], [1, 2, 13, 14, 27, 40, most]):
        used, picked = slice(chunks * LANES), ids[id_start : id_start + n]
        target = np.full((2, width), 7, np.float32)
        expected = target.copy()
        expected[start // width, used] = (shares[id_start : id_start + n, None] * source[picked, used]).sum(axis=0)
        summed(target.reshape(-1), start, source.reshape(-1), width, ids, id_start, n, shares, chunks)
        np.testing.assert_allclose(target, expected, rtol=0, atol=1e-5)
        out, expected = source.copy(), source.copy()
        for row in picked:
            expected[row, used] += now[start // width, used] - before[start // width, used]
        spread(out.reshape(-1), width, ids, id_start, n, now.reshape(-1), before.reshape(-1), start, chunks)
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-5)


def check_dots(jit):
    @jit
    def dots(A, a_start, rows, B, b_start, n, C, c_start, c_stride, width, chunks):
        block_dots(Rows(A, a_start, width), rows, Rows(B, b_start, width), n, Rows(C, c_start, c_stride), chunks)

    assert ROWS_MULTIPLE % DOT_ROWS == COLUMNS_MULTIPLE % DOT_COLUMNS == 0
    sizes = {(DOT_ROWS, DOT_COLUMNS), (ROWS_MULTIPLE, COLUMNS_MULTIPLE), (2 * ROWS_MULTIPLE, 3 * COLUMNS_MULTIPLE)}
    for rows, n in sorted(sizes):
        for width, columns in [(16, LANES), (16, 16), (112, 100), (112, 112), (304, 300), (1008, 1000)]:
            chunks, start = -(-columns // LANES), rows % 3
            A, B = normal(rows * width + 3, seed=1), normal(n * width + 3, seed=2)
            C = np.full((rows, n + 5), 7, np.float32)
            dots(A, start, rows, B, 2, n, C.reshape(-1), 4, n + 5, width, chunks)
            A, B = A[start:][: rows * width].reshape(rows, width), B[2:][: n * width].reshape(n, width)
            used = slice(0, chunks * LANES)
            np.testing.assert_allclose(
                C[:, 4 : 4 + n], A[:, used].astype(np.float64) @ B[:, used].T.astype(np.float64), rtol=1e-5, atol=2e-5
            )
            assert (C[:, :4] == 7).all()
            assert (C[:, 4 + n :] == 7).all()


def check_transpose(jit):
    @jit
    def transpose(target, start, stride, source, source_start, width, n, columns):
        transpose_rows(Rows(target, start, stride), Rows(source, source_start, width), n, columns)

    for n, columns in product([1, LANES, LANES + 1, 24, 36], [1, 15, 16, 100]):
        rows, used = (-(-size // LANES) * LANES for size in (n, columns))
        width, stride = used + 3, rows + 5
        source, target = normal(rows * width + 2), np.full(used * stride + 4, 7, np.float32)
        transpose(target, 4, stride, source, 2, width, n, columns)
        got = target[4:].reshape(used, stride)
        np.testing.assert_array_equal(got[:, :rows], source[2:].reshape(rows, width)[:, :used].T)
        assert (target[:4] == 7).all()
        assert (got[:, rows:] == 7).all()


def check_set_products(jit):
    @jit
    def products(C, c, c_stride, A, a, a_stride, rows, B, b, b_stride, terms, chunks):
        set_products(Rows(C, c, c_stride), Rows(A, a, a_stride), rows, Rows(B, b, b_stride), terms, chunks)

    for rows, terms, chunks in product([ROWS_MULTIPLE, 3 * ROWS_MULTIPLE], [1, 2, 15, 100], [1, 2, 3, 4, 7, 13]):
        columns = chunks * LANES
        A, B = normal(rows, terms + 2, seed=1), normal(terms, columns + 3, seed=2)
        C = np.full((rows, columns + 5), 7, np.float32)
        products(C.reshape(-1), 3, columns + 5, A.reshape(-1), 1, terms + 2, rows, B.reshape(-1), 2, columns + 3,
                 terms, chunks)  # fmt: skip
        expected = A[:, 1 : 1 + terms].astype(np.float64) @ B[:, 2 : 2 + columns]
        np.testing.assert_allclose(C[:, 3 : 3 + columns], expected, rtol=1e-5, atol=2e-5)
        assert (C[:, :3] == 7).all()
        assert (C[:, 3 + columns :] == 7).all()


def check_products(jit):
    @jit
    def products(out, ids, id_start, n, width, B, b, F, f, f_row, f_term, first, count, band, D, d, G, g, g_row, g_term,
                 terms, chunks):  # fmt: skip
        add_products(
            Rows(out, 0, width), Picked(ids, id_start, n),
            Rows(B, b, width), Band(F, f, f_row, f_term, first, count, band),
            Rows(D, d, width), Dense(G, g, g_row, g_term, terms), chunks,
        )  # fmt: skip

    rng = np.random.default_rng(0)
    most = 20
    for n, terms, (width, columns), transposed, empty in product(
        [1, 2, 3, 8, 9], [0, 1, 12], [(16, 1), (112, 100), (304, 300), (1008, 1000)], [False, True], [False, True]
    ):
        if width > 112 and n > 3:
            continue
        chunks, pairs = -(-columns // LANES), -(-n // PRODUCT_ROWS)
        ids = np.array([6, *rng.integers(0, 5, n)], np.int32)  # id_start is 1; rows are met again
        B, D = normal(most + 1, width, seed=3), normal(terms + 1, width, seed=4)
        F, G = normal(pairs * 2, most, seed=5), normal(pairs * 2, terms + 1, seed=6)
        F[n:], G[n:] = 0, 0
        first, count = np.full((2, 2 + 2 * pairs), -99, np.int32)  # band_start is 2
        for i in range(0, 2 * pairs, 2):
            first[2 + i] = rng.integers(0, most)
            count[2 + i] = 0 if empty else rng.integers(0, most - first[2 + i] + 1)
            outside = np.r_[0 : first[2 + i], first[2 + i] + count[2 + i] : most]
            F[i : i + 2, outside] = np.nan  # never looked at
        out = normal(7, width, seed=7)
        expected = out.astype(np.float64)
        used = slice(0, chunks * LANES)
        for i in range(n):
            begin = first[2 + i // 2 * 2]
            band = range(begin, begin + count[2 + i // 2 * 2])
            expected[ids[1 + i], used] += F[i, band].astype(np.float64) @ B[band, used]
            expected[ids[1 + i], used] += G[i, :terms].astype(np.float64) @ D[:terms, used]
        steps = []
        for M in (F, G):
            steps.append((np.ascontiguousarray(M.T), 1, len(M)) if transposed else (M, M.shape[1], 1))
        (F, f_row, f_term), (G, g_row, g_term) = steps
        products(
            out.reshape(-1), ids, 1, n, width, B.reshape(-1), 0, F.reshape(-1), 0, f_row, f_term, first, count, 2,
            D.reshape(-1), 0, G.reshape(-1), 0, g_row, g_term, terms, chunks,
        )  # fmt: skip
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=2e-5)
        np.testing.assert_array_equal(out[5:], normal(7, width, seed=7)[5:])


def check_rows_are_values(jit):
    """A Row is an argument, a result, part of a tuple, carried by loops and chosen by branches."""

    @jit
    def twice(row):
        return row_add(row, row)

    @jit
    def swapped(pair):
        return pair[1], pair[0]

    @jit
    def use(x, n, out):
        total = row_splat(0)
        for k in range(n):
            row = row_load(x, k * LANES)
            if k % 2 == 1:
                row = twice(row)
            total = row_add(total, row)
        first, second = swapped((total, row_load(x, 0)))
        row_store(out, 0, first)
        row_store(out, LANES, second)

    x = np.arange(5 * LANES, dtype=np.float32)
    for n in (0, 1, 4, 5):
        out = np.zeros(2 * LANES, np.float32)
        use(x, n, out)
        rows = x.reshape(5, LANES)
        np.testing.assert_array_equal(out[:LANES], rows[0])
        np.testing.assert_array_equal(out[LANES:], (rows[:n] * (1 + np.arange(n) % 2)[:, None]).sum(0))


def check_call_by_address(jit):
    @jit
    def kernel(x, n, scale, out):
        for k in range(n):
            out[k, 0] = scale * x[k]

    @jit
    def use(address, x, scale, out):
        for w in range(len(out)):
            call_at(address, (x, w + 1, scale, out[w]))

    x, out = np.arange(1, 4), np.zeros((3, 3, 2), np.float32)
    address = simd.address_of(kernel, x, 0, 0.5, out[0])
    assert simd.address_of(kernel, x, 7, 1.5, out[1]) == address
    assert len(kernel.overloads) == 1
    use(address, x, 0.5, out)
    np.testing.assert_array_equal(out[:, :, 0], np.tril(np.tile(0.5 * x, (3, 1))))
    assert not out[:, :, 1].any()


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("jit", [pytest.param(plain, marks=pytest.mark.slow), ours], ids=["plain", "ours"])
@pytest.mark.parametrize("check", CHECKS)
def test_intrinsics(check, jit):
    """For a user's ``@njit`` and with this package's flags: ``reassoc`` is allowed to break what relies on rounding."""
    check(jit)


def test_every_intrinsic_is_documented_and_checked():
    names = [name for name, value in vars(simd).items() if isinstance(value, _Intrinsic)]
    assert len(names) > 15
    source = Path(__file__).read_text()
    for name in names:
        assert re.search(rf"(?<!def )\b{name}\(", source), name
        assert simd.__doc__.count(name) or name == "call_at", name
        assert getattr(simd, name).__doc__, name


def test_nothing_else_knows_of_llvm():
    for path in Path(simd.__file__).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
                assert path.name == "simd.py" or not any(name.startswith("llvmlite") for name in names), path


# -------------------------------------------------------------------------------------------------- kinds of processors

X86 = platform.machine().lower() in ("x86_64", "amd64")
HOST = {name for name, there in binding.get_host_cpu_features().items() if there}
AVX2 = "+cmov,+cx8,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt"
AVX512 = f"{AVX2},+avx512f,+avx512vl,+avx512bw,+avx512dq,+avx512cd"
x86_only = pytest.mark.skipif(not X86, reason="a kind of x86 processor")


@pytest.mark.parametrize(
    ("features", "lanes", "registers"),
    [("+sse2", 4, 16), ("", 4, 16), ("+avx", 8, 16), (AVX2, 8, 16), (AVX512, 16, 32), ("+avx,+avx512f", 16, 16)],
)
@x86_only
def test_the_shape_follows_the_features(monkeypatch, features, lanes, registers):
    monkeypatch.setattr(simd._config, "CPU_FEATURES", features)
    assert simd._shape() == (lanes, registers)


def check_target(lanes, registers):
    """Everything once, on whatever this process compiles for."""
    from test_tile import a_tile, assert_same_step, ragged, windows

    assert lanes == simd.LANES
    assert registers == simd.REGISTERS
    for check in CHECKS:
        check(ours)
    for d, T, N in product([1, 15, 100], [1, 2, 7, 64], [12, 24]):
        assert_same_step(a_tile(d, T, N, ragged, seed=T))
        assert_same_step(a_tile(d, T, N, windows, skip=5, seed=T))


SIMULATED = """
import numba
numba.njit(lambda: 0)  # Numba looks at the processor now
numba.config.CPU_FEATURES = "+avx512f,+avx512vl"
import fastw2v.kernels.simd
numba.config.CPU_FEATURES = None
"""


def run_target(folder, code, cpu=None, features=None):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CPU_")}
    environment["NUMBA_CACHE_DIR"] = str(folder)
    if cpu:
        environment |= {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features}
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n{code}"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or f"ended with {done.returncode}"
    return done.stdout


@pytest.mark.slow
@x86_only
def test_sse2(tmp_path):
    run_target(tmp_path, "import test_simd; test_simd.check_target(4, 16)", "generic", "+sse2")


@pytest.mark.slow
@x86_only
@pytest.mark.skipif(not {"avx2", "fma"} <= HOST, reason="this processor has no AVX2")
@pytest.mark.skipif("avx512f" not in HOST, reason="AVX2 is this processor's own: what the other tests compile for")
def test_avx2(tmp_path):
    run_target(tmp_path, "import test_simd; test_simd.check_target(8, 16)", "haswell", AVX2)


@pytest.mark.slow
@x86_only
@pytest.mark.skipif(not {"avx512f", "avx512vl", "avx512bw"} <= HOST, reason="this processor has no AVX-512")
def test_avx512(tmp_path):
    run_target(tmp_path, "import test_simd; test_simd.check_target(16, 32)", "skylake-avx512", AVX512)


@pytest.mark.slow
@x86_only
def test_sixteen_lanes_on_any_processor(tmp_path):
    """The code generated for AVX-512, compiled for this processor."""
    run_target(tmp_path, f"{SIMULATED}\nimport test_simd; test_simd.check_target(16, 32)")


ASSEMBLY = """
import re
from numba import int64, types
from fastw2v.kernels import simd
from fastw2v.kernels.simd import Band, Dense, Picked, Rows
from test_simd import ours

@ours
def products(A, ids, band, n, chunks):
    rows, wide = Rows(A, 0, n), Rows(A, 0, 112)
    simd.block_dots(wide, 4, wide, n, rows, chunks)
    simd.set_products(rows, wide, 4, rows, n, chunks)
    banded, dense = Band(A, 0, n, 1, band, band, 0), Dense(A, 0, n, 1, n)
    simd.add_products(wide, Picked(ids, 0, n), wide, banded, wide, dense, chunks)

floats, integers = types.float32[::1], types.int32[::1]
products.compile((floats, integers, integers, int64, int64))
(assembly,) = products.inspect_asm().values()
for function in re.split(r"(?m)^(?=\\S+:)", assembly):
    fused = re.findall(r"vfmadd\\S+\\s.*", function)
    spills = re.findall(r"zmm.*\\(%rsp\\)|\\(%rsp\\).*zmm", function)
    print(len(fused), sum("zmm" in line for line in fused), len(spills))
"""


@x86_only
def test_avx512_code_is_in_full_registers_without_spills(tmp_path):
    """Compiled for a server that this one may not be, looked at, and not run."""
    counts = [
        [int(n) for n in line.split()] for line in run_target(tmp_path, ASSEMBLY, "skylake-avx512", AVX512).splitlines()
    ]
    assert sum(fused for fused, _, _ in counts) > 100
    for fused, full, spills in counts:
        assert fused == full
        assert fused == 0 or spills == 0
