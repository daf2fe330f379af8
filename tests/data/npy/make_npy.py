#!/usr/bin/env python3
"""Writes the .npy files of tests/npy.cpp with NumPy itself (and ml_dtypes for bfloat16), beside this script.

Element k, counted in row-major order, is k - 2 for signed and floating types and k for unsigned ones, times 0.25 for
floating types; bool is true at even k.
"""

from pathlib import Path

import ml_dtypes
import numpy as np

here = Path(__file__).parent


def numbered(shape, dtype):
    count = np.arange(int(np.prod(shape)))
    kind = np.dtype(dtype).kind
    if kind == "b":
        values = count % 2 == 0
    elif kind == "u":
        values = count
    elif kind == "i":
        values = count - 2
    else:
        values = (count - 2) * 0.25
    return values.astype(dtype).reshape(shape)


def save(name, array, version=None):
    with open(here / f"{name}.npy", "wb") as file:
        np.lib.format.write_array(file, np.asanyarray(array), version=version)


for name in "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64".split():
    save(name, numbered((2, 3), name))
for name in "i2 u4 i8 f2 f4 f8".split():
    save("big_" + name, numbered((2, 3), ">" + name))
save("bfloat16", numbered((2, 3), ml_dtypes.bfloat16))
save("void2", numbered((2, 3), ml_dtypes.bfloat16).view("V2"))
save("rank_0", numbered((), "f4"))
save("rank_1", numbered((5,), "f4"))
save("rank_5", numbered((2, 1, 3, 1, 2), "f4"))
save("rank_16", numbered((1,) * 16, "f4"))
save("header_192", numbered((1,) * 12 + (10, 10), "i1"))  # 128 bytes would do, but NumPy always adds a blank
save("empty_1", numbered((0,), "f4"))
save("empty_3", numbered((2, 0, 3), "f4"))
save("fortran", np.asfortranarray(numbered((2, 3, 4), "f4")))
save("fortran_big", np.asfortranarray(numbered((2, 3), ">f8")))
save("version_2", numbered((2, 3), "f4"), (2, 0))
save("version_3", numbered((2, 3), "f4"), (3, 0))
# What softax has no element type for.
save("complex64", np.ones(2, "c8"))
save("structured", np.zeros(2, [("a", "f4"), ("b", "i4")]))
save("text", np.array(["a", "bc"]))
