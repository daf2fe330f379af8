"""The family, its derivatives and cross entropy beside PyTorch's, and what a mask costs: compiles family.cpp for each type,
runs it on one processor, keeps what it says, and makes the tables of docs/performance.md from that."""

import json
import math
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import measure
import report
import shims

TYPES = {"float32": "float", "float64": "double", "float16": "softax::half", "bfloat16": "softax::bfloat16"}
HELD = 1.3  # what the project allows: ours over PyTorch, masked over unmasked
BLOCK_HEAD = "ratio of least times: geometric mean, and the most"


def compile_program(dtype, include):
    flags = ["-O2", f"-DPEERS_TYPE={TYPES[dtype]}", "-isystem", str(shims.TORCH / "include")]
    library = [*shims.TORCH_LIBRARIES, "-Wl,--disable-new-dtags", f"-Wl,-rpath,{shims.TORCH / 'lib'}"]
    return shims.compile_one(f"family-{dtype}", "family.cpp", flags, include, library)


def run(types, only, include, seconds, environment):
    """The records of those types, shown as they come."""
    records = []
    with ThreadPoolExecutor(2) as pool:
        programs = dict(zip(types, pool.map(lambda t: compile_program(t, include), types), strict=True))
    for dtype, program in programs.items():
        bound = lambda: measure.pin(1, os.sched_getaffinity(0))  # noqa: E731  in the child, before the program
        command = [program, str(seconds), only]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, preexec_fn=bound) as process:
            for line in process.stdout:
                record = json.loads(line) | {"type": dtype}
                records.append(record)
                check(record)
                show(record)
        if process.returncode:
            raise SystemExit(f"{program} failed")
    return records


def check(record):
    """Both are right, or one is not: what halves lose is far less than a hundredth."""
    if not record["apart"] <= 0.02:
        raise SystemExit(f"softax and PyTorch differ by {record['apart']}: {record['function']} {record['cell']}")


def show(record):
    ours, torch, masked = record["softax"], record["torch"], record["masked"]
    print(
        f"{record['function']:28} {record['cell']:20} {record['type']:9} {ours:8.3f}  "
        f"over PyTorch {ours / torch:5.2f}  masked over unmasked {masked / ours:5.2f}",
        flush=True,
    )


# ---- tables ---------------------------------------------------------------------------------------------------------


def newest(folder):
    return report.newest(folder, "family-")


def by_function(records):
    names = dict.fromkeys(r["function"] for r in records)
    return {name: [r for r in records if r["function"] == name] for name in names}


def worst_of(records, ratio):
    """Geometric mean, the most, and where."""
    worst = max(records, key=ratio)
    most = ratio(worst)
    text = f"**{most:.2f}**" if most <= HELD else f"{most:.2f}"
    return f"{report.mean(map(ratio, records)):.2f}, {text} `{worst['cell']}`"


def ratio_table(data, ratio):
    rows = []
    for name, records in by_function(data["records"]).items():
        of_types = ([r for r in records if r["type"] == t] for t in TYPES)
        rows.append([f"`{name}`", *(worst_of(found, ratio) if found else "" for found in of_types)])
    above = sum(ratio(r) > HELD for r in data["records"])
    count = f"{above} of {len(data['records'])} are above {HELD}."
    return report.table([BLOCK_HEAD, *TYPES], rows) + "\n\n" + count


def times_table(data):
    """Nanoseconds of an element, float32, and ours over PyTorch's."""
    functions = by_function([r for r in data["records"] if r["type"] == "float32"])
    cells = dict.fromkeys(r["cell"] for r in data["records"])
    rows = []
    for cell in cells:
        row = [f"`{cell}`"]
        for records in functions.values():
            found = next(r for r in records if r["cell"] == cell)
            row.append(f"{report.number(found['softax'])} ({found['softax'] / found['torch']:.2f})")
        rows.append(row)
    return report.table(["shape, axis", *(f"`{name}`" for name in functions)], rows)


def blocks(data):
    return {
        "family": ratio_table(data, lambda r: r["softax"] / r["torch"]),
        "family masks": ratio_table(data, lambda r: r["masked"] / r["softax"]),
        "family times": times_table(data),
        "family machine": report.machine_lines(data),
    }
