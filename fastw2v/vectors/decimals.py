"""Float32 numbers as decimal text, by exact integer arithmetic, many times faster than Python's own formatting.

A float32 is ``m * 2**-s`` with an integer m of at most 24 bits. So ``m * 10**p`` is exact in 64 bits (in 96 for tiny
numbers), and its low s bits give the exact distance of the number from a decimal of p places. Python and NumPy write
the few numbers that do not fit (see `put_fixed` and `put_shortest`); their text is the same.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels._jit import jit

WIDTH = 50  # bytes: the longest number in fixed form (48), and a separator

_U0, _U1, _U2, _U4, _U10 = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(10)
_U32, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_MILLION = np.uint64(10**6)
_HUNDRED, _TEN_THOUSAND = np.uint64(100), np.uint64(10**4)
_POWERS = np.array([10**p for p in range(20)], np.uint64)
_PAIRS = np.frombuffer(b"".join(b"%02d" % k for k in range(100)), np.uint8)
_MINUS, _POINT, _ZERO, _E = np.uint8(ord("-")), np.uint8(ord(".")), np.uint8(ord("0")), np.uint8(ord("e"))


def _bits(value: float) -> np.uint32:
    return np.float32(value).view(np.uint32)


_SIGN, _INFINITE = np.uint32(0x80000000), np.uint32(0x7F800000)
_LEAST = _bits(1e-10)  # m * 10**p does not fit for smaller numbers
_MOST = _bits(2**24)  # above, s is negative
_PLAIN = np.nextafter(np.float32(1e-4), np.float32(1)).view(np.uint32)  # the least number written without an exponent


@jit(exact=True, borrows=True)
def put_integer(value: np.uint64, digits: int, out: NDArray[np.uint8], at: int) -> int:
    """Write an integer with this many digits; return where it ends."""
    k = at + digits
    while k >= at + 2:
        k -= 2
        rest = value // _HUNDRED
        pair = value - rest * _HUNDRED
        out[k], out[k + 1] = _PAIRS[_U2 * pair], _PAIRS[_U2 * pair + _U1]
        value = rest
    if k > at:
        out[at] = _ZERO + np.uint8(value)
    return at + digits


@jit(exact=True, borrows=True)
def put_millionths(value: np.uint64, out: NDArray[np.uint8], at: int) -> int:
    """Write six digits, pair by pair: the pairs do not wait for each other."""
    first = value // _TEN_THOUSAND
    value -= first * _TEN_THOUSAND
    second = value // _HUNDRED
    third = value - second * _HUNDRED
    k = np.uint64(at)  # Numba makes a negative index count from the end, but not an unsigned one.
    out[k], out[k + _U1] = _PAIRS[_U2 * first], _PAIRS[_U2 * first + _U1]
    k += _U2
    out[k], out[k + _U1] = _PAIRS[_U2 * second], _PAIRS[_U2 * second + _U1]
    k += _U2
    out[k], out[k + _U1] = _PAIRS[_U2 * third], _PAIRS[_U2 * third + _U1]
    return at + 6


@jit(exact=True, borrows=True)
def count_digits(value: np.uint64) -> int:
    """Return the number of decimal digits, at least 1."""
    digits = 1
    while digits < len(_POWERS) and value >= _POWERS[digits]:
        digits += 1
    return digits


@jit(exact=True, borrows=True)
def put_fixed(bits: np.uint32, out: NDArray[np.uint8], at: int) -> int:
    """Write a float32, given by its bits, as C's ``%f`` does; return where it ends, or -1 if it is 2**63 or more."""
    magnitude = bits & ~_SIGN
    out[at] = _MINUS
    at += int(bits >> np.uint32(31))  # The processor would mispredict a branch on the sign half of the time.
    exponent: Any = np.int64(magnitude >> np.uint32(23))
    mantissa = np.uint64(magnitude & np.uint32(0x7FFFFF))
    if exponent > 0:
        mantissa |= np.uint64(0x800000)
    else:
        exponent = 1
    places = 150 - exponent  # The number is mantissa * 2**-places.
    if places < -39:
        return -1
    if places <= 0:
        whole, fraction = mantissa << np.uint64(-places), _U0
    else:
        scaled = _U0
        if places < 63:  # Otherwise the number is below 2**-39, and rounds to zero.
            product = mantissa * _MILLION
            scaled = product >> np.uint64(places)
            rest = product - (scaled << np.uint64(places))
            half = _U1 << np.uint64(places - 1)
            scaled += np.uint64(rest + (scaled & _U1) > half)  # C rounds a tie to even.
        whole = scaled // _MILLION
        fraction = scaled - whole * _MILLION
    if whole < _U10:
        out[at] = _ZERO + np.uint8(whole)
        at += 1
    else:
        at = put_integer(whole, count_digits(whole), out, at)
    out[at] = _POINT
    return put_millionths(fraction, out, at + 1)


@jit(exact=True, borrows=True)
def nearest_decimal(mantissa: np.uint64, shift: np.uint64, places: int) -> tuple[bool, np.uint64]:
    """Find the decimal of this many places that is nearest to ``mantissa * 2**-shift`` and reads back as its float32.

    Return whether there is one, and the decimal times ``10**places``.
    """
    # In units of 2**-shift / 10**places, half of the gap to the next float32 is 10**places / 2. A power of two is
    # nearer to the one below. A decimal in the very middle reads back as the even one of the two.
    power, unit = _POWERS[np.uint64(places)], _U1 << shift
    high, low = mantissa * (power >> _U32), mantissa * (power & _LOW)
    high += low >> _U32
    low &= _LOW
    if shift < _U32:  # The product fits in 64 bits.
        product = (high << _U32) | low
        decimal = product >> shift
        rest = product - (decimal << shift)
    else:
        decimal = high >> (shift - _U32)
        rest = ((high - (decimal << (shift - _U32))) << _U32) | low
    gap = power + (_U1 - (mantissa & _U1))
    down = (_U4 if mantissa == np.uint64(0x800000) else _U2) * rest < gap
    up = _U2 * (unit - rest) < gap
    nearer_up = _U2 * rest + (decimal & _U1) > unit
    return down or up, decimal + np.uint64(up and (nearer_up or not down))


@jit(exact=True, borrows=True)
def put_shortest(bits: np.uint32, out: NDArray[np.uint8], at: int) -> int:
    """Write a float32, given by its bits, with the fewest digits that read back as the same float32, as NumPy does.

    Numbers below 1e-4 get an exponent. Return where the text ends, or -1 if the magnitude is 2**24 or more, or below
    1e-10 but not 0.
    """
    magnitude = bits & ~_SIGN
    if magnitude != np.uint32(0) and (magnitude < _LEAST or magnitude >= _MOST):
        return -1
    out[at] = _MINUS
    at += int(bits >> np.uint32(31))
    if magnitude == np.uint32(0):
        out[at], out[at + 1], out[at + 2] = _ZERO, _POINT, _ZERO
        return at + 3
    mantissa = np.uint64(magnitude & np.uint32(0x7FFFFF)) | np.uint64(0x800000)
    shift = np.uint64(150) - np.uint64(magnitude >> np.uint32(23))  # The number is mantissa * 2**-shift.
    # Decimals of so many places are closer together than float32: 1234 / 4096 is a little more than log10(2).
    places: Any = (np.int64(shift) * 1234 >> 12) + 1
    _, decimal = nearest_decimal(mantissa, shift, places)
    while places > 0:
        fits, shorter = nearest_decimal(mantissa, shift, places - 1)
        if not fits:
            break
        places, decimal = places - 1, shorter
    digits = count_digits(decimal)
    if magnitude >= _PLAIN:
        whole = decimal // _POWERS[places]
        at = put_integer(whole, count_digits(whole), out, at)
        out[at] = _POINT
        if places == 0:
            out[at + 1] = _ZERO
            return at + 2
        return put_integer(decimal - whole * _POWERS[places], places, out, at + 1)
    first = decimal // _POWERS[digits - 1]
    at = put_integer(first, 1, out, at)
    if digits > 1:
        out[at] = _POINT
        at = put_integer(decimal - first * _POWERS[digits - 1], digits - 1, out, at + 1)
    out[at], out[at + 1] = _E, _MINUS
    return put_integer(np.uint64(places - digits + 1), 2, out, at + 2)


@jit(exact=True, borrows=True)
def put_rows(
    bits: NDArray[np.uint32],
    start: int,
    shortest: bool,
    separator: int,
    end: int,
    out: NDArray[np.uint8],
    at: int,
    ends: NDArray[np.int64],
) -> int:
    """Write numbers from index ``start``; return the index of the first that does not fit, or the size of ``bits``.

    Args:
        bits: ``(rows, columns)``, the bits of float32.
        start: the first number to write, counted row by row.
        shortest: whether to write with `put_shortest`; else with `put_fixed`.
        separator: the byte after each number but the last of a row.
        end: the byte after the last number of a row.
        out: where to write.
        at: the first byte to write.
        ends: ``(rows + 1,)``: row r ends before ``ends[r]``; the last element gets the end of what was written.
    """
    columns = bits.shape[1]
    first = start % columns
    for row in range(start // columns, len(bits)):
        for column in range(first, columns):
            value = bits[row, column]
            stop = put_shortest(value, out, at) if shortest else put_fixed(value, out, at)
            if stop < 0:
                ends[-1] = at
                return int(row * columns + column)
            out[stop] = np.uint8(end if column == columns - 1 else separator)
            at = stop + 1
        ends[row] = at
        first = 0
    ends[-1] = at
    return int(len(bits) * columns)


def text_of_rows(
    matrix: NDArray[np.float32], *, shortest: bool, separator: bytes, end: bytes
) -> tuple[memoryview, list[int]]:
    """Return the text of a block of rows, and where each row's text ends.

    Args:
        matrix: float32 ``(rows, columns)``, all finite.
        shortest: write the fewest digits that read back as the same float32, as NumPy prints it; else six
            decimals, as C's ``%f``.
        separator: the byte after each number but the last of a row.
        end: the byte after the last number of a row.
    """
    block = np.ascontiguousarray(matrix, np.float32)
    bits, out = block.view(np.uint32), np.empty(WIDTH * block.size, np.uint8)
    ends = np.zeros(len(block) + 1, np.int64)
    number: Any = 0
    while True:
        number = put_rows(bits, number, shortest, separator[0], end[0], out, int(ends[-1]), ends)
        if number == block.size:
            return out[: ends[-1]].data, ends[:-1].tolist()
        row, column = divmod(number, block.shape[1])
        value = block[row, column]
        last = column == block.shape[1] - 1
        shown = np.format_float_scientific(value, exp_digits=2, trim="-") if shortest else f"{value:f}"
        text = shown.encode("ascii") + (end if last else separator)
        at = int(ends[-1])
        out[at : at + len(text)] = np.frombuffer(text, np.uint8)
        ends[-1] += len(text)
        if last:
            ends[row] = ends[-1]
        number += 1
