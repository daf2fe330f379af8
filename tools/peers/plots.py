"""The plots of docs/performance.md as SVG: dark on a white card, so that they read on any page; text stays text."""

import io
import re

import cells
import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator  # noqa: E402

plt.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "softax",
        "font.family": "sans-serif",
        "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
        "font.size": 10,
        "figure.facecolor": "white",
        "axes.edgecolor": "#8c959f",
        "axes.grid": True,
        "grid.color": "#e2e6ea",
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)

# Colours that differ in lightness too, and markers, so that no pair depends on hue alone.
STYLES = {
    "softax O2": ("softax, plain -O2", "#cf222e", "o"),
    "softax v3": ("softax, x86-64-v3", "#fa7970", "o"),
    "torch": ("PyTorch", "#bc4c00", "s"),
    "onnxruntime": ("ONNX Runtime", "#0550ae", "^"),
    "openvino": ("OpenVINO", "#0a3069", "<"),
    "onednn": ("oneDNN", "#54aeff", "v"),
    "jax": ("JAX", "#1a7f37", "D"),
    "mlx": ("MLX", "#4d2d00", "X"),
    "eigen native": ("Eigen, 3 lines, native", "#8250df", "P"),
    "eigen v3": ("Eigen, 3 lines, v3", "#b08ae8", "P"),
    "memcpy": ("memcpy", "#8c959f", "|"),
}


def save(figure, path):
    """A tenth of a point is finer than any screen."""
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    short = re.sub(r"(\d+\.\d)\d+", r"\1", text.getvalue())
    path.write_text("\n".join(line.rstrip() for line in short.splitlines()) + "\n")


def plain(*axes):
    """Logarithmic, with numbers as one says them."""
    for axis in axes:
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}" if x < 1e6 else f"{x:,.0f}"))


def binary(x):
    """512, 4 Ki, 2 Mi."""
    return f"{x:.0f}" if x < 1 << 10 else f"{x / (1 << 10):.0f} Ki" if x < 1 << 20 else f"{x / (1 << 20):.0f} Mi"


def times(record):
    return {n: r["ns_per_element"] for n, r in record["results"].items() if n in STYLES}


def fast_and_right(data, path):
    """Left, time of an element on one shape a line; right, the largest error of each library, same colours."""
    by_name = {r["cell"]: r for r in data["cells"] if r["threads"] == 1 and r["type"] == "float32"}
    names = [n for n in cells.PICTURE if n in by_name]
    shown = [n for n in STYLES if n not in ("eigen v3", "softax v3", "memcpy")]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.2), width_ratios=(2.1, 1), layout="constrained")
    for y, name in enumerate(reversed(names)):
        of = {n: t for n, t in times(by_name[name]).items() if n in shown}
        left.plot([min(of.values()), max(of.values())], [y, y], color="#d0d7de", linewidth=1, zorder=1)
        for n, t in of.items():
            is_ours = n == "softax O2"
            left.scatter(
                t, y, s=95 if is_ours else 42, color=STYLES[n][1], marker=STYLES[n][2], zorder=3 if is_ours else 2
            )
    left.set_xscale("log")
    plain(left.xaxis)
    left.set_yticks(range(len(names)), list(reversed(names)))
    left.set_xlabel("nanoseconds per element, one thread, float32 (log scale; left is faster)")
    left.set_title("fast", loc="left", fontweight="bold")
    left.grid(axis="y", visible=False)

    for y, name in enumerate(reversed(shown)):
        errors = [e[name] for e in data["hard"].values() if e.get(name)]
        errors += [r["results"][name]["max_ulp"] for r in by_name.values() if r["results"].get(name, {}).get("max_ulp")]
        if not errors:
            continue
        right.plot(
            [min(errors), max(errors)], [y, y], color=STYLES[name][1], linewidth=3, alpha=0.35, solid_capstyle="round"
        )
        right.scatter(errors, [y] * len(errors), s=14, color=STYLES[name][1], marker=STYLES[name][2])
        right.annotate(
            f"{max(errors):,.0f}" if max(errors) >= 10 else f"{max(errors):.1f}",
            (max(errors), y),
            xytext=(7, -4),
            textcoords="offset points",
            color=STYLES[name][1],
            fontweight="bold",
        )
    right.set_xscale("log")
    right.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    right.set_yticks(range(len(shown)), [STYLES[n][0] for n in reversed(shown)])
    for label, name in zip(right.get_yticklabels(), reversed(shown), strict=True):
        label.set_color(STYLES[name][1])
        label.set_fontweight("bold")
    right.set_xlabel("error in ULP, each shape and hard row (log; left is right)")
    right.set_title("and right", loc="left", fontweight="bold")
    right.margins(x=0.16)
    right.grid(axis="y", visible=False)
    save(figure, path)


def scaling(data, path):
    """Time of an element over the row, the batch, the inner extent and threads, every library."""
    figure, axes = plt.subplots(2, 2, figsize=(11, 8.4), layout="constrained")
    for panel, name in zip(axes.flat, ("row", "batch", "inner"), strict=False):
        sweep = data["sweeps"].get(name)
        if not sweep:
            panel.set_visible(False)
            continue
        for n, (title, color, _) in STYLES.items():
            points = [(int(extent), t[n]) for extent, t in sweep["times"].items() if n in t]
            if points:
                panel.plot(*zip(*points, strict=True), color=color, linewidth=1.4, label=title)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        plain(panel.yaxis)
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: binary(x)))
        panel.set_xlabel(sweep["label"])
        panel.set_ylabel("ns per element, one thread")
        panel.set_title(sweep["title"], loc="left")
    threads_panel(data, axes.flat[3])
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    save(figure, path)


def threads_panel(data, panel):
    """Geometric mean of time over threads, of the cells that were measured with each number of them."""
    counts = sorted({r["threads"] for r in data["cells"]})
    by_cell = {}
    for r in data["cells"]:
        if r["type"] == "float32":
            by_cell.setdefault(r["cell"], {})[r["threads"]] = r["results"]
    everywhere = [c for c in by_cell.values() if len(c) == len(counts)]
    for n, (title, color, marker) in STYLES.items():
        of = [c for c in everywhere if all(n in c[t] for t in counts)]
        if not of or n == "memcpy" or len(counts) < 2:
            continue
        speed = []
        for t in counts:
            product = 1.0
            for c in of:
                product *= (c[counts[0]][n]["min_ns"] / c[t][n]["min_ns"]) ** (1 / len(of))
            speed.append(product)
        panel.plot(counts, speed, color=color, marker=marker, linewidth=1.4, label=title)
    panel.plot(counts, counts, color="#8c959f", linestyle=":", linewidth=1)
    panel.set_xticks(counts)
    panel.set_xlabel("threads")
    panel.set_ylabel("times as fast as one thread")
    panel.set_title("threads, mean over the cells from 65,536 elements", loc="left")


def neighbours(data, path):
    """softax alone, every extent where it is small, then triples of neighbours."""
    titles = {"row": "row length", "reduce": "length along the first axis", "inner": "inner extent, axis of 50"}
    curves = [c for c in titles if c in data["dense"]]
    figure, panels = plt.subplots(1, max(1, len(curves)), figsize=(11, 3.6), layout="constrained", squeeze=False)
    for panel, curve in zip(panels.flat, curves, strict=False):
        for n, points in data["dense"][curve].items():
            title, color, _ = STYLES[n]
            panel.plot([int(e) for e in points], list(points.values()), color=color, linewidth=0.8, label=title)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        plain(panel.yaxis)
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: binary(x)))
        panel.set_xlabel(titles[curve])
        panel.set_ylabel("ns per element")
        panel.legend(frameon=False, fontsize=8)
    save(figure, path)


PLOTS = {"fast_and_right.svg": fast_and_right, "scaling.svg": scaling, "neighbours.svg": neighbours}
