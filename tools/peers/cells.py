"""What is measured: the grid of shapes and axes, the sweeps of the plots, and the rows that are hard to get right.

A cell is one softmax: a shape, the axes, an element type, how the input lies in memory. Classes group cells as the
tables do.
"""

import math
from dataclasses import dataclass, replace

TYPES = ("float32", "float64", "float16", "bfloat16")


@dataclass(frozen=True)
class Cell:
    """One softmax over `axes` of an array of `shape`. `form` is "" (row-major), "transposed" or "stepped" input."""

    kind: str
    shape: tuple
    axes: tuple
    dtype: str = "float32"
    form: str = ""

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def group(self):
        """Elements that are normalized together."""
        return math.prod(self.shape[a] for a in self.axes)

    @property
    def name(self):
        shape = ",".join(map(str, self.shape))
        axes = ",".join(str(-1 if a == len(self.shape) - 1 and len(self.shape) > 1 else a) for a in self.axes)
        if len(self.axes) > 1:
            axes = ",".join(map(str, self.axes))
        text = f"({shape}) {axes}"
        if self.form:
            text += f" {self.form}"
        if self.dtype != "float32":
            text += f" {self.dtype}"
        return text


def cell(kind, shape, *axes, form=""):
    rank = len(shape)
    return Cell(kind, tuple(shape), tuple(sorted(a % rank for a in axes)), form=form)


# The titles of the classes, in the order of the tables.
KINDS = {
    "classes": "rows of 3 to 40",
    "attention": "rows of 64 to 4,096",
    "vocabulary": "rows of 32,000 to 256,000",
    "one row": "one row of 16 million",
    "first axis": "the first axis",
    "middle axis": "a middle axis",
    "joint axes": "several axes at once",
    "strided": "transposed and stepped input",
    "single rows": "a batch of one row, from L1 to memory",
    "tiny": "ten elements",
}

GRID = [
    *(cell("classes", (65536, n), -1) for n in (3, 10, 16, 40)),
    cell("attention", (12288, 128), -1),
    cell("attention", (64, 1000), -1),
    cell("attention", (32, 12, 64, 64), -1),
    cell("attention", (8, 12, 128, 128), -1),
    cell("attention", (4, 16, 256, 256), -1),
    cell("attention", (8, 12, 512, 512), -1),
    cell("attention", (2, 16, 1024, 1024), -1),
    cell("attention", (49152, 512), -1),
    cell("attention", (1, 8, 2048, 2048), -1),
    cell("attention", (4096, 4096), -1),
    *(cell("vocabulary", (batch, n), -1) for n in (32000, 128256, 256000) for batch in (1, 16, 256)),
    cell("one row", (16777216,), 0),
    cell("first axis", (1000, 64), 0),
    cell("first axis", (4096, 1024), 0),
    cell("first axis", (16, 65536), 0),
    cell("first axis", (100000, 16), 0),
    cell("first axis", (64, 4096), 0),
    cell("middle axis", (8, 128, 56, 56), 1),
    cell("middle axis", (32, 21, 64, 64), 1),
    cell("middle axis", (1000, 1000, 2), 1),
    cell("middle axis", (1000, 500, 4), 1),
    cell("middle axis", (100, 1000, 8), 1),
    cell("middle axis", (16, 512, 64), 1),
    cell("joint axes", (16, 64, 64, 64), 1, 3),
    cell("joint axes", (16, 64, 64, 64), 2, 3),
    cell("joint axes", (64, 128, 96), 0, 2),
    cell("strided", (1024, 1024), -1, form="transposed"),
    cell("strided", (1024, 1024), 0, form="transposed"),
    cell("strided", (4096, 512), -1, form="stepped"),
    cell("strided", (512, 4096), 0, form="stepped"),
    *(cell("single rows", (1, n), -1) for n in (256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)),
    cell("tiny", (10,), 0),
]

# The other types, on shapes of every class.
TYPED = [
    cell("classes", (65536, 10), -1),
    cell("attention", (64, 1000), -1),
    cell("attention", (8, 12, 128, 128), -1),
    cell("attention", (8, 12, 512, 512), -1),
    cell("vocabulary", (1, 32000), -1),
    cell("vocabulary", (16, 128256), -1),
    cell("first axis", (1000, 64), 0),
    cell("first axis", (4096, 1024), 0),
    cell("first axis", (16, 65536), 0),
    cell("middle axis", (8, 128, 56, 56), 1),
    cell("middle axis", (100, 1000, 8), 1),
    cell("joint axes", (16, 64, 64, 64), 2, 3),
    cell("single rows", (1, 4096), -1),
]

# Worth several threads: 64 Ki elements and more.
THREADED_SIZE = 1 << 16

# The shapes of the picture: one or two of each class.
PICTURE = [
    "(65536,10) -1",
    "(64,1000) -1",
    "(8,12,512,512) -1",
    "(1,32000) -1",
    "(256,128256) -1",
    "(16777216) 0",
    "(1000,64) 0",
    "(4096,1024) 0",
    "(8,128,56,56) 1",
    "(1000,500,4) 1",
    "(16,64,64,64) 1,3",
]


def grid(types, threads):
    """The cells of those types, those that are worth it if there are several threads."""
    cells = [c for c in GRID if "float32" in types]
    cells += [replace(c, dtype=t) for t in types if t != "float32" for c in TYPED]
    return [c for c in cells if threads == 1 or c.size >= THREADED_SIZE]


def steps(first, last, per_octave):
    """Integers from first to last, about so many for each doubling, each once."""
    count = round(math.log2(last / first) * per_octave)
    return sorted({round(first * (last / first) ** (k / count)) for k in range(count + 1)})


ROWS_OF = 65536
INNER_OF = 1 << 20


def sweeps():
    """name -> (title, what runs along the axis, cells); every library is timed on each."""
    return {
        "row": (
            "row length, 65,536 elements or one row",
            "elements of a row",
            {n: cell("sweep", (max(1, ROWS_OF // n), n), -1) for n in steps(2, 1 << 22, 2)},
        ),
        "batch": (
            "batch of rows of 1,000",
            "rows",
            {n: cell("sweep", (n, 1000), -1) for n in steps(1, 16384, 2)},
        ),
        "inner": (
            "inner extent, 64 elements to normalize, a million in all",
            "neighbours across the axis",
            {n: cell("sweep", (max(1, INNER_OF // (64 * n)), 64, n), 1) for n in steps(1, 65536, 1)},
        ),
    }


def dense():
    """name -> {extent: cell}, for softax alone: every extent where it is small, then triples of neighbours."""
    sparse = [n + d for n in steps(320, 65536, 4) for d in (-1, 0, 1)]
    extents = sorted({*range(1, 300), *sparse})
    inner = sorted({*range(1, 150), *(n + d for n in steps(160, 8192, 3) for d in (-1, 0, 1))})
    return {
        "row": {n: cell("dense", (max(1, ROWS_OF // n), n), -1) for n in extents},
        "reduce": {n: cell("dense", (n, max(1, ROWS_OF // n)), 0) for n in extents if n <= 4200},
        "inner": {n: cell("dense", (max(1, ROWS_OF // (50 * n)), 50, n), 1) for n in inner},
    }


@dataclass(frozen=True)
class Hard:
    """Rows on which rounding shows: scale * N(0,1), or one 0 and the same number ever after."""

    name: str
    rows: int
    length: int
    scale: float = 1.0
    constant: float | None = None


HARD = [
    Hard("N(0,1), 1,000", 100, 1000),
    Hard("N(0,1), 32,000", 10, 32000),
    Hard("N(0,1), 10,000,000", 1, 10_000_000),
    Hard("N(0,10), 1,000", 100, 1000, scale=10.0),
    Hard("0, then 10,000,000 times -0.7", 1, 10_000_001, constant=-0.7),
]
