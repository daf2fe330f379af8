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


def bind_to_one():
    """In the child, before it becomes the program."""
    measure.pin(1, os.sched_getaffinity(0))


def run(types, only, include, seconds, environment):
    """The records of those types, shown as they come."""
    records = []
    with ThreadPoolExecutor(2) as pool:
        programs = dict(zip(types, pool.map(lambda t: compile_program(t, include), types), strict=True))
    for dtype, program in programs.items():
        command = [program, str(seconds), only]
        own = {"env": environment, "preexec_fn": bind_to_one}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **own) as process:
            for line in process.stdout:
                record = json.loads(re.sub(r'"apart": -?(nan|inf)', r'"apart": Infinity', line)) | {"type": dtype}
                records.append(checked(record))
                show(record)
        if process.returncode:
            raise SystemExit(f"{program} failed")
    return records


def checked(record):
    """The record, without PyTorch where its answer is another: half types overflow, or are rounded on the way, in some of it."""
    are_halves = record["type"] in ("float16", "bfloat16")
    if not record["apart"] <= (0.1 if are_halves else 0.001):
        if not are_halves:
            raise SystemExit(f"softax and PyTorch differ by {record['apart']}: {record['function']} {record['cell']}")
        record["torch"] = None
    record["apart"] = record["apart"] if math.isfinite(record["apart"]) else None
    return record


def over_torch(record):
    return record["softax"] / record["torch"] if record["torch"] else None


def over_unmasked(record):
    return record["masked"] / record["softax"]


def show(record):
    ratio = over_torch(record)
    over = f"{ratio:5.2f}" if ratio else "  (its answer is another)"
    print(
        f"{record['function']:28} {record['cell']:20} {record['type']:9} {record['softax']:8.3f}  "
        f"over PyTorch {over}  masked over unmasked {over_unmasked(record):5.2f}",
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
    records = [r for r in records if ratio(r)]
    if not records:
        return ""
    worst = max(records, key=ratio)
    most = ratio(worst)
    text = f"**{most:.2f}**" if most <= HELD else f"{most:.2f}"
    return f"{report.mean(map(ratio, records)):.2f}, {text} `{worst['cell']}`"


def ratio_table(data, ratio):
    rows = []
    for name, records in by_function(data["records"]).items():
        of_types = ([r for r in records if r["type"] == t] for t in TYPES)
        rows.append([f"`{name}`", *(worst_of(found, ratio) for found in of_types)])
    ratios = [ratio(r) for r in data["records"] if ratio(r)]
    count = f"Above {HELD}: {sum(r > HELD for r in ratios)} of {len(ratios)}."
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
            row.append(f"{report.number(found['softax'])} ({over_torch(found):.2f})")
        rows.append(row)
    return report.table(["shape, axis", *(f"`{name}`" for name in functions)], rows)


def blocks(data):
    return {
        "family": ratio_table(data, over_torch),
        "family masks": ratio_table(data, over_unmasked),
        "family times": times_table(data),
        "family machine": report.machine_lines(data),
    }
