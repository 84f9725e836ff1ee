"""The one file of LLVM-level code: vector values and small matrix products for kernels that read as plain Python.

Everything here is an intrinsic for ``@njit`` code, on C-contiguous arrays. ``start`` counts elements from the first of
the array. Nothing checks bounds, and no index wraps around. Memory must exist, but need not be aligned. Products run
fastest on rows from `records.aligned_zeros`.

Values. `Row` is a first-class Numba value, one register of `LANES` float32: `row_load`, `row_store`, `row_splat`,
`row_add`, `row_mul`, `row_fma`, `row_sum`, `row_sigmoid`, `row_softplus`, `row_between`.

Whole rows of a matrix, ``chunks = ceil(columns / LANES)`` registers long (the last may reach into the padding, which
must exist and counts as part of the row): `gather_rows`, `prefetch_row`, `transpose_rows`, `block_dots`,
`set_products`, `add_products`, `sum_rows`, `spread_row`.
Elements: `at`, `put`, `find`, `fetch_add`, `prefetch`.
Bytes: `bits_between` compares CHUNK of them at once; `trailing_zeros` and `ones` of the bits that it returns.

How they are built. Accumulators live in registers for a whole sum, in blocks of rows times columns that leave no
spill: 2 x 6 registers or 4 x 3 where there are 16 of them (SSE, AVX2), twice as many where there are 32 (AVX-512,
NEON). Dots keep 12 sums (AVX2) or 16 and end in a transposing add, one shuffle per pair of sums. If many rows meet the
same rows, as all centres of a tile meet its noise words, it is faster to transpose those once (`set_products`).
`LANES` is 16 with AVX-512, 8 with AVX, else 4 (SSE2, NEON); ``fmuladd`` fuses where the processor can.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numba
import numba.extending
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import models, register_model
from numpy.typing import NDArray


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make an intrinsic by Numba's decorator, which has no types; callers omit the first argument."""
    made: Callable[..., Any] = numba.extending.intrinsic(function)
    return made


_config: Any = numba.config
_X86 = binding.get_process_triple().startswith(("x86", "i386", "i686", "amd64"))


def target_features() -> set[str]:
    """Return the processor features that Numba compiles for, such as ``"+avx2"``."""
    features = _config.CPU_FEATURES
    return set((binding.get_host_cpu_features().flatten() if features is None else features).split(","))


def host_cpu() -> str:
    """Return LLVM's name for this processor, such as ``"znver3"``."""
    return str(_config.CPU_NAME or binding.get_host_cpu_name())


def features_digest() -> str:
    """Return a digest of `target_features`: machine code, and the order of its sums, follows from them."""
    return hashlib.sha256(",".join(sorted(target_features())).encode()).hexdigest()[:16]


def _hold_compiler() -> None:
    global_compiler_lock.acquire()
    if _llvm_lock is not None:
        _llvm_lock.__enter__()


def _release_compiler() -> None:
    if _llvm_lock is not None:
        _llvm_lock.__exit__(None, None, None)
    global_compiler_lock.release()


#: llvmlite takes a lock for every call, and has no public name for it.
_llvm_lock = getattr(binding.ffi.lib, "_lock", None)
if hasattr(os, "register_at_fork"):
    # Otherwise a forked child could wait forever for a lock of the compiler that a thread of its parent holds.
    os.register_at_fork(before=_hold_compiler, after_in_parent=_release_compiler, after_in_child=_release_compiler)


def _shape() -> tuple[int, int]:
    features = target_features()
    lanes = 16 if "+avx512f" in features else 8 if "+avx" in features else 4
    return lanes, 16 if _X86 and "+avx512vl" not in features else 32


#: Float32 values in a register, and how many vector registers there are.
LANES, REGISTERS = _shape()

#: Bytes of text that `bits_between` compares: as many as a uint64 has bits.
CHUNK = 64

#: `block_dots` takes its rows of A in groups of DOT_ROWS and its rows of B in groups of DOT_COLUMNS.
DOT_ROWS, DOT_COLUMNS = {4: (1, 4), 8: (2, 6), 16: (4, 4)}[LANES]
#: A number of rows that is a multiple of these suits every target.
ROWS_MULTIPLE, COLUMNS_MULTIPLE = 4, 12
#: A product adds to PRODUCT_ROWS rows at once, in blocks of at most _PRODUCT_CHUNKS registers.
PRODUCT_ROWS, _PRODUCT_CHUNKS = 2, 6 if REGISTERS == 16 else 12
#: A sum of picked rows, or a row that is added to them, is held in at most this many registers.
_ROW_CHUNKS = 13 if REGISTERS == 16 else 26
_SET_CHUNKS = 3 if REGISTERS == 16 else 6
_UNROLLED = -(-100 // LANES)  # Dots of the default vector_size are straight-line code: no loop, no misprediction.

_FLOAT, _I1, _I8, _I32, _I64 = ir.FloatType(), ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
_PF, _PI = _FLOAT.as_pointer(), _I32.as_pointer()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INTEGERS = ir.VectorType(_I32, LANES)
_ZERO = ir.Constant(_VECTOR, [0.0] * LANES)
Value = Any  # An LLVM value; llvmlite has no types.
Builder = Any


class RowType(types.Type):  # type: ignore[misc]
    """Type of a `Row`, a register of LANES float32."""

    def __init__(self) -> None:
        super().__init__(name=f"Row({LANES})")


Row = RowType()


class Rows(NamedTuple):
    """Rows of a matrix that is part of a flat array.

    Attributes:
        array: float32, one-dimensional.
        start: element where row 0 begins.
        stride: elements from one row to the next.
    """

    array: NDArray[np.float32]
    start: int
    stride: int


class Picked(NamedTuple):
    """A choice of rows of a matrix: numbers ``ids[start]`` to ``ids[start + n - 1]``.

    Attributes:
        ids: int32 row numbers.
        start: the place of the first number.
        n: how many rows there are.
    """

    ids: NDArray[np.int32]
    start: int
    n: int


class Band(NamedTuple):
    """The factors of a banded product, ``F[i, k]`` for ``first[i] <= k < first[i] + length[i]``.

    ``PRODUCT_ROWS`` rows share a range, and F is 0 where only one of them has a term. For an odd number of rows F is
    0 in the row after the last.

    Attributes:
        array: float32; ``F[i, k]`` is ``array[start + i row + k term]``, so a transposed F needs no copy.
        start: see ``array``.
        row: see ``array``.
        term: see ``array``.
        first: int32, read at ``place + i`` for even i.
        length: int32, as ``first``.
        place: see ``first``.
    """

    array: NDArray[np.float32]
    start: int
    row: int
    term: int
    first: NDArray[np.int32]
    length: NDArray[np.int32]
    place: int


class Dense(NamedTuple):
    """The factors of a dense product, ``G[i, k]`` for ``k < terms``; 0 terms cost nothing.

    Attributes:
        array: float32; ``G[i, k]`` is ``array[start + i row + k term]``.
        start: see ``array``.
        row: see ``array``.
        term: see ``array``.
        terms: how many there are in each row.
    """

    array: NDArray[np.float32]
    start: int
    row: int
    term: int
    terms: int


@register_model(RowType)
class _RowModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: RowType) -> None:
        super().__init__(manager, kind, _VECTOR)


# ------------------------------------------------------------------------------------------------- emitting LLVM code


def _prefetch(b: Builder, place: Value) -> None:
    pointer = _I8.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
    function = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")
    write, level, data = (ir.Constant(_I32, value) for value in (1, 3, 1))
    b.call(function, [b.bitcast(place, pointer), write, level, data])


def _i64(value: int) -> Value:
    return ir.Constant(_I64, value)


def _floats(value: float) -> Value:
    return ir.Constant(_VECTOR, [float(np.float32(value))] * LANES)


def _lanes(order: Sequence[int] | range) -> Value:
    return ir.Constant(ir.VectorType(_I32, len(order)), [ir.Constant(_I32, i) for i in order])


def _splat(b: Builder, scalar: Value, lanes: int = LANES) -> Value:
    kind = ir.VectorType(scalar.type, lanes)
    first = b.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(_I32, 0))
    return b.shuffle_vector(first, ir.Constant(kind, ir.Undefined), _lanes([0] * lanes))


def _move(b: Builder, pointer: Value, offset: Value) -> Value:
    return b.gep(pointer, [offset], inbounds=True)


def _load(b: Builder, pointer: Value, kind: Any = _VECTOR) -> Value:
    return b.load(b.bitcast(pointer, kind.as_pointer()), align=4)


def _store(b: Builder, vector: Value, pointer: Value) -> None:
    b.store(vector, b.bitcast(pointer, vector.type.as_pointer()), align=4)


def _call(b: Builder, name: str, *operands: Value) -> Value:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(operands))
    return b.call(cgutils.get_or_insert_function(b.module, kind, f"llvm.{name}.v{LANES}f32"), operands)


def _fma(b: Builder, x: Value, y: Value, z: Value) -> Value:
    return _call(b, "fmuladd", x, y, z)


def _add_to(b: Builder, pointer: Value, sums: Sequence[Value]) -> None:
    for c, value in enumerate(sums):
        place = _move(b, pointer, _i64(c * LANES))
        _store(b, b.fadd(_load(b, place), value), place)


def _row_of(b: Builder, matrix: Value, width: Value, ids: Value, i: Value) -> Value:
    return _move(b, matrix, b.mul(b.sext(b.load(_move(b, ids, i)), _I64), width))


def _transposing_add(b: Builder, sums: Sequence[Value]) -> Value:
    """Return one vector whose lane l is the sum of the lanes of vector l (of vector l mod n within groups of n)."""
    distance = 1
    while len(sums) > 1:
        pairs = zip(sums[0::2], sums[1::2], strict=True)
        stay = [lane + (LANES if lane & distance else 0) for lane in range(LANES)]
        swap = [lane - distance + LANES if lane & distance else lane + distance for lane in range(LANES)]
        sums = [
            b.fadd(b.shuffle_vector(x, y, _lanes(stay)), b.shuffle_vector(x, y, _lanes(swap)), flags=["reassoc"])
            for x, y in pairs
        ]
        distance *= 2
    return sums[0]


def _part(b: Builder, vector: Value, order: range) -> Value:
    return b.shuffle_vector(vector, vector, _lanes(order))


def _not_unrolled(module: Any) -> Any:
    """Return metadata that keeps LLVM from unrolling a loop: unrolled sums spill, and cost seconds to compile."""
    hint = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
    loop = module.add_metadata([hint, _i64(len(module.metadata))])  # It is unlike any other node.
    loop.operands = [loop, hint]  # LLVM wants a loop's node to name itself
    return loop


def _loop(
    b: Builder,
    n: Value,
    carried: Sequence[Value],
    body: Callable[[Value, list[Value]], Sequence[Value]],
    step: int = 1,
    may_be_empty: bool = False,
    unroll: bool = False,
) -> list[Value]:
    """Emit ``for i in range(0, n, step)`` and return the last result of ``body(i, carried)``."""
    before, head, after = b.block, b.append_basic_block("loop"), b.append_basic_block("after")
    if may_be_empty:
        b.cbranch(b.icmp_signed(">", n, _i64(0)), head, after)
    else:
        b.branch(head)
    b.position_at_end(head)
    i = b.phi(_I64)
    i.add_incoming(_i64(0), before)
    phis = [b.phi(value.type) for value in carried]
    for phi, value in zip(phis, carried, strict=True):
        phi.add_incoming(value, before)
    results = list(body(i, phis))
    following = b.add(i, _i64(step), flags=["nuw", "nsw"])
    last = b.block
    i.add_incoming(following, last)
    for phi, value in zip(phis, results, strict=True):
        phi.add_incoming(value, last)
    branch = b.cbranch(b.icmp_signed("<", following, n), head, after)
    if not unroll:
        branch.set_metadata("llvm.loop", _not_unrolled(b.module))
    b.position_at_end(after)
    if may_be_empty:
        ends = [b.phi(value.type) for value in carried]
        for end, value, result in zip(ends, carried, results, strict=True):
            end.add_incoming(value, before)
            end.add_incoming(result, last)
        return ends
    return results


def _function(module: Any, name: str, kinds: Sequence[Any], emit: Callable[[Builder, Any], None]) -> Any:
    """Return the module's internal function of this name, made on first use."""
    name = f"fastw2v_{name}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), list(kinds)), name)
    function.linkage = "internal"
    function.attributes.add("noinline")  # This keeps the caller's registers out of the inner loops.
    function.attributes.add("nounwind")
    if LANES == 16:
        # Intel targets would split 512-bit vectors in two. llvmlite refuses unknown attributes; a plain set takes them.
        for attribute in ('"prefer-vector-width"="512"', '"min-legal-vector-width"="512"'):
            set.add(function.attributes, attribute)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    emit(b, function.args)
    b.ret_void()
    return function


def _switch(b: Builder, value: Value, cases: range, emit: Callable[[int], None], default: Any = None) -> None:
    """Emit ``emit(case)`` for each value, and ``default()`` for the others."""
    after = b.append_basic_block("after")
    other = b.append_basic_block("other")
    switch = b.switch(value, other)
    for case in cases:
        block = b.append_basic_block(f"case{case}")
        switch.add_case(_i64(case), block)
        b.position_at_end(block)
        emit(case)
        b.branch(after)
    b.position_at_end(other)
    if default is not None:
        default()
    b.branch(after)
    b.position_at_end(after)


def _dots_function(module: Any) -> Any:
    kinds = [_PF, _I64, _I64, _PF, _I64, _I64, _PF, _I64, _I64]

    def of_length(fixed: int) -> Any:
        def emit(b: Builder, arguments: Any) -> None:
            A, a_stride, rows, B, b_stride, n, C, c_stride, chunks = arguments

            def group(i: Value, _: Any) -> list[Value]:
                a = [_move(b, A, b.mul(b.add(i, _i64(m)), a_stride)) for m in range(DOT_ROWS)]
                c = [_move(b, C, b.mul(b.add(i, _i64(m)), c_stride)) for m in range(DOT_ROWS)]

                def block(j: Value, _: Any) -> list[Value]:
                    first = _move(b, B, b.mul(b_stride, j))
                    others = [_move(b, first, b.mul(b_stride, _i64(q))) for q in range(DOT_COLUMNS)]

                    def term(offset: Value, sums: Sequence[Value]) -> list[Value]:
                        xs = [_load(b, _move(b, pointer, offset)) for pointer in a]
                        new = list(sums)
                        for q, pointer in enumerate(others):
                            y = _load(b, _move(b, pointer, offset))
                            for m, x in enumerate(xs):
                                new[m * DOT_COLUMNS + q] = _fma(b, x, y, sums[m * DOT_COLUMNS + q])
                        return new

                    sums: list[Value] = [_ZERO] * (DOT_ROWS * DOT_COLUMNS)
                    if fixed:
                        for k in range(fixed):
                            sums = term(_i64(k * LANES), sums)
                    else:
                        sums = _loop(b, chunks, sums, lambda k, s: term(b.mul(k, _i64(LANES)), s), unroll=True)
                    _store_dots(b, sums, [_move(b, pointer, j) for pointer in c])
                    return []

                _loop(b, n, [], block, step=DOT_COLUMNS)
                return []

            _loop(b, rows, [], group, step=DOT_ROWS)

        return _function(module, f"dots_{fixed or 'any'}", kinds, emit)

    def emit(b: Builder, arguments: Any) -> None:
        _switch(
            b,
            arguments[-1],
            range(_UNROLLED, _UNROLLED + 1),
            lambda fixed: b.call(of_length(fixed), arguments),
            lambda: b.call(of_length(0), arguments),
        )

    return _function(module, "dots", kinds, emit)


def _store_dots(b: Builder, sums: Sequence[Value], places: Sequence[Value]) -> None:
    """Add up each of DOT_ROWS x DOT_COLUMNS vectors and store the results, a row of them to each place."""
    if DOT_COLUMNS == 4:
        dots = _transposing_add(b, sums)
        for m, place in enumerate(places):
            _store(b, _part(b, dots, range(4 * m, 4 * m + 4)), place)
        return
    dots = _transposing_add(b, [*sums[0:4], *sums[6:10]])
    rest = _transposing_add(b, [*sums[4:6], *sums[10:12]])
    rest = b.fadd(_part(b, rest, range(4)), _part(b, rest, range(4, 8)), flags=["reassoc"])
    for m, place in enumerate(places):
        _store(b, _part(b, dots, range(4 * m, 4 * m + 4)), place)
        _store(b, _part(b, rest, range(2 * m, 2 * m + 2)), _move(b, place, _i64(4)))


def _in_blocks(
    b: Builder, chunks: Value, most: int, arguments: list[Value], moving: Sequence[int], of_block: Callable[[int], Any]
) -> None:
    """Call ``of_block(length)`` for blocks of columns of nearly equal length: ceil(chunks / most) of them.

    The arguments numbered ``moving`` point at the first column and move from block to block.
    """
    blocks = b.udiv(b.add(chunks, _i64(most - 1)), _i64(most))
    least, longer = b.udiv(chunks, blocks), b.urem(chunks, blocks)

    def column(i: Value, carried: list[Value]) -> list[Value]:
        length = b.add(least, b.zext(b.icmp_signed("<", i, longer), _I64))
        offset = b.mul(carried[0], _i64(LANES))
        call = [_move(b, x, offset) if k in moving else x for k, x in enumerate(arguments)]
        _switch(b, length, range(1, most + 1), lambda fixed: b.call(of_block(fixed), call))
        return [b.add(carried[0], length)]

    _loop(b, blocks, [_i64(0)], column)


def _product_function(module: Any) -> Any:
    """Emit ``out[ids[i]] += sum over a band of B + sum over all rows of D``, for i < n, PRODUCT_ROWS of them at once.

    Arguments: out, width, ids, n; B, F, its steps from row to row and from term to term, first and count (int32); D, G,
    its steps, the count; chunks.
    """
    band_kinds, dense_kinds = [_PF, _PF, _I64, _I64, _PI, _PI], [_PF, _PF, _I64, _I64, _I64]
    kinds = [_PF, _I64, _PI, _I64, *band_kinds, *dense_kinds]

    def of_block(chunks: int) -> Any:
        def emit(b: Builder, arguments: Any) -> None:
            out, width, ids, n, B, F, f_row, f_term, firsts, counts, D, G, g_row, g_term, count = arguments

            def total(sums: list[Value], rows: Value, factors: list[Value], term_step: Value, n: Value) -> list[Value]:
                def term(k: Value, sums: list[Value]) -> list[Value]:
                    source, place = _move(b, rows, b.mul(width, k)), b.mul(k, term_step)
                    scales = [_splat(b, b.load(_move(b, pointer, place))) for pointer in factors]
                    new = list(sums)
                    for c in range(chunks):
                        x = _load(b, _move(b, source, _i64(c * LANES)))
                        for m, scale in enumerate(scales):
                            new[m * chunks + c] = _fma(b, scale, x, sums[m * chunks + c])
                    return new

                return _loop(b, n, sums, term, may_be_empty=True)

            def group(i: Value, _: Any) -> list[Value]:
                each = [b.add(i, _i64(m)) for m in range(PRODUCT_ROWS)]
                first, length = (b.sext(b.load(_move(b, array, i)), _I64) for array in (firsts, counts))
                factors = [_move(b, F, b.add(b.mul(row, f_row), b.mul(first, f_term))) for row in each]
                sums: list[Value] = [_ZERO] * (PRODUCT_ROWS * chunks)
                sums = total(sums, _move(b, B, b.mul(first, width)), factors, f_term, length)
                sums = total(sums, D, [_move(b, G, b.mul(row, g_row)) for row in each], g_term, count)
                for m, row in enumerate(each):
                    # Past the last row the factors are 0: the last row then gets 0 added.
                    row = b.select(b.icmp_signed("<", row, n), row, b.sub(n, _i64(1)))
                    place = _row_of(b, out, width, ids, row)
                    _add_to(b, place, sums[m * chunks : (m + 1) * chunks])
                return []

            _loop(b, n, [], group, step=PRODUCT_ROWS)

        return _function(module, f"product_{chunks}", kinds, emit)

    def emit(b: Builder, arguments: Any) -> None:
        *front, chunks = arguments
        _in_blocks(b, chunks, _PRODUCT_CHUNKS, front, (0, 4, 10), of_block)

    return _function(module, "product", [*kinds, _I64], emit)


def _transpose_function(module: Any) -> Any:
    def emit(b: Builder, arguments: Any) -> None:
        target, stride, source, width, n, columns = arguments

        def rows(i: Value, _: Any) -> list[Value]:
            below = _move(b, source, b.mul(i, width))
            above = _move(b, target, i)

            def square(k: Value, _: Any) -> list[Value]:
                corner = _move(b, below, k)
                square = [_load(b, _move(b, corner, b.mul(width, _i64(m)))) for m in range(LANES)]
                distance = 1
                # Exchange the two off-diagonal quarters of every 2 distance x 2 distance square.
                while distance < LANES:
                    keep = [lane - distance + LANES if lane & distance else lane for lane in range(LANES)]
                    swap = [lane + LANES if lane & distance else lane + distance for lane in range(LANES)]
                    old = square
                    square = [
                        b.shuffle_vector(old[m & ~distance], old[m | distance], _lanes(swap if m & distance else keep))
                        for m in range(LANES)
                    ]
                    distance *= 2
                column = _move(b, above, b.mul(k, stride))
                for m, row in enumerate(square):
                    _store(b, row, _move(b, column, b.mul(stride, _i64(m))))
                return []

            _loop(b, columns, [], square, step=LANES)
            return []

        _loop(b, n, [], rows, step=LANES)

    return _function(module, "transpose", [_PF, _I64, _PF, _I64, _I64, _I64], emit)


def _set_products_function(module: Any) -> Any:
    kinds = [_PF, _I64, _PF, _I64, _I64, _PF, _I64, _I64]

    def of_block(chunks: int) -> Any:
        def emit(b: Builder, arguments: Any) -> None:
            C, c_stride, A, a_stride, rows, B, b_stride, terms = arguments

            def group(i: Value, _: Any) -> list[Value]:
                each = [b.add(i, _i64(m)) for m in range(ROWS_MULTIPLE)]
                a = [_move(b, A, b.mul(row, a_stride)) for row in each]

                def term(k: Value, sums: list[Value]) -> list[Value]:
                    source = _move(b, B, b.mul(b_stride, k))
                    xs = [_load(b, _move(b, source, _i64(c * LANES))) for c in range(chunks)]
                    new: list[Value] = []
                    for pointer in a:
                        scale = _splat(b, b.load(_move(b, pointer, k)))
                        new += [_fma(b, scale, x, sums[len(new) + c]) for c, x in enumerate(xs)]
                    return new

                sums: list[Value] = [_ZERO] * (ROWS_MULTIPLE * chunks)
                sums = _loop(b, terms, sums, term)
                for m, row in enumerate(each):
                    place = _move(b, C, b.mul(row, c_stride))
                    for c in range(chunks):
                        _store(b, sums[m * chunks + c], _move(b, place, _i64(c * LANES)))
                return []

            _loop(b, rows, [], group, step=ROWS_MULTIPLE)

        return _function(module, f"set_{chunks}", kinds, emit)

    def emit(b: Builder, arguments: Any) -> None:
        *front, chunks = arguments
        _in_blocks(b, chunks, _SET_CHUNKS, front, (0, 5), of_block)

    return _function(module, "set", [*kinds, _I64], emit)


def _gather_function(module: Any) -> Any:
    def emit(b: Builder, arguments: Any) -> None:
        target, source, width, ids, n, chunks = arguments

        def row(i: Value, _: Any) -> list[Value]:
            row_from, row_to = _row_of(b, source, width, ids, i), _move(b, target, b.mul(i, width))

            def move(k: Value, _: Any) -> list[Value]:
                offset = b.mul(k, _i64(LANES))
                _store(b, _load(b, _move(b, row_from, offset)), _move(b, row_to, offset))
                return []

            _loop(b, chunks, [], move)
            return []

        _loop(b, n, [], row, may_be_empty=True)

    return _function(module, "gather", [_PF, _PF, _I64, _PI, _I64, _I64], emit)


def _sum_function(module: Any) -> Any:
    """Emit ``out = sum over k < n of shares[k] V[ids[k]]``. Arguments: out, V, width, ids, shares, n; chunks."""

    def of_block(chunks: int) -> Any:
        def emit(b: Builder, arguments: Any) -> None:
            out, V, width, ids, shares, n = arguments

            def term(k: Value, sums: list[Value]) -> list[Value]:
                row, share = _row_of(b, V, width, ids, k), _splat(b, b.load(_move(b, shares, k)))
                return [_fma(b, share, _load(b, _move(b, row, _i64(c * LANES))), x) for c, x in enumerate(sums)]

            for c, x in enumerate(_loop(b, n, [_ZERO] * chunks, term, may_be_empty=True)):
                _store(b, x, _move(b, out, _i64(c * LANES)))

        return _function(module, f"sum_{chunks}", [_PF, _PF, _I64, _PI, _PF, _I64], emit)

    def emit(b: Builder, arguments: Any) -> None:
        *front, chunks = arguments
        _in_blocks(b, chunks, _ROW_CHUNKS, front, (0, 1), of_block)

    return _function(module, "sum", [_PF, _PF, _I64, _PI, _PF, _I64, _I64], emit)


def _spread_function(module: Any) -> Any:
    """Emit ``V[ids[k]] += x - y`` for k < n. Arguments: V, width, ids, n, x, y; chunks."""

    def of_block(chunks: int) -> Any:
        def emit(b: Builder, arguments: Any) -> None:
            V, width, ids, n, x, y = arguments
            places = [_i64(c * LANES) for c in range(chunks)]
            change = [b.fsub(_load(b, _move(b, x, c)), _load(b, _move(b, y, c))) for c in places]

            def term(k: Value, _: Any) -> list[Value]:
                _add_to(b, _row_of(b, V, width, ids, k), change)
                return []

            _loop(b, n, [], term, may_be_empty=True)

        return _function(module, f"spread_{chunks}", [_PF, _I64, _PI, _I64, _PF, _PF], emit)

    def emit(b: Builder, arguments: Any) -> None:
        *front, chunks = arguments
        _in_blocks(b, chunks, _ROW_CHUNKS, front, (0, 4, 5), of_block)

    return _function(module, "spread", [_PF, _I64, _PI, _I64, _PF, _PF, _I64], emit)


def _exp_of_minus(b: Builder, x: Value) -> Value:
    """Return exp(-x) as 2^n 2^f, |f| <= 1/2, for -87 < x < 87; beyond, the value at the nearer end. NaN stays NaN.

    The relative error is below 1e-7 (1 + |x|). The polynomial is the best of its degree for which 2^0 is 1. The three
    operations that round t have a flag of their own: Numba gives a kernel's fast-math flags to those that have none,
    and with `reassoc` the rounding would be taken for a sum that cancels.
    """
    t = b.fmul(x, _floats(-1.4426950408889634))
    t = b.select(b.fcmp_ordered("<", t, _floats(-126.0)), _floats(-126.0), t)
    t = b.select(b.fcmp_ordered(">", t, _floats(126.0)), _floats(126.0), t)
    shifted = b.fadd(t, _floats(12583039.0), flags=["nsz"])  # 1.5 * 2^23 + 127: the low bits are 2^n's exponent
    f = b.fsub(t, b.fsub(shifted, _floats(12583039.0), flags=["nsz"]), flags=["nsz"])
    series = (1.3264727e-3, 9.6715130e-3, 5.5507336e-2, 2.4022242e-1, 6.9314700e-1, 1.0)
    power = _floats(series[0])
    for coefficient in series[1:]:
        power = _fma(b, power, f, _floats(coefficient))
    exponent = b.shl(b.bitcast(shifted, _INTEGERS), ir.Constant(_INTEGERS, [23] * LANES))
    return b.fmul(power, b.bitcast(exponent, _VECTOR))  # A product keeps NaN, whatever its bits.


# ---------------------------------------------------------------------------------------------------------- intrinsics


def _cast(context: Any, b: Builder, kinds: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """Return the arguments for LLVM: arrays as pointers to their data, integers as 64 bits, floats as float32.

    A record becomes the list of its fields.
    """
    values: list[Any] = []
    for kind, value in zip(kinds, arguments, strict=True):
        if isinstance(kind, types.BaseTuple):
            values.append(_cast(context, b, kind.types, cgutils.unpack_tuple(b, value, len(kind))))
        elif isinstance(kind, types.Array):
            values.append(context.make_array(kind)(context, b, value).data)
        elif isinstance(kind, (types.Integer, types.Boolean)):
            values.append(context.cast(b, value, kind, types.int64))
        elif isinstance(kind, types.Float):
            values.append(context.cast(b, value, kind, types.float32))
        else:
            values.append(value)
    return values


def _emitted(result: Any, emit: Callable[..., Value], *kinds: Any) -> tuple[Any, Any]:
    """Return the signature of an intrinsic, and a function that calls ``emit(b, *arguments)``."""

    def generate(context: Any, b: Builder, signature: Any, arguments: Any) -> Value:
        value = emit(b, *_cast(context, b, signature.args, arguments))
        return context.get_dummy_value() if result is types.void else value

    return result(*kinds), generate


@intrinsic
def row_load(typing: Any, array: Any, start: Any) -> Any:
    """Return ``array[start : start + LANES]`` of a float32 array as a Row."""
    return _emitted(Row, lambda b, a, i: _load(b, _move(b, a, i)), array, start)


@intrinsic
def row_store(typing: Any, array: Any, start: Any, row: Any) -> Any:
    """Write a Row to ``array[start : start + LANES]`` of a float32 array."""
    return _emitted(types.void, lambda b, a, i, x: _store(b, x, _move(b, a, i)), array, start, row)


@intrinsic
def row_splat(typing: Any, x: Any) -> Any:
    """Return a Row of LANES times x, a number that is converted to float32."""

    def generate(context: Any, b: Builder, signature: Any, arguments: Any) -> Value:
        return _splat(b, context.cast(b, arguments[0], signature.args[0], types.float32))

    return Row(x), generate


@intrinsic
def row_add(typing: Any, x: Any, y: Any) -> Any:
    """Return x + y, lane by lane."""
    return _emitted(Row, lambda b, x, y: b.fadd(x, y), x, y)


@intrinsic
def row_mul(typing: Any, x: Any, y: Any) -> Any:
    """Return x * y, lane by lane."""
    return _emitted(Row, lambda b, x, y: b.fmul(x, y), x, y)


@intrinsic
def row_fma(typing: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x * y + z, lane by lane, rounded once where the processor can."""
    return _emitted(Row, _fma, x, y, z)


@intrinsic
def row_sum(typing: Any, x: Any) -> Any:
    """Return the sum of the lanes, float32, added as a tree."""

    def emit(b: Builder, x: Value) -> Value:
        half = LANES // 2
        while half:
            x = b.fadd(_part(b, x, range(half)), _part(b, x, range(half, 2 * half)))
            half //= 2
        return b.extract_element(x, ir.Constant(_I32, 0))

    return _emitted(types.float32, emit, x)


@intrinsic
def row_sigmoid(typing: Any, x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), lane by lane; absolute error below 2e-7, relative below 1e-5 for x > -87; NaN stays."""

    def emit(b: Builder, x: Value) -> Value:
        return b.fdiv(_floats(1.0), b.fadd(_floats(1.0), _exp_of_minus(b, x)))

    return _emitted(Row, emit, x)


@intrinsic
def row_softplus(typing: Any, x: Any) -> Any:
    """Return log(1 + exp(x)) = -log sigmoid(-x), lane by lane; relative error below 1e-5 for x > -87; NaN stays."""

    def emit(b: Builder, x: Value) -> Value:
        e = _exp_of_minus(b, _call(b, "fabs", x))
        # log(1 + e) = 2 atanh(t), t = e / (2 + e) <= 1/3
        t = b.fdiv(e, b.fadd(e, _floats(2.0)))
        square = b.fmul(t, t)
        series = _floats(2 / 15)
        for odd in (13, 11, 9, 7, 5, 3, 1):
            series = _fma(b, series, square, _floats(2 / odd))
        hinge = b.select(b.fcmp_unordered("<", x, _ZERO), _ZERO, x)
        return _fma(b, series, t, hinge)

    return _emitted(Row, emit, x)


@intrinsic
def row_between(typing: Any, x: Any, index: Any, low: Any, high: Any, skip: Any) -> Any:
    """Return x with 0 in every lane l for which ``low <= index + l < high`` and ``index + l != skip`` is false."""

    def emit(b: Builder, x: Value, index: Value, low: Value, high: Value, skip: Value) -> Value:
        base, low, high, skip = (_splat(b, b.trunc(value, _I32)) for value in (index, low, high, skip))
        place = b.add(base, ir.Constant(_INTEGERS, list(range(LANES))))
        inside = b.and_(b.icmp_signed(">=", place, low), b.icmp_signed("<", place, high))
        return b.select(b.and_(inside, b.icmp_signed("!=", place, skip)), x, _ZERO)

    return _emitted(Row, emit, x, index, low, high, skip)


@intrinsic
def at(typing: Any, array: Any, i: Any) -> Any:
    """Return element i of an array, counted from its first; i is never negative and never checked."""

    def generate(context: Any, b: Builder, signature: Any, arguments: Any) -> Value:
        pointer, place = _cast(context, b, signature.args, arguments)
        return context.unpack_value(b, signature.args[0].dtype, _move(b, pointer, place))

    return array.dtype(array, i), generate


@intrinsic
def put(typing: Any, array: Any, i: Any, x: Any) -> Any:
    """Write x to element i of an array, converted to its type; i is never negative and never checked."""

    def generate(context: Any, b: Builder, signature: Any, arguments: Any) -> Value:
        pointer, place, _ = _cast(context, b, signature.args, arguments)
        kind = signature.args[0].dtype
        value = context.cast(b, arguments[2], signature.args[2], kind)
        context.pack_value(b, kind, value, _move(b, pointer, place))
        return context.get_dummy_value()

    return types.void(array, i, x), generate


@intrinsic
def fetch_add(typing: Any, array: Any, i: Any, x: Any) -> Any:
    """Add x to element i of an int64 array, in one step for all threads, and return its previous value."""

    def emit(b: Builder, array: Value, i: Value, x: Value) -> Value:
        return b.atomic_rmw("add", _move(b, array, i), x, "monotonic")

    return _emitted(types.int64, emit, array, i, x)


@intrinsic
def find(typing: Any, array: Any, start: Any, n: Any, x: Any) -> Any:
    """Return the least k with ``array[start + k] == x`` in an int32 array, or n if there is none; n a multiple of 4."""
    four = ir.VectorType(_I32, 4)

    def emit(b: Builder, array: Value, start: Value, n: Value, x: Value) -> Value:
        first = _move(b, array, start)
        wanted = _splat(b, b.trunc(x, _I32), 4)
        before, head, test = b.block, b.append_basic_block("find"), b.append_basic_block("compare")
        after = b.append_basic_block("found")
        b.branch(head)
        b.position_at_end(head)
        k = b.phi(_I64)
        k.add_incoming(_i64(0), before)
        b.cbranch(b.icmp_signed("<", k, n), test, after)
        b.position_at_end(test)
        equal = b.icmp_signed("==", _load(b, _move(b, first, k), four), wanted)
        bits = b.bitcast(equal, ir.IntType(4))
        k.add_incoming(b.add(k, _i64(4)), test)
        match = b.append_basic_block("place")
        b.cbranch(b.icmp_unsigned("==", bits, ir.Constant(ir.IntType(4), 0)), head, match)
        b.position_at_end(match)
        place = b.add(k, b.zext(b.cttz(bits, ir.Constant(_I1, 1)), _I64))
        b.branch(after)
        b.position_at_end(after)
        result = b.phi(_I64)
        result.add_incoming(n, head)
        result.add_incoming(place, match)
        return result

    return _emitted(types.int64, emit, array, start, n, x)


@intrinsic
def prefetch(typing: Any, array: Any, i: Any) -> Any:
    """Ask for the cache line of element i of an array, to write it soon."""
    return _emitted(types.void, lambda b, a, i: _prefetch(b, _move(b, a, i)), array, i)


@intrinsic
def bits_between(typing: Any, text: Any, start: Any, low: Any, high: Any) -> Any:
    """Return a uint64 whose bit i, from the lowest, tells whether ``low <= text[start + i] <= high``, of uint8."""

    def emit(b: Builder, text: Value, start: Value, low: Value, high: Value) -> Value:
        kind = ir.VectorType(_I8, CHUNK)
        chunk = b.load(b.bitcast(_move(b, text, start), kind.as_pointer()), align=1)
        low, high = (_splat(b, b.trunc(limit, _I8), CHUNK) for limit in (low, high))
        inside = b.icmp_unsigned("<=", b.sub(chunk, low), b.sub(high, low))
        return b.bitcast(inside, _I64)

    return _emitted(types.uint64, emit, text, start, low, high)


@intrinsic
def trailing_zeros(typing: Any, bits: Any) -> Any:
    """Return how many zeros come before the lowest one of a uint64 that is not 0."""
    return _emitted(types.uint64, lambda b, x: b.cttz(x, ir.Constant(_I1, 1)), bits)


@intrinsic
def ones(typing: Any, bits: Any) -> Any:
    """Return how many bits of a uint64 are set."""
    return _emitted(types.uint64, lambda b, x: b.ctpop(x), bits)


@intrinsic
def prefetch_row(typing: Any, matrix: Any, start: Any, lines: Any) -> Any:
    """Ask for ``lines`` cache lines (16 float32 each) from element ``start`` on, to write them soon."""

    def emit(b: Builder, matrix: Value, start: Value, lines: Value) -> None:
        def line(k: Value, _: Any) -> list[Value]:
            _prefetch(b, _move(b, matrix, b.add(start, b.mul(k, _i64(16)))))
            return []

        _loop(b, lines, [], line)

    return _emitted(types.void, emit, matrix, start, lines)


def _first(b: Builder, rows: Sequence[Value]) -> Value:
    """Return a pointer to the first element of `Rows`, or of other factors that begin with an array and a start."""
    return _move(b, rows[0], rows[1])


@intrinsic
def gather_rows(typing: Any, target: Any, source: Any, picked: Any, chunks: Any) -> Any:
    """Copy picked rows of source, ``chunks * LANES`` columns each, to the first rows of target.

    Args:
        typing: Numba's.
        target: `Rows`, with the stride of ``source``.
        source: `Rows` with start 0.
        picked: `Picked` rows of source.
        chunks: registers per row.
    """

    def emit(b: Builder, target: Any, source: Any, picked: Any, chunks: Value) -> None:
        ids, start, n = picked
        b.call(_gather_function(b.module), [_first(b, target), source[0], source[2], _move(b, ids, start), n, chunks])

    return _emitted(types.void, emit, target, source, picked, chunks)


@intrinsic
def block_dots(typing: Any, A: Any, rows: Any, B: Any, n: Any, C: Any, chunks: Any) -> Any:
    """Write ``C[i, j] = A[i] . B[j]`` for ``rows`` rows of A and n rows of B: a small product A B^T.

    A, B and C are `Rows`; ``chunks * LANES`` columns of A and B count. rows is a multiple of DOT_ROWS, n of
    DOT_COLUMNS, both above 0.
    """

    def emit(b: Builder, A: Any, rows: Value, B: Any, n: Value, C: Any, chunks: Value) -> None:
        arguments = [_first(b, A), A[2], rows, _first(b, B), B[2], n, _first(b, C), C[2], chunks]
        b.call(_dots_function(b.module), arguments)

    return _emitted(types.void, emit, A, rows, B, n, C, chunks)


@intrinsic
def transpose_rows(typing: Any, target: Any, source: Any, n: Any, columns: Any) -> Any:
    """Write the transpose of n rows, ``target[k, i] = source[i, k]`` for i < n and k < columns; both are `Rows`.

    n and columns, above 0, are rounded up to a multiple of LANES. The source must have that many rows and columns, and
    the target room for them.
    """

    def emit(b: Builder, target: Any, source: Any, n: Value, columns: Value) -> None:
        arguments = [_first(b, target), target[2], _first(b, source), source[2], n, columns]
        b.call(_transpose_function(b.module), arguments)

    return _emitted(types.void, emit, target, source, n, columns)


@intrinsic
def set_products(typing: Any, C: Any, A: Any, rows: Any, B: Any, terms: Any, chunks: Any) -> Any:
    """Write ``C[i] = sum over k < terms of A[i, k] B[k]``, for ``rows`` rows of ``chunks * LANES`` columns.

    A, B and C are `Rows`. rows is a multiple of ROWS_MULTIPLE, all sizes are above 0. Rows of C are written in order:
    one may end where the next begins.
    """

    def emit(b: Builder, C: Any, A: Any, rows: Value, B: Any, terms: Value, chunks: Value) -> None:
        call = [_first(b, C), C[2], _first(b, A), A[2], rows, _first(b, B), B[2], terms, chunks]
        b.call(_set_products_function(b.module), call)

    return _emitted(types.void, emit, C, A, rows, B, terms, chunks)


@intrinsic
def add_products(typing: Any, out: Any, picked: Any, B: Any, band: Any, D: Any, dense: Any, chunks: Any) -> Any:
    """Add a banded and a dense product to picked rows of a matrix, in one pass over them.

    For each picked row, the i-th: ``out[row] += sum over the band of F[i, k] B[k], plus sum over the terms of
    G[i, k] D[k]``, in ``chunks * LANES`` columns. A row that is picked twice gets both sums.

    Args:
        typing: Numba's.
        out: `Rows` with start 0; its stride is that of B and D too.
        picked: `Picked` rows of out, at least one.
        B: `Rows`.
        band: `Band` of factors F.
        D: `Rows`.
        dense: `Dense` factors G; for an odd number of rows they are 0 in the row after the last.
        chunks: registers per row.
    """

    def emit(b: Builder, out: Any, picked: Any, B: Any, band: Any, D: Any, dense: Any, chunks: Value) -> None:
        ids, start, n = picked
        *_, first, length, place = band
        banded = [_first(b, B), _first(b, band), *band[2:4], _move(b, first, place), _move(b, length, place)]
        call = [out[0], out[2], _move(b, ids, start), n, *banded, _first(b, D), _first(b, dense), *dense[2:], chunks]
        b.call(_product_function(b.module), call)

    return _emitted(types.void, emit, out, picked, B, band, D, dense, chunks)


@intrinsic
def sum_rows(typing: Any, target: Any, source: Any, picked: Any, shares: Any, chunks: Any) -> Any:
    """Write the weighted sum of picked rows, ``target = sum over k of shares[picked.start + k] source[row_k]``.

    Args:
        typing: Numba's.
        target: `Rows`; its first row is written.
        source: `Rows` with start 0.
        picked: `Picked` rows of source.
        shares: float32, one weight beside each element of ``picked.ids``.
        chunks: registers per row.
    """

    def emit(b: Builder, target: Any, source: Any, picked: Any, shares: Value, chunks: Value) -> None:
        ids, start, n = picked
        places = [_move(b, ids, start), _move(b, shares, start)]
        b.call(_sum_function(b.module), [_first(b, target), source[0], source[2], *places, n, chunks])

    return _emitted(types.void, emit, target, source, picked, shares, chunks)


@intrinsic
def spread_row(typing: Any, out: Any, picked: Any, now: Any, before: Any, chunks: Any) -> Any:
    """Add the change of a row to picked rows of a matrix: ``out[row_k] += now - before`` for each k.

    Args:
        typing: Numba's.
        out: `Rows` with start 0.
        picked: `Picked` rows of out; a row that is picked twice gets the change twice.
        now: `Rows`, of which the first counts.
        before: likewise.
        chunks: registers per row.
    """

    def emit(b: Builder, out: Any, picked: Any, now: Any, before: Any, chunks: Value) -> None:
        ids, start, n = picked
        call = [out[0], out[2], _move(b, ids, start), n, _first(b, now), _first(b, before), chunks]
        b.call(_spread_function(b.module), call)

    return _emitted(types.void, emit, out, picked, now, before, chunks)


@intrinsic
def call_at(typing: Any, address: Any, arguments: Any) -> Any:
    """Call the compiled function at an address (see `address_of`) with a tuple of arguments of exactly its types.

    Numba compiles what a kernel calls into the kernel once more, and into a parallel kernel twice more. A call by
    address is compiled once.
    """

    def generate(context: Any, b: Builder, signature: Any, values: Any) -> Value:
        kinds = list(signature.args[1].types)
        function = b.inttoptr(values[0], context.call_conv.get_function_type(types.none, kinds).as_pointer())
        unpacked = cgutils.unpack_tuple(b, values[1], len(kinds))
        context.call_conv.call_function(b, function, types.none, kinds, unpacked)
        return context.get_dummy_value()

    return types.void(address, arguments), generate


def address_of(kernel: Any, *arguments: Any) -> int:
    """Compile a kernel that returns nothing for arguments of these types, if need be, and return its address."""
    kinds = tuple(numba.typeof(argument) for argument in arguments)
    kernel.compile(kinds)
    compiled = kernel.overloads[kinds]
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))
