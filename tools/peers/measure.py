"""One process with a fixed number of threads: answers compared, then every library timed in turns on the same input.

A shared machine is noisy in bursts. Each round gives every library one short batch of calls; the least time of all
rounds is kept, and the median. A batch begins with a call that is not timed, so each finds its own output in cache.
"""

import contextlib
import math
import os
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import cells
import numpy as np
from libraries import Absent, Jax, Mlx, OnnxRuntime, OpenVino, Shim, Torch, input_of

# Digits of the significand and the least exponent of a normal number.
PRECISION = {"float32": (24, -126), "float64": (53, -1022), "float16": (11, -14), "bfloat16": (8, -126)}


@dataclass(frozen=True)
class Effort:
    """How long to look."""

    batch_ns: float  # of one library in one round
    budget_s: float  # of all rounds of a cell
    rounds: tuple  # least and most
    tries: int  # while other programs disturb


# Share of a processor that others may take while a cell is measured.
DISTURBED = 0.1

FULL = Effort(2e6, 3.0, (9, 80), 4)
QUICK = Effort(1e6, 0.5, (5, 40), 2)
SWEEP = Effort(1e6, 0.5, (5, 30), 2)


def load_libraries(shims, threads, wanted):
    """name -> something with prepare(); shims maps what was compiled to where it lies."""
    found = {}
    for name, path in shims.items():
        if name in ("onednn", "torch"):
            continue
        found[f"softax {name}"] = (Shim(path), "softax")
        found[f"eigen {name}"] = (found[f"softax {name}"][0], "eigen")
    makers = {
        "torch": lambda: Torch(threads, Shim(shims["torch"])),
        "onnxruntime": lambda: OnnxRuntime(threads),
        "openvino": lambda: OpenVino(threads),
        "onednn": lambda: Shim(shims["onednn"]),
        "jax": lambda: Jax(threads),
        "mlx": lambda: Mlx(threads),
    }
    for name, make in makers.items():
        if wanted(name):
            if name == "torch":
                import torch  # noqa: F401  before the shim that links it
            found[name] = (make(), name)
    found = {name: value for name, value in found.items() if wanted(name)}
    first = next(iter(Shim(path) for name, path in shims.items() if name not in ("onednn", "torch")))
    found["memcpy"] = (first, "memcpy")
    return found


# ---- right ----------------------------------------------------------------------------------------------------------


def reference(x, axes, dtype):
    """Softmax in a wider type: float64, for float64 itself long double."""
    wide = x.astype(np.longdouble if dtype == "float64" else np.float64)
    wide -= wide.max(axis=axes, keepdims=True)
    np.exp(wide, out=wide)
    wide /= wide.sum(axis=axes, keepdims=True)
    return wide


def errors_of(results, right, dtype):
    """name -> the largest error of that array in units of the last place of the right result, and as it is; infinite
    where a result is not a number."""
    digits, least = PRECISION[dtype]
    worst = {name: (0.0, 0.0) for name in results}
    right, flat = right.reshape(-1), {name: array.reshape(-1) for name, array in results.items()}
    for start in range(0, right.size, 1 << 18):
        part = slice(start, start + (1 << 18))
        _, exponent = np.frexp(right[part])
        unit = np.ldexp(np.ones_like(right[part]), np.maximum(exponent - 1, least) - (digits - 1))
        for name, array in flat.items():
            error = np.abs(array[part] - right[part])
            error[np.isnan(error)] = math.inf
            in_ulp = float((error / unit).max())
            worst[name] = (max(worst[name][0], in_ulp), max(worst[name][1], float(error.max())))
    return worst


# ---- fast -----------------------------------------------------------------------------------------------------------


def interleave(tasks, effort, settle_s=0.0):
    """name -> (least, median) nanoseconds of a call, rounds over all tasks in turn."""
    calls, times = {}, {name: [] for name in tasks}
    for name, task in tasks.items():
        task.run(1)
        once = min(task.run(1) for _ in range(2))
        calls[name] = max(1, min(1_000_000, round(effort.batch_ns / max(once, 1))))
    names, start = list(tasks), time.monotonic()
    fewest, most = effort.rounds
    for turn in range(most):
        if turn >= fewest and time.monotonic() - start > effort.budget_s:
            break
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            # Ten times slower than the fastest: a few rounds tell enough.
            if turn >= 4 and min(times[name]) > 10 * min(min(t) for t in times.values() if t):
                continue
            if settle_s:
                time.sleep(settle_s)
            tasks[name].run(1)
            times[name].append(tasks[name].run(calls[name]) / calls[name])
    return {name: (min(t), statistics.median(t)) for name, t in times.items()}


class Bench:
    """The libraries of one process, and the random numbers that every input is taken from."""

    def __init__(self, shims, threads, wanted):
        self.threads = threads
        self.libraries = load_libraries(shims, threads, wanted)
        self.normal = np.random.default_rng(1).standard_normal(1 << 22).astype(np.float32)
        # Idle threads of one library go on spinning for a while, on the processor of the next.
        self.settle_s = 0.002 if threads > 1 else 0.0
        self.available = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        self.processors = pin(threads, self.available)

    def prepare(self, cell, base, x):
        tasks, absent = {}, {}
        for name, (library, as_name) in self.libraries.items():
            before = threads_of_process()
            try:
                with on_all_of(self.processors):
                    task = library.prepare(as_name, cell, base, x, self.threads)
                    task.run(1)
            except Exception as e:
                # A peer may lack this softmax; softax itself may not.
                if as_name == "softax":
                    raise
                absent[name] = str(e) if isinstance(e, Absent) else f"{type(e).__name__}: {str(e)[:160]}"
                continue
            spread(threads_of_process() - before, self.processors, name)
            tasks[name] = task
        return tasks, absent

    def check(self, tasks, absent, cell, x):
        """name -> largest error in ULP. A peer whose answer is no softmax is not timed; softax may not be one."""
        right = reference(x, cell.axes, cell.dtype)
        results = {name: task.result() for name, task in tasks.items() if name != "memcpy"}
        errors = errors_of(results, right, cell.dtype)
        largest = float(right.max())
        for name, (_, apart) in errors.items():
            if not apart <= 0.01 * largest:
                if name.startswith("softax"):
                    raise ValueError(f"{name} is wrong on {cell.name}: off by {apart}")
                absent[name] = f"wrong: off by {apart:.3g}, where the largest result is {largest:.3g}"
                del tasks[name]
        return {name: finite(in_ulp) for name, (in_ulp, _) in errors.items() if name in tasks}

    def measure(self, cell, effort, check=True):
        """The record of one cell, as the JSON keeps it, and which libraries are not in it, and why."""
        base, x = input_of(cell, self.normal)
        tasks, absent = self.prepare(cell, base, x)
        errors = self.check(tasks, absent, cell, x) if check else {}
        times, others = self.undisturbed(tasks, effort)
        results = {}
        for name, (least, median) in times.items():
            results[name] = {
                "min_ns": round(least, 1),
                "median_ns": round(median, 1),
                "ns_per_element": float(f"{least / cell.size:.4g}"),
            }
            if name in errors:
                results[name]["max_ulp"] = errors[name]
        return {
            "cell": cell.name,
            "kind": cell.kind,
            "type": cell.dtype,
            "size": cell.size,
            "group": cell.group,
            "threads": self.threads,
            "others": round(others, 2),
            "results": results,
        }, absent

    def undisturbed(self, tasks, effort):
        """Times of a cell, and how much of our processors others took meanwhile; again, if that was a tenth of one."""
        times, least_others = {}, math.inf
        for _ in range(effort.tries):
            before, own, start = busy_seconds(self.processors), sum(os.times()[:2]), time.monotonic()
            again = interleave(tasks, effort, self.settle_s)
            elapsed = time.monotonic() - start
            taken = busy_seconds(self.processors) - before - (sum(os.times()[:2]) - own)
            for name, (least, median) in again.items():
                was = times.get(name, (math.inf, math.inf))
                times[name] = (min(was[0], least), min(was[1], median))
            least_others = min(least_others, max(0.0, taken / elapsed))
            if least_others < DISTURBED:
                break
            if self.threads == 1:
                self.processors = pin(self.threads, self.available)
        return times, least_others

    def hard(self, row):
        """name -> largest error on a row that is hard to get right, float32."""
        cell = cells.cell("hard", (row.rows, row.length), -1)
        if row.constant is None:
            pool = np.random.default_rng(2).standard_normal(cell.size) * row.scale
        else:
            pool = np.full(cell.size, row.constant)
            pool[0] = 0
        base, x = input_of(cell, pool.astype(np.float32))
        tasks, _ = self.prepare(cell, base, x)
        results = {name: task.result() for name, task in tasks.items() if name != "memcpy"}
        errors = errors_of(results, reference(x, cell.axes, cell.dtype), cell.dtype)
        return {name: finite(in_ulp) for name, (in_ulp, _) in errors.items()}

    def dense(self, curve, name, passes):
        """extent -> nanoseconds of an element, the least of several passes, so that no burst of noise stays."""
        library, as_name = self.libraries[name]
        least = {}
        for _ in range(passes):
            for extent, cell in curve.items():
                base, x = input_of(cell, self.normal)
                task = library.prepare(as_name, cell, base, x, self.threads)
                times = interleave({name: task}, Effort(2e5, 0.002, (4, 12), 1))
                least[extent] = min(least.get(extent, math.inf), times[name][0] / cell.size)
        return {extent: float(f"{t:.4g}") for extent, t in least.items()}


def finite(error):
    """JSON has no infinity."""
    return float(f"{error:.3g}") if math.isfinite(error) else None


def threads_of_process():
    return {int(t) for t in os.listdir("/proc/self/task")} if os.path.isdir("/proc/self/task") else set()


def processor_ticks():
    """processor -> (busy, idle) since the machine began, in ticks; nothing where the system does not say."""
    stat = Path("/proc/stat")
    lines = stat.read_text().splitlines() if stat.exists() else []
    fields = [line.split() for line in lines if re.match(r"cpu\d", line)]
    return {int(f[0][3:]): (sum(map(int, f[1:4])), int(f[4])) for f in fields}


def busy_seconds(processors):
    ticks = processor_ticks()
    return sum(ticks[p][0] for p in processors if p in ticks) / os.sysconf("SC_CLK_TCK")


def pin(threads, available):
    """So many of the available processors, those with least to do. The calling thread gets the first of them; a process
    of one thread is bound to it with all that libraries start, so that none uses more than is said."""
    if not available:
        return []
    before = processor_ticks()
    time.sleep(0.3)
    idle = {p: ticks[1] - before[p][1] for p, ticks in processor_ticks().items()}
    processors = sorted(available, key=lambda p: (-idle.get(p, 0), -p))[:threads]
    for thread in threads_of_process() if threads == 1 else {0}:
        bind(thread, processors[:1])
    return processors


def spread(new, processors, library):
    """Gives threads that a library has just started a processor each, from the one beside the calling thread's on. Left
    alone, Linux often puts both threads on one of two idle processors. JAX has several pools: the threads of Eigen's,
    which share the parts of a loop while the calling thread sleeps, get one each, the others may run anywhere."""
    if len(processors) < 2:
        return
    if library == "jax":
        sharing = {t for t in new if "XLAEigen" in name_of(t)}
        for thread in new - sharing:
            bind(thread, processors)
        new, first = sharing, 0
    else:
        first = 1
    for k, thread in enumerate(sorted(new)):
        bind(thread, {processors[(k + first) % len(processors)]})


def bind(thread, processors):
    # A thread may have ended meanwhile.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(thread, processors)


@contextlib.contextmanager
def on_all_of(processors):
    """The calling thread on any of them, not only the first: a library may start as many threads as it finds there."""
    if len(processors) > 1:
        bind(0, processors)
    try:
        yield
    finally:
        if len(processors) > 1:
            bind(0, processors[:1])


def name_of(thread):
    with contextlib.suppress(OSError):
        return Path(f"/proc/self/task/{thread}/comm").read_text()
    return ""
