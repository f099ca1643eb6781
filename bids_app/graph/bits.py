"""A graph as bits: one per ordered pair of nodes, N * N / 8 bytes, and vector instructions upon them.

The bits are stored as (C, N, 64) uint64: chunk c holds columns 4096 c to 4096 c + 4095 of every row,
so that the part of a thousand rows which one sweep reads is contiguous and stays in the L2 cache.

The intrinsics are written for vectors of 64 lanes. LLVM makes of them the widest instructions that the
processor has (a 512-bit popcount where there is one), and correct ones where it has none.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

WORD = 64
WORDS = 64
CHUNK = WORD * WORDS
ROW = types.int64
LANES = 8  # 512 bits of words or of doubles: partial sums are kept in so many lanes

_I1, _I32, _I64, _FLOAT, _DOUBLE = ir.IntType(1), ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType()


class _Vector(types.Type):
    """A vector register, or as many as it takes."""

    def __init__(self, name, element, count):
        self.llvm = ir.VectorType(element, count)
        super().__init__(name=name)


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, kind.llvm)


_ROW_PART = _Vector("RowPart", _I64, WORDS)
_SUMS = _Vector("Sums", _DOUBLE, LANES)


def _pointer(context, builder, array_type, array, offset, target):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), target.as_pointer())


def _load(context, builder, array_type, array, offset, target):
    size = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
    return builder.load(_pointer(context, builder, array_type, array, offset, target), align=size)


def _call(builder, name, result, *arguments):
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _lanes(builder, vector, part):
    """Return lanes 8 part to 8 part + 7 of a vector."""
    places = ir.Constant(ir.VectorType(_I32, LANES), [part * LANES + lane for lane in range(LANES)])
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), places)


def _tree(combine, values):
    while len(values) > 1:
        values = [combine(first, second) for first, second in zip(values[::2], values[1::2], strict=True)]
    return values[0]


def _sum_of_floats(builder, vector):
    """Sum 64 float32 lanes, in an order that is fixed and keeps the processor busy."""
    halves = ir.Constant(_FLOAT, -0.0)
    name = f"llvm.vector.reduce.fadd.v{vector.type.count}f32"
    call = _call(builder, name, _FLOAT, halves, vector)
    call.fastmath.add("reassoc")
    return call


@intrinsic
def popcount(typing_context, word):
    """Count the set bits."""
    return types.int64(types.uint64), lambda context, builder, signature, words: builder.ctpop(words[0])


@intrinsic
def lowest_bit(typing_context, word):
    """Position of the lowest set bit."""

    def codegen(context, builder, signature, words):
        return builder.cttz(words[0], context.get_constant(types.boolean, False))

    return types.int64(types.uint64), codegen


@intrinsic
def row_part(typing_context, words, offset):
    """Load 64 words, from `offset` on, into registers."""

    def codegen(context, builder, signature, arguments):
        return _load(context, builder, signature.args[0], *arguments, _ROW_PART.llvm)

    return _ROW_PART(words, ROW), codegen


@intrinsic
def count_common(typing_context, part, words, offset):
    """Count the bits that a loaded part of a row and 64 words, from `offset` on, have in common."""

    def codegen(context, builder, signature, arguments):
        counts, lanes = [], ir.VectorType(_I64, LANES)
        start = _pointer(context, builder, signature.args[1], *arguments[1:], lanes)
        for step in range(WORDS // LANES):
            other = builder.load(builder.gep(start, [_I32(step)]), align=8)
            both = builder.and_(_lanes(builder, arguments[0], step), other)
            counts.append(_call(builder, f"llvm.ctpop.v{LANES}i64", lanes, both))
        return _call(builder, f"llvm.vector.reduce.add.v{LANES}i64", _I64, _tree(builder.add, counts))

    return types.int64(part, words, ROW), codegen


@intrinsic
def have_common(typing_context, part, words, offset):
    """Tell whether a loaded part of a row and 64 words, from `offset` on, have a bit in common."""

    def codegen(context, builder, signature, arguments):
        other = _load(context, builder, signature.args[1], *arguments[1:], _ROW_PART.llvm)
        both = builder.and_(arguments[0], other)
        parts = [_lanes(builder, both, step) for step in range(WORDS // LANES)]
        one = _call(builder, f"llvm.vector.reduce.or.v{LANES}i64", _I64, _tree(builder.or_, parts))
        return builder.icmp_unsigned("!=", one, _I64(0))

    return types.boolean(part, words, ROW), codegen


@intrinsic
def above(typing_context, values, offset, bound):
    """Compare 64 float32 values, from `offset` on, with a bound: a word with a bit for each that is above."""

    def codegen(context, builder, signature, arguments):
        vector = ir.VectorType(_FLOAT, WORD)
        loaded = _load(context, builder, signature.args[0], *arguments[:2], vector)
        first = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[2], _I32(0))
        everywhere = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_I32, WORD), [0] * WORD))
        return builder.bitcast(builder.fcmp_ordered(">", loaded, everywhere), _I64)

    return types.uint64(values, ROW, types.float32), codegen


@intrinsic
def add_chosen(typing_context, word, values, offset, sums, place):
    """Add the values of 64 whose bit is set to the 64 float32 sums from `place` on; return their sum."""

    def codegen(context, builder, signature, arguments):
        vector = ir.VectorType(_FLOAT, WORD)
        loaded = _load(context, builder, signature.args[1], arguments[1], arguments[2], vector)
        chosen = builder.bitcast(arguments[0], ir.VectorType(_I1, WORD))
        kept = builder.select(chosen, loaded, ir.Constant(vector, [0.0] * WORD))
        target = _pointer(context, builder, signature.args[3], arguments[3], arguments[4], vector)
        builder.store(builder.fadd(builder.load(target, align=4), kept), target, align=4)
        return _sum_of_floats(builder, kept)

    return types.float32(types.uint64, values, ROW, sums, ROW), codegen


@intrinsic
def no_sums(typing_context):
    """Eight sums of nothing."""
    return _SUMS(), lambda context, builder, signature, arguments: ir.Constant(_SUMS.llvm, [0.0] * LANES)


@intrinsic
def plus_chosen(typing_context, sums, word, values, offset):
    """Add the float64 values, from `offset` on, whose bit is set in the word, to eight running sums."""

    def codegen(context, builder, signature, arguments):
        vector = ir.VectorType(_DOUBLE, WORD)
        loaded = _load(context, builder, signature.args[2], *arguments[2:], vector)
        chosen = builder.bitcast(arguments[1], ir.VectorType(_I1, WORD))
        kept = builder.select(chosen, loaded, ir.Constant(vector, [0.0] * WORD))
        parts = [_lanes(builder, kept, step) for step in range(WORD // LANES)]
        return builder.fadd(arguments[0], _tree(builder.fadd, parts))

    return _SUMS(sums, types.uint64, values, ROW), codegen


@intrinsic
def total(typing_context, sums):
    """Add up eight running sums, from the first to the last."""

    def codegen(context, builder, signature, arguments):
        return _call(builder, f"llvm.vector.reduce.fadd.v{LANES}f64", _DOUBLE, ir.Constant(_DOUBLE, -0.0), arguments[0])

    return types.float64(sums), codegen


def n_chunks(n_nodes):
    """Return how many chunks the columns of a graph take."""
    return -(-n_nodes // CHUNK)


def empty_bits(n_nodes, allocate=np.zeros):
    """Return a graph of `n_nodes` nodes without edges, (C, N, 64) uint64.

    Parameters
    ----------
    n_nodes : int
    allocate : callable
        Makes an array of zeros from a shape and a data type; one that maps a file keeps the graph on disk.
    """
    return allocate((n_chunks(n_nodes), n_nodes, WORDS), np.uint64)


def bytes_of_bits(n_nodes):
    """Return the size of a graph of `n_nodes` nodes.

    Examples
    --------
    >>> bytes_of_bits(64_292) / 64_292**2 < 1 / 7.9
    True
    """
    return n_chunks(n_nodes) * n_nodes * WORDS * 8


@njit(cache=True, nogil=True)
def set_edge(bits, row, column):
    """Set the two bits of an edge."""
    bits[column // CHUNK, row, column % CHUNK // WORD] |= np.uint64(1) << np.uint64(column % WORD)
    bits[row // CHUNK, column, row % CHUNK // WORD] |= np.uint64(1) << np.uint64(row % WORD)


@njit(cache=True, nogil=True)
def beyond(word, row, column):
    """Keep the bits of a word, whose first bit is `column`, above the diagonal."""
    if column > row:
        return word
    if column + WORD - 1 <= row:
        return np.uint64(0)
    return word & (~np.uint64(0) << np.uint64(row - column + 1))


@njit(cache=True, nogil=True)
def transpose(words):
    """Transpose a square of 64 x 64 bits, one word a row, in place, by halves (Warren, Hacker's Delight, 7-3)."""
    width, mask = 32, np.uint64(0x00000000FFFFFFFF)
    while width:
        row = 0
        while row < WORD:
            moved = ((words[row] >> np.uint64(width)) ^ words[row + width]) & mask
            words[row] ^= moved << np.uint64(width)
            words[row + width] ^= moved
            row = (row + width + 1) & ~width
        width >>= 1
        mask ^= mask << np.uint64(width)


def pack(members, n_nodes):
    """Pack sets of nodes as if each were a row of a graph.

    Parameters
    ----------
    members : (M, N) bool ndarray

    Returns
    -------
    (C, M, 64) uint64 ndarray
    """
    padded = np.zeros((len(members), n_chunks(n_nodes) * CHUNK), dtype=bool)
    padded[:, :n_nodes] = members
    words = np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
    return np.ascontiguousarray(words.reshape(len(members), -1, WORDS).swapaxes(0, 1))


@njit(cache=True, nogil=True)
def count_in_sets(bits, sets, counts):
    """Count the neighbours of every node in each of M sets.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray
    sets : (C, M, 64) uint64 ndarray
        From `pack`.
    counts : (N, M) int64 ndarray
        Added to.
    """
    n_nodes, n_sets = bits.shape[1], sets.shape[1]
    flat, flat_sets = bits.ravel(), sets.ravel()
    for chunk in range(bits.shape[0]):
        for node in range(n_nodes):
            part = row_part(flat, (chunk * n_nodes + node) * WORDS)
            for member in range(n_sets):
                counts[node, member] += count_common(part, flat_sets, (chunk * n_sets + member) * WORDS)
