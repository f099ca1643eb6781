"""Inner products of float32 rows, of which the bytes are the same on every processor.

A library of linear algebra adds up a product in an order that is its own for each kind of processor, so that the last
bits of a correlation depend on where it was computed. Here each product is one sum, from the first column to the last,
by fused multiplication and addition, which IEEE 754 defines to the last bit. Neither the width of the vectors, nor the
blocks, the threads or the order of the nodes changes it.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

DEPTH = 192  # columns that are multiplied at once, at the most: of two panels, what stays in the first cache
PANEL = 32  # rows that are kept side by side, so that a vector holds the same column of each
_FLOAT, _DOUBLE, _I32, _I64 = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64)
# Rows and columns of the part of a product that is kept in registers; which one is taken changes no sum.
WIDE, NARROW = (8, 32), (4, 16)


def packed(rows: np.ndarray) -> np.ndarray:
    """Lay rows out for `multiply`.

    Parameters
    ----------
    rows : (N, T) float32 ndarray

    Returns
    -------
    (P, T, 32) float32 ndarray
        P panels of 32 rows; zeros beyond the last row.

    Examples
    --------
    >>> packed(np.ones((33, 4), np.float32)).sum(axis=(1, 2))
    array([128.,   4.], dtype=float32)
    """
    panels = np.zeros((-(-len(rows) // PANEL), rows.shape[1], PANEL), dtype=np.float32)
    for panel, some in zip(panels, range(0, len(rows), PANEL), strict=True):
        part = rows[some : some + PANEL]
        panel[:, : len(part)] = part.T
    return panels


@njit(cache=True, nogil=True)
def multiply(first, second, out):
    """Multiply every row of some panels with every row of others.

    Parameters
    ----------
    first : (P, T, 32) float32 ndarray
    second : (Q, T, 32) float32 ndarray
        From `packed`.
    out : (32 P, 32 Q) float32 ndarray
        Receives the products, C order.

    Notes
    -----
    Each is off by T / 2**24 of the rows' norms at most, as any sum in float32.
    """
    one, other, received, length = first.ravel(), second.ravel(), out.ravel(), first.shape[1]
    rows, columns = tile_shape()
    at_once = -(-length // max(-(-length // DEPTH), 1))
    received[:] = 0
    for begin in range(0, length, max(at_once, 1)):
        depth = min(at_once, length - begin)
        for panel in range(second.shape[0]):
            for row in range(0, out.shape[0], rows):
                start = (row // PANEL * length + begin) * PANEL + row % PANEL
                for column in range(0, PANEL, columns):
                    corner = row * out.shape[1] + panel * PANEL + column
                    at = start, (panel * length + begin) * PANEL + column, corner
                    multiply_tile(one, other, received, at, (depth, out.shape[1]))


def _tile_of(context):
    """Return what fits into the registers: 32 of 512 bits, or 16 of 256."""
    return WIDE if "+avx512f" in context.codegen().magic_tuple()[2] else NARROW


@intrinsic
def tile_shape(typing_context):
    """Rows and columns of a tile."""
    kind = types.UniTuple(types.int64, 2)

    def codegen(context, builder, signature, arguments):
        return context.make_tuple(
            builder, kind, [context.get_constant(types.int64, size) for size in _tile_of(context)]
        )

    return kind(), codegen


@intrinsic
def multiply_tile(typing_context, first, second, out, at, size):
    """Add one tile of products, from three offsets on: of so many columns, to rows that lie so far apart."""

    def codegen(context, builder, signature, arguments):
        n_rows, n_columns = _tile_of(context)
        lanes = ir.VectorType(_FLOAT, n_columns)
        length, width = cgutils.unpack_tuple(builder, arguments[4])
        data = [
            context.make_array(kind)(context, builder, array).data
            for kind, array in zip(signature.args[:3], arguments[:3], strict=True)
        ]
        one, other, target = map(
            builder.gep, data, [[offset] for offset in cgutils.unpack_tuple(builder, arguments[3])]
        )
        sums = [cgutils.alloca_once(builder, lanes) for _ in range(n_rows)]
        stored = [
            builder.bitcast(builder.gep(target, [builder.mul(width, _I64(row))]), lanes.as_pointer())
            for row in range(n_rows)
        ]
        for start, place in zip(stored, sums, strict=True):
            builder.store(builder.load(start, align=4), place)
        with cgutils.for_range(builder, length) as loop:
            step = builder.mul(loop.index, _I64(PANEL))
            across = builder.load(builder.bitcast(builder.gep(other, [step]), lanes.as_pointer()), align=4)
            for row, place in enumerate(sums):
                value = builder.load(builder.gep(one, [builder.add(step, _I64(row))]))
                builder.store(
                    _fused(context, builder, _everywhere(builder, value, lanes), across, builder.load(place)), place
                )
        for start, place in zip(stored, sums, strict=True):
            builder.store(builder.load(place), start, align=4)
        return context.get_dummy_value()

    return types.void(first, second, out, at, size), codegen


def _everywhere(builder, value, kind):
    """Return a vector that has one value in each lane."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count))


def _fused(context, builder, one, other, total):
    """Return one * other + total, rounded once; a processor without such an instruction takes some twenty for it."""
    kind, features = total.type, context.codegen().magic_tuple()[2]
    if "+fma" in features or "+avx512f" in features:
        function = ir.FunctionType(kind, [kind] * 3)
        name = f"llvm.fma.v{kind.count}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, function, name), [one, other, total])
    return _fused_by_doubles(builder, one, other, total)


def _fused_by_doubles(builder, one, other, total):
    """Round the sum to float64 so that rounding that to float32 is rounding once: to odd (Boldo & Melquiond 2008).

    The product of two float32 is exact in float64. Where adding to it is not, and the last bit is even, the other
    neighbour of the exact sum is taken, which is odd and never half way between two float32.
    """
    wide, bits = ir.VectorType(_DOUBLE, total.type.count), ir.VectorType(_I64, total.type.count)
    one, other, total = (builder.fpext(value, wide) for value in (one, other, total))
    product = builder.fmul(one, other)
    found = builder.fadd(product, total)
    part = builder.fsub(found, product)
    error = builder.fadd(builder.fsub(product, builder.fsub(found, part)), builder.fsub(total, part))
    nought, as_bits = ir.Constant(wide, [0.0] * wide.count), builder.bitcast(found, bits)
    ones = ir.Constant(bits, [1] * bits.count)
    inexact = builder.zext(builder.fcmp_ordered("!=", error, nought), bits)
    even = builder.and_(builder.and_(builder.not_(as_bits), ones), inexact)
    away = builder.lshr(builder.xor(builder.bitcast(error, bits), as_bits), ir.Constant(bits, [63] * bits.count))
    step = builder.sub(
        ones, builder.shl(away, ones)
    )  # up or down in bits: 1 where the error has the sign of the sum, else -1
    moved = builder.bitcast(builder.add(as_bits, builder.mul(even, step)), wide)
    return builder.fptrunc(moved, ir.VectorType(_FLOAT, wide.count))
