"""Vector instructions upon graphs that are stored as bits, as `bits` has them.

The intrinsics are written for vectors of 64 lanes. LLVM makes of them the widest instructions that the
processor has (a 512-bit popcount where there is one), and correct ones where it has none.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from bids_app.graph.exact import SHIFT

WORD = 64
WORDS = 64
CHUNK = WORD * WORDS
ROW = types.int64
LANES = 8  # 512 bits of words or of doubles: partial sums are kept in so many lanes
STEP = 16  # 512 bits of float32

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
_PRODUCTS = _Vector("Products", _FLOAT, STEP)


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


def _counted(builder, part, start):
    """Count the bits that 64 loaded words and those at a pointer have in common, in eight lanes."""
    counts = []
    for step in range(WORDS // LANES):
        other = builder.load(builder.gep(start, [_I32(step)]), align=8)
        both = builder.and_(_lanes(builder, part, step), other)
        counts.append(_call(builder, f"llvm.ctpop.v{LANES}i64", both.type, both))
    return _tree(builder.add, counts)


@intrinsic
def count_common(typing_context, part, words, offset):
    """Count the bits that a loaded part of a row and 64 words, from `offset` on, have in common."""

    def codegen(context, builder, signature, arguments):
        start = _pointer(context, builder, signature.args[1], *arguments[1:], ir.VectorType(_I64, LANES))
        return _call(builder, f"llvm.vector.reduce.add.v{LANES}i64", _I64, _counted(builder, arguments[0], start))

    return types.int64(part, words, ROW), codegen


def _picked(builder, first, second, *places):
    """Return the lanes of two vectors, one after the other, at some places."""
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_I32, len(places)), list(places)))


@intrinsic
def add_common_to_four(typing_context, part, words, offsets, counts, place):
    """Do what `count_common` does for four offsets at once, and add the counts to four int32 from `place` on.

    The lanes of four counts are added up together, which takes half the instructions of one by one.
    """

    def codegen(context, builder, signature, arguments):
        part, words, offsets, counts, place = arguments
        lanes = ir.VectorType(_I64, LANES)
        one, two, three, four = (
            _counted(builder, part, _pointer(context, builder, signature.args[1], words, offset, lanes))
            for offset in cgutils.unpack_tuple(builder, offsets)
        )
        even, odd = (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15)
        first = builder.add(_picked(builder, one, two, *even), _picked(builder, one, two, *odd))
        second = builder.add(_picked(builder, three, four, *even), _picked(builder, three, four, *odd))
        low, high = (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)
        halves = builder.add(_picked(builder, first, second, *low), _picked(builder, first, second, *high))
        sums = builder.add(_picked(builder, halves, halves, 0, 1, 2, 3), _picked(builder, halves, halves, 4, 5, 6, 7))
        narrow = ir.VectorType(_I32, 4)
        target = _pointer(context, builder, signature.args[3], counts, place, narrow)
        builder.store(builder.add(builder.load(target, align=4), builder.trunc(sums, narrow)), target, align=4)
        return context.get_dummy_value()

    return types.void(part, words, offsets, counts, ROW), codegen


@intrinsic
def start_common(typing_context, part, words, offset):
    """Tell whether the first 8 words of a loaded part of a row and those from `offset` on have a bit in common."""

    def codegen(context, builder, signature, arguments):
        other = _load(context, builder, signature.args[1], *arguments[1:], ir.VectorType(_I64, LANES))
        both = builder.and_(_lanes(builder, arguments[0], 0), other)
        one = _call(builder, f"llvm.vector.reduce.or.v{LANES}i64", _I64, both)
        return builder.icmp_unsigned("!=", one, _I64(0))

    return types.boolean(part, words, ROW), codegen


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
    """Add the float32 values of 64 whose bit is set to the 64 float64 sums from `place` on; return their sum.

    Each is rounded as by `exact.on_grid`, so that no order changes a sum.
    """

    def codegen(context, builder, signature, arguments):
        vector, wide = ir.VectorType(_FLOAT, WORD), ir.VectorType(_DOUBLE, WORD)
        loaded = _load(context, builder, signature.args[1], arguments[1], arguments[2], vector)
        chosen = builder.bitcast(arguments[0], ir.VectorType(_I1, WORD))
        kept = builder.fpext(builder.select(chosen, loaded, ir.Constant(vector, [0.0] * WORD)), wide)
        shift = ir.Constant(wide, [SHIFT] * WORD)
        kept = builder.fsub(builder.fadd(kept, shift), shift)
        target = _pointer(context, builder, signature.args[3], arguments[3], arguments[4], wide)
        builder.store(builder.fadd(builder.load(target, align=8), kept), target, align=8)
        parts = [_lanes(builder, kept, step) for step in range(WORD // LANES)]
        start = ir.Constant(_DOUBLE, -0.0)
        call = _call(builder, f"llvm.vector.reduce.fadd.v{LANES}f64", _DOUBLE, start, _tree(builder.fadd, parts))
        call.fastmath.add("reassoc")  # exact in any order
        return call

    return types.float64(types.uint64, values, ROW, sums, ROW), codegen


@intrinsic
def fetch(typing_context, words, offset):
    """Ask for 64 words, from `offset` on, to be brought near while other work goes on."""

    def codegen(context, builder, signature, arguments):
        start = _pointer(context, builder, signature.args[0], *arguments, ir.IntType(8))
        kind = ir.FunctionType(ir.VoidType(), [start.type, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for line in range(0, WORDS * 8, 64):
            builder.call(function, [builder.gep(start, [_I32(line)]), _I32(0), _I32(2), _I32(1)])
        return context.get_dummy_value()

    return types.void(words, ROW), codegen


@intrinsic
def no_products(typing_context):
    """Sixteen sums of nothing."""
    return _PRODUCTS(), lambda context, builder, signature, arguments: ir.Constant(_PRODUCTS.llvm, [0.0] * STEP)


@intrinsic
def plus_products(typing_context, sums, values, first, second):
    """Add the products of 16 float32 values from `first` on and 16 from `second` on to sixteen running sums."""

    def codegen(context, builder, signature, arguments):
        one, other = (
            _load(context, builder, signature.args[1], arguments[1], offset, _PRODUCTS.llvm) for offset in arguments[2:]
        )
        return _call(builder, f"llvm.fma.v{STEP}f32", _PRODUCTS.llvm, one, other, arguments[0])

    return _PRODUCTS(sums, values, ROW, ROW), codegen


@intrinsic
def total_product(typing_context, sums):
    """Add up sixteen running sums."""
    return types.float32(sums), lambda context, builder, signature, arguments: _sum_of_floats(builder, arguments[0])


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
