"""softax beside its peers and plain Eigen, in one process, interleaved: the command line.

Compiles the shims, starts one process for each number of threads (libraries fix theirs when they are loaded), and
prints a table as cells come in. A full run (no option that leaves something out) also writes
docs/performance/<machine>.json and redraws tables and plots; `--report` redraws from what is there.

    ./tools/run peers                                      everything, about half an hour
    ./tools/run peers --family                             the other functions and masks alone, beside PyTorch
    ./tools/run peers --quick --only '4096' --types float32 --threads 1
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import cells
import family
import measure
import report
from shims import FLAGS, HERE, ROOT, compile_shims

PEERS = ("torch", "onnxruntime", "openvino", "onednn", "jax", "mlx", "eigen")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument(
        "--only", default="", metavar="REGEX", help="cells whose class or name, without its parentheses, matches"
    )
    parser.add_argument("--types", default="float32,float64,float16,bfloat16")
    parser.add_argument("--threads", default="1,2", help="a process for each")
    parser.add_argument("--variants", default=",".join(FLAGS), help="the flags that softax is compiled with")
    parser.add_argument("--peers", default=",".join(PEERS), help="empty for none")
    parser.add_argument("--include", default=str(ROOT / "include"), metavar="FOLDER", help="another version of softax")
    parser.add_argument("--no-sweeps", action="store_true", help="the grid alone")
    parser.add_argument("--json", metavar="FILE", help="write what was measured there too")
    parser.add_argument("--family", action="store_true", help="the other functions and masks, beside PyTorch, and no more")
    parser.add_argument("--report", action="store_true", help="measure nothing, redraw tables and plots")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    everything = vars(parser.parse_args([]))
    # Only what leaves nothing out may stand for the machine.
    free = ("json", "family")
    options.is_full = all(vars(options)[name] == value for name, value in everything.items() if name not in free)
    for name in ("types", "variants", "peers"):
        setattr(options, name, [v for v in getattr(options, name).split(",") if v])
    options.threads = [int(t) for t in options.threads.split(",")]
    return options


# ---- who is measured where ------------------------------------------------------------------------------------------


def environment(threads):
    """What libraries read when they are loaded. Freed memory stays mapped: who must allocate gets it back warm."""
    own = os.environ.copy()
    own.update(
        OMP_NUM_THREADS=str(threads),
        MKL_NUM_THREADS=str(threads),
        NPROC=str(threads),
        XLA_FLAGS="--xla_cpu_multi_thread_eigen=false" if threads == 1 else "",
        JAX_PLATFORMS="cpu",
        TF_CPP_MIN_LOG_LEVEL="3",
        MALLOC_MMAP_THRESHOLD_=str(1 << 34),
        MALLOC_TRIM_THRESHOLD_=str(1 << 34),
        MALLOC_TOP_PAD_=str(1 << 26),
        PYTHONUNBUFFERED="1",
        PYTHONDONTWRITEBYTECODE="1",
    )
    return own


def machine():
    """What processor this is, as lscpu says it; kind names the file of the results."""
    lines = subprocess.run(["lscpu"], capture_output=True, text=True).stdout.splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = fields.get("Flags", "").split()
    widest = "avx512" if "avx512f" in flags else "avx2" if "avx2" in flags else fields.get("Architecture", "unknown")
    model, family = fields.get("Model name", "unknown"), fields.get("CPU family", "")
    cores = int(fields.get("Core(s) per socket", "1")) * int(fields.get("Socket(s)", "1"))
    telling = "sse4_2 avx fma f16c avx2 avx512f avx512dq avx512bw avx512vl avx512_bf16 avx512_fp16".split()
    return {
        "kind": re.sub(r"[^a-z0-9]+", "-", f"{model} {family} {widest}".lower()).strip("-"),
        "model": model,
        "family": f"family {family}, model {fields.get('Model')}",
        "cores": cores,
        "flags": [f for f in telling if f in flags],
        "caches": {c: fields[f"{c} cache"] for c in ("L1d", "L2", "L3") if f"{c} cache" in fields},
        "virtual": fields.get("Hypervisor vendor", ""),
    }


def versions():
    """Of libraries, compiler and source."""

    def output(*command):
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()

    def macros(path, pattern):
        header = Path("/usr/include", path)
        return ".".join(re.findall(pattern, header.read_text())) if header.exists() else ""

    found = {name: metadata.version(name) for name in ("torch", "onnxruntime", "openvino", "jax", "mlx", "numpy")}
    return {
        **found,
        "onednn": macros("oneapi/dnnl/dnnl_version.h", r"#define DNNL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)"),
        "eigen": macros("eigen3/Eigen/src/Core/util/Macros.h", r"#define EIGEN_(?:WORLD|MAJOR|MINOR)_VERSION (\d+)"),
        "compiler": output(os.environ.get("CXX", "c++"), "--version").partition("\n")[0],
        "commit": output("git", "rev-parse", "--short", "HEAD"),
        "changed": bool(output("git", "status", "--porcelain", "include")),
    }


# ---- one process ----------------------------------------------------------------------------------------------------


def send(what, **record):
    print(json.dumps({"what": what, **record}), flush=True)


def is_wanted_cell(cell, only):
    """Without parentheses, so that a name matches itself."""
    return re.search(only, re.sub("[()]", "", f"{cell.kind}: {cell.name}")) is not None


def work(options):
    """The process of one number of threads: measures, sends each record as a line of JSON to the parent."""
    orders = json.loads(options.worker)
    threads = orders["threads"]
    bench = measure.Bench(orders["shims"], threads, lambda name: name.split()[0] in ("softax", *options.peers))
    for cell in cells.grid(options.types, threads):
        if is_wanted_cell(cell, options.only):
            record, absent = bench.measure(cell, measure.QUICK if options.quick else measure.FULL)
            send("cell", **record)
            send("absent", cell=cell.name, reasons=absent)
    # What the plots and the table of errors show beside the grid.
    if threads == 1 and "float32" in options.types and re.search(options.only, "hard rows, sweeps"):
        for row in cells.HARD:
            send("hard", row=row.name, errors=bench.hard(row))
        if not options.no_sweeps:
            sweep(bench, options.quick)


def sweep(bench, is_quick):
    for name, (title, label, points) in cells.sweeps().items():
        for extent, cell in points.items():
            record, _ = bench.measure(cell, measure.SWEEP, check=False)
            times = {n: r["ns_per_element"] for n, r in record["results"].items()}
            send("sweep", sweep=name, title=title, label=label, extent=extent, times=times)
    for name, curve in cells.dense().items():
        for variant in sorted(bench.libraries.keys() & {"softax O2", "softax v3"}):
            send("dense", curve=name, library=variant, times=bench.dense(curve, variant, 2 if is_quick else 5))


def run_worker(options, threads, shims, receive):
    orders = json.dumps({"threads": threads, "shims": shims})
    command = [sys.executable, str(HERE / "peers.py"), *sys.argv[1:], "--worker", orders]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(threads)) as process:
        for line in process.stdout:
            if line.startswith("{"):
                receive(json.loads(line))
            else:
                print(line, end="", file=sys.stderr)
    if process.returncode:
        sys.exit(f"the process with {threads} threads failed")


# ---- what is shown --------------------------------------------------------------------------------------------------


def show(record):
    """Two lines of a cell: nanoseconds of an element; the time of the fastest peer over ours, and our largest error."""
    results = record["results"]
    times = "  ".join(f"{report.short(n)} {r['ns_per_element']:.3g}" for n, r in results.items())
    ours = [n for n in results if n.startswith("softax")]
    leads = {n.split()[1]: report.lead(record, n) for n in ours}
    ratios = "  ".join(f"{flags} {ratio:.2f}" for flags, ratio in leads.items() if ratio is not None)
    worst = max((results[n].get("max_ulp") or 0 for n in ours), default=0)
    print(f"{record['cell']:34} {record['threads']}T  {times}")
    print(f"{'':38} peer/ours: {ratios}   ULP {worst:.2f}", flush=True)


def measure_family(options):
    """All functions beside PyTorch, with and without a mask; kept if nothing was left out."""
    seconds = 0.05 if options.quick else 0.25
    records = family.run(options.types, options.only, options.include, seconds, environment(1))
    if options.is_full:
        data = header() | {"records": records}
        report.save(ROOT / "docs" / "performance" / f"family-{data['machine']['kind']}.json", data)


def header():
    return {"measured": datetime.date.today().isoformat(), "machine": machine(), "versions": versions(), "flags": FLAGS}


def main():
    options = arguments()
    if options.worker:
        return work(options)
    if options.report:
        return report.write(ROOT)
    if "torch" in options.peers:
        measure_family(options)
    if not options.family:
        measure_softmax(options)
    if options.is_full:
        report.write(ROOT)


def measure_softmax(options):
    """softmax beside all peers, for each number of threads; kept if nothing was left out."""
    data = header() | {"cells": [], "absent": {}, "hard": {}, "sweeps": {}, "dense": {}}

    def receive(record):
        what = record.pop("what")
        if what == "cell":
            data["cells"].append(record)
            show(record)
        elif what == "absent":
            # One example of each reason is enough.
            for library, why in record["reasons"].items():
                data["absent"].setdefault(library, {}).setdefault(why, record["cell"])
        elif what == "hard":
            data["hard"][record["row"]] = record["errors"]
        elif what == "sweep":
            title, label = record["title"], record["label"]
            entry = data["sweeps"].setdefault(record["sweep"], {"title": title, "label": label, "times": {}})
            entry["times"][record["extent"]] = record["times"]
        else:
            data["dense"].setdefault(record["curve"], {})[record["library"]] = record["times"]

    shims = compile_shims(options)
    for threads in options.threads:
        run_worker(options, threads, shims, receive)
    data["summary"] = report.summary(data)
    report.print_summary(data)
    if options.json:
        report.save(Path(options.json), data)
    if options.is_full:
        report.save(ROOT / "docs" / "performance" / f"{data['machine']['kind']}.json", data)


if __name__ == "__main__":
    main()
