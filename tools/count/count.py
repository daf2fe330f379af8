#!/usr/bin/env python3
"""Counts the instructions of some calls of softax with callgrind, which a busy machine does not disturb, and holds them
against those recorded in benchmarks/instructions.txt.

    tools/count/count.py             the present tree beside the record; the ratio is present / recorded
    tools/count/count.py --record    writes the record anew, to be committed with what changed it

Instructions are not time, but where their number moves there is a reason, and it can be read on any machine. A count is
that of one call: the difference between making a call thrice and once, so that what happens once in a process does not count.
Each call (counted.cpp) runs on the instruction set of the flags, plain -O2, and on AVX2; valgrind knows no wider one. The
numbers belong to a compiler, which the record names. Differences never fail; without valgrind there is nothing to say.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RECORD = ROOT / "benchmarks" / "instructions.txt"
PROGRAM = ROOT / "build" / "count" / "counted"
COMPILER = os.environ.get("CXX", "c++")
FLAGS = ["-std=c++20", "-O2", "-pthread"]
SETS = ("flags", "avx2")
EIGEN = ("/usr/include/eigen3", "/usr/local/include/eigen3", "/opt/homebrew/include/eigen3")


def compile_program(include):
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    places = [f"-I{include}"] + [f"-isystem{place}" for place in EIGEN if Path(place).exists()]
    subprocess.run([COMPILER, *FLAGS, *places, str(HERE / "counted.cpp"), "-o", str(PROGRAM)], check=True)


def compiler_and_flags():
    version = subprocess.run([COMPILER, "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    version = re.sub(r"^\S+ \(", "GCC (", version)  # which says first by what name it was called
    return f"{version}, {' '.join(FLAGS)}"


def calls():
    """Name and number of elements of every call."""
    listed = subprocess.run([str(PROGRAM)], check=True, capture_output=True, text=True).stdout
    return [(name, int(elements)) for elements, name in (line.split("\t") for line in listed.splitlines())]


def instructions(which, name, times):
    """Of the whole process, or None where the processor lacks the instruction set."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(PROGRAM), which, name, str(times)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 3:
        return None
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return int(found[1])


def count(name, elements):
    """Instructions an element on each set."""
    counts = []
    for which in SETS:
        once = instructions(which, name, 1)
        counts.append(None if once is None else (instructions(which, name, 3) - once) / 2 / elements)
    return counts


def text_of(number):
    return "-" if number is None else f"{number:.2f}"


def written(name, numbers):
    return f"{name:<32}" + "".join(f"{text_of(number):>10}" for number in numbers)


def recorded():
    """The first line, which names the compiler, and the counts by name."""
    if not RECORD.exists():
        return "", {}
    lines = RECORD.read_text().splitlines()
    rows = [line.rsplit(maxsplit=len(SETS)) for line in lines if line and not line.startswith("#")]
    return lines[0], {name: [None if c == "-" else float(c) for c in counts] for name, *counts in rows}


def record():
    head = [
        f"# {compiler_and_flags()}",
        "# Instructions an element of the input, by callgrind, on the instruction set of the flags and on AVX2.",
        "# Written and compared by tools/count/count.py.",
        f"# {'call':<30}" + "".join(f"{which:>10}" for which in SETS),
    ]
    rows = [written(name, count(name, elements)) for name, elements in calls()]
    RECORD.write_text("\n".join(head + rows) + "\n")
    print(RECORD.read_text(), end="")


def compare():
    compiler, before = recorded()
    if compiler != f"# {compiler_and_flags()}":
        print(f"recorded with another compiler:\n{compiler}\n# {compiler_and_flags()}")
    print(f"{'instructions an element':<32}" + "".join(f"{which:>10}{'recorded':>10}{'ratio':>8}" for which in SETS))
    for name, elements in calls():
        row = f"{name:<32}"
        for now, then in zip(count(name, elements), before.get(name, [None] * len(SETS))):
            ratio = "-" if now is None or then is None else f"{now / then:.3f}"
            row += f"{text_of(now):>10}{text_of(then):>10}{ratio:>8}"
        print(row, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write benchmarks/instructions.txt")
    parser.add_argument("--include", default=str(ROOT / "include"), metavar="FOLDER", help="another version of softax")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("valgrind is not installed (Debian: valgrind); instructions are not counted.")
        return
    compile_program(options.include)
    record() if options.record else compare()


main()
