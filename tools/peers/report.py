"""From the JSON to ratios, tables and the page docs/performance.md; nothing here measures. plots.py draws.

The page is prose with blocks between `<!-- begin NAME -->` and `<!-- end NAME -->`.
Only the blocks are written here, and no number in them comes from anywhere but the JSON.
"""

import json
import math
import re

from cells import KINDS

# What the project wants to reach: title, which softax, type, threads, peers (None: all), geometric mean, least.
TARGETS = [
    ("float32, `-O3 -march=x86-64-v3`, 1 thread", "softax v3", "float32", 1, None, 2.0, 1.1),
    ("float32, `-O3 -march=x86-64-v3`, 2 threads", "softax v3", "float32", 2, None, 2.0, 1.1),
    ("float32, plain `-O2`, 1 thread", "softax O2", "float32", 1, None, 1.9, 1.05),
    ("float32, plain `-O2`, 2 threads", "softax O2", "float32", 2, None, 1.9, 1.05),
    ("float64 against PyTorch, `x86-64-v3`", "softax v3", "float64", 1, ("torch",), 1.8, 1.3),
    ("float64 against PyTorch, plain `-O2`", "softax O2", "float64", 1, ("torch",), 1.8, 1.3),
    ("half against PyTorch, `x86-64-v3`", "softax v3", "float16", 1, ("torch",), 2.0, 1.3),
    ("half against PyTorch, plain `-O2`", "softax O2", "float16", 1, ("torch",), 2.0, 1.3),
    ("bfloat16 against PyTorch, `x86-64-v3`", "softax v3", "bfloat16", 1, ("torch",), 2.0, 1.3),
    ("bfloat16 against PyTorch, plain `-O2`", "softax O2", "bfloat16", 1, ("torch",), 2.0, 1.3),
]

TITLES = {
    "softax O2": "softax `-O2`",
    "softax v3": "softax `v3`",
    "softax native": "softax `native`",
    "torch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "onednn": "oneDNN",
    "jax": "JAX",
    "mlx": "MLX",
    "eigen O2": "Eigen `-O2`",
    "eigen v3": "Eigen `v3`",
    "eigen native": "Eigen `native`",
    "memcpy": "memcpy",
}
SHORT = {"softax": "SOFTAX", "onnxruntime": "ort", "memcpy": "copy"}

# What the project wants of arrays that do not fit in cache: title, length of the row from and to, times memcpy.
FLOORS = [("rows of 512 to 16,384", 512, 16384, 1.25), ("longer rows", 16385, math.inf, 1.8)]
ROW_KINDS = ("attention", "vocabulary", "one row")
OUT_OF_CACHE = 1 << 23  # elements: 64 MiB of input and output

# Neighbouring extents below this differ by more than their time: 2 is half of 4.
FIRST_NEIGHBOUR = 8


def short(name):
    first, _, rest = name.partition(" ")
    return SHORT.get(first, first) + (f"-{rest}" if rest else "")


# ---- ratios ---------------------------------------------------------------------------------------------------------


def is_peer(name, variant):
    """Whether name is compared with a softax of that variant: Eigen only with the same flags."""
    if name == "memcpy" or name.startswith("softax"):
        return False
    return not name.startswith("eigen") or name.split()[1] == variant.split()[1]


def best_peer(record, variant, peers=None):
    """The fastest peer, or None."""
    times = {
        n: r["min_ns"] for n, r in record["results"].items() if is_peer(n, variant) and (peers is None or n in peers)
    }
    return min(times, key=times.get) if times else None


def lead(record, variant, peers=None):
    """Time of the fastest peer over ours; None if one of them is missing."""
    if not variant.startswith("softax") or variant not in record["results"]:
        return None
    peer = best_peer(record, variant, peers)
    if peer is None:
        return None
    return record["results"][peer]["min_ns"] / record["results"][variant]["min_ns"]


def mean(values):
    """The geometric one."""
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values))


def leads(data, variant, dtype, threads, peers=None):
    """cell -> (lead, kind) over the grid."""
    found = {}
    for record in data["cells"]:
        ratio = lead(record, variant, peers)
        if record["type"] == dtype and record["threads"] == threads and ratio is not None:
            found[record["cell"]] = (ratio, record["kind"])
    return found


def targets(data):
    rows = []
    for title, variant, dtype, threads, peers, want_mean, want_least in TARGETS:
        found = leads(data, variant, dtype, threads, peers)
        if not found:
            continue
        worst = min(found, key=lambda c: found[c][0])
        kinds = {}
        for kind in KINDS:
            of_kind = [ratio for ratio, k in found.values() if k == kind]
            if of_kind:
                kinds[kind] = {"mean": round(mean(of_kind), 3), "least": round(min(of_kind), 3)}
        rows.append(
            {
                "title": title,
                "cells": len(found),
                "mean": round(mean(r for r, _ in found.values()), 3),
                "wanted_mean": want_mean,
                "least": round(found[worst][0], 3),
                "wanted_least": want_least,
                "least_cell": worst,
                "lost": sorted(c for c, (r, _) in found.items() if r < 1),
                "kinds": kinds,
            }
        )
    return rows


def flagless(data):
    """Plain -O2 over -march=native, the same softax."""
    found = {}
    for record in data["cells"]:
        of = record["results"]
        if record["threads"] == 1 and {"softax O2", "softax native"} <= of.keys():
            found[record["cell"]] = of["softax O2"]["min_ns"] / of["softax native"]["min_ns"]
    if not found:
        return None
    worst = max(found, key=found.get)
    return {
        "cells": len(found),
        "mean": round(mean(found.values()), 3),
        "most": round(found[worst], 3),
        "most_cell": worst,
    }


def floors(data):
    """softax over memcpy of the same array, where the array does not fit in cache: by length of the row."""
    rows = []
    for title, first, last, wanted in FLOORS:
        for variant in ("softax O2", "softax v3"):
            found = {}
            for record in data["cells"]:
                of = record["results"]
                is_row = record["kind"] in ROW_KINDS and first <= record["group"] <= last
                is_large = record["size"] >= OUT_OF_CACHE and record["type"] == "float32" and record["threads"] == 1
                if is_row and is_large and variant in of:
                    found[record["cell"]] = of[variant]["min_ns"] / of["memcpy"]["min_ns"]
            if found:
                worst = max(found, key=found.get)
                rows.append(
                    {
                        "title": title,
                        "variant": variant,
                        "cells": len(found),
                        "mean": round(mean(found.values()), 3),
                        "most": round(found[worst], 3),
                        "most_cell": worst,
                        "wanted": wanted,
                    }
                )
    return rows


def cliffs(data):
    """The worst ratio between the times per element of neighbouring extents, for each curve of the dense sweep."""
    rows = []
    for curve, libraries in data["dense"].items():
        for library, times in libraries.items():
            of = {int(n): t for n, t in times.items()}
            ratios = {n: max(of[n + 1] / of[n], of[n] / of[n + 1]) for n in of if n + 1 in of and n >= FIRST_NEIGHBOUR}
            if ratios:
                n = max(ratios, key=ratios.get)
                rows.append({"curve": curve, "library": library, "worst": round(ratios[n], 3), "between": [n, n + 1]})
    return rows


def summary(data):
    return {"targets": targets(data), "flagless": flagless(data), "floors": floors(data), "cliffs": cliffs(data)}


def print_summary(data):
    print()
    for row in data["summary"]["targets"]:
        reached = f"mean {row['mean']:.2f} (wanted {row['wanted_mean']})"
        least = f"least {row['least']:.2f} (wanted {row['wanted_least']}) at {row['least_cell']}"
        print(f"{row['title']:44} {reached}  {least}; {row['cells']} cells")
        if len(row["kinds"]) > 1:
            print(" " * 10 + "  ".join(f"{k} {v['mean']:.2f}/{v['least']:.2f}" for k, v in row["kinds"].items()))
    native = data["summary"]["flagless"]
    if native:
        print(f"plain -O2 over -march=native: mean {native['mean']}, most {native['most']} at {native['most_cell']}")
    for row in data["summary"]["floors"]:
        of = f"{row['variant']} over memcpy, {row['title']}"
        print(f"{of}: mean {row['mean']}, most {row['most']} at {row['most_cell']} (wanted {row['wanted']})")
    for row in data["summary"]["cliffs"]:
        print(f"neighbours, {row['curve']}, {row['library']}: worst {row['worst']} between {row['between']}")
    for row, errors in data["hard"].items():
        print(f"ULP, {row}: " + "  ".join(f"{short(n)} {e if e is not None else 'NaN'}" for n, e in errors.items()))


# ---- the JSON -------------------------------------------------------------------------------------------------------


def save(path, data):
    """One line for each cell and each point of a sweep, so that a change of the file can be read."""
    text = json.dumps(data, indent=1)
    # What json spreads over lines is joined again below the second level.
    text = re.sub(r"\n {3,}", " ", text)
    text = re.sub(r"\n {2}([\]}])", r" \1", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def newest(folder, kind=""):
    """The results measured last, of softax beside all peers, or of another kind by the beginning of its name."""
    paths = [path for path in folder.glob("*.json") if path.name.startswith("family-") == (kind == "family-")]
    found = [json.loads(path.read_text()) for path in paths]
    if not found:
        raise SystemExit(f"no results in {folder}: run ./tools/run peers first")
    return max(found, key=lambda data: data["measured"])


# ---- blocks of the page ---------------------------------------------------------------------------------------------


def table(head, rows):
    """Markdown; all columns but the first to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def number(x):
    """Three digits, no exponent."""
    if x is None:
        return ""
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}" if x >= 0.1 else f"{x:.3f}"


def verdict(got, wanted):
    return f"**{got:.2f}**" if got >= wanted else f"{got:.2f}, missed"


def targets_block(data):
    rows = [
        [
            r["title"],
            str(r["cells"]),
            verdict(r["mean"], r["wanted_mean"]),
            f"{r['wanted_mean']:.1f}",
            verdict(r["least"], r["wanted_least"]),
            f"{r['wanted_least']:.2f}",
            f"`{r['least_cell']}`",
            str(len(r["lost"])),
        ]
        for r in data["summary"]["targets"]
    ]
    head = [
        "time of the fastest peer / ours",
        "cells",
        "geometric mean",
        "wanted",
        "least",
        "wanted",
        "at",
        "cells lost",
    ]
    text = table(head, rows)
    native = data["summary"]["flagless"]
    if native:
        most = f"{native['most']:.2f} (`{native['most_cell']}`)"
        text += f"\n\nsoftax with plain `-O2` takes {native['mean']:.2f} times as long as with `-O3 -march=native`"
        text += f" in the geometric mean, at most {most}."
    return text


def kinds_block(data):
    rows = data["summary"]["targets"]
    of_float = [r for r in rows if r["title"].startswith("float32")]
    head = ["class"] + [r["title"].removeprefix("float32, ") for r in of_float]
    lines = []
    for kind, title in KINDS.items():
        found = [r["kinds"].get(kind) for r in of_float]
        lines.append([title] + [f"{f['mean']:.2f} ({f['least']:.2f})" if f else "" for f in found])
    return "Geometric mean (least cell) of the fastest peer / ours, float32.\n\n" + table(head, lines)


def machine_lines(data):
    m, v = data["machine"], data["versions"]
    caches = ", ".join(f"{k} {size}" for k, size in m["caches"].items() if size)
    flags = "; ".join(f"{name}: `{' '.join(f)}`" for name, f in data["flags"].items())
    lines = [
        f"- **machine**: {m['model']} ({m['family']}), {m['cores']} cores"
        + (f", under {m['virtual']}" if m["virtual"] else "")
        + f"; {caches}; `{' '.join(m['flags'])}`",
        f"- **versions**: PyTorch {v['torch']}, ONNX Runtime {v['onnxruntime']}, OpenVINO {v['openvino']}, "
        f"JAX {v['jax']}, MLX {v['mlx']}, oneDNN {v['onednn']} (Debian's), "
        f"Eigen {v['eigen']}, NumPy {v['numpy']}; {v['compiler']}",
        f"- **softax**: commit {v['commit']}" + (" with changes" if v["changed"] else "") + f"; {flags}",
        f"- **measured**: {data['measured']}",
    ]
    return "\n".join(lines)


def machine_block(data):
    disturbed = sum(r["others"] >= 0.1 for r in data["cells"])
    of_cells = f"; {disturbed} of {len(data['cells'])} lines while another program took a tenth or more of a processor"
    return machine_lines(data) + of_cells + " that was measured on"


def times_of(record, columns):
    """Nanoseconds of an element; the fastest of those compared in bold."""
    times = {c: record["results"].get(c, {}).get("ns_per_element") for c in columns}
    compared = [t for c, t in times.items() if t is not None and c != "memcpy"]
    best = min(compared)
    return [f"**{number(t)}**" if t == best and c != "memcpy" else number(t) for c, t in times.items()]


def ratio_of(record, variant):
    """The lead, and who is ahead where it is below 1."""
    ratio = lead(record, variant)
    if ratio is None:
        return ""
    return f"{ratio:.2f}" if ratio >= 1 else f"{ratio:.2f} ◂ {TITLES[best_peer(record, variant)].split(' `')[0]}"


def cells_block(data, dtype, threads):
    records = [r for r in data["cells"] if r["type"] == dtype and r["threads"] == threads]
    columns = [c for c in TITLES if any(c in r["results"] for r in records)]
    variants = [c for c in columns if c in ("softax O2", "softax v3")]
    head = ["shape, axes"] + [TITLES[c] for c in columns] + [f"lead `{v.split()[1]}`" for v in variants]
    head = [h.replace("`O2`", "`-O2`") for h in head]
    parts = []
    for kind, title in KINDS.items():
        of_kind = [r for r in records if r["kind"] == kind]
        if of_kind:
            rows = [
                [f"`{r['cell'].removesuffix(' ' + dtype)}`", *times_of(r, columns), *(ratio_of(r, v) for v in variants)]
                for r in of_kind
            ]
            parts.append(f"**{title[0].upper()}{title[1:]}**\n\n" + table(head, rows))
    return "\n\n".join(parts)


def accuracy_block(data):
    """Largest error of each library: on the hard rows, and over all cells of each type."""
    types = ("float32", "float64", "float16", "bfloat16")
    libraries = [c for c in TITLES if c != "memcpy"]
    rows = []
    for library in libraries:
        hard = [errors.get(library, "") for errors in data["hard"].values()]
        worst = []
        for dtype in types:
            of_type = [r["results"] for r in data["cells"] if r["type"] == dtype]
            found = [results[library].get("max_ulp") for results in of_type if library in results]
            worst.append(("NaN" if None in found else number(max(found))) if found else "")
        if any(worst):
            rows.append(
                [TITLES[library], *("NaN" if e is None else number(e) if e != "" else "" for e in hard), *worst]
            )
    return table(["library", *data["hard"], *(f"cells of {t}" for t in types)], rows)


def cliffs_block(data):
    names = {"row": "row length", "reduce": "length along the first axis", "inner": "inner extent"}
    rows = [
        [names[r["curve"]], TITLES[r["library"]], f"{r['worst']:.2f}", f"{r['between'][0]} and {r['between'][1]}"]
        for r in data["summary"]["cliffs"]
    ]
    return table(["what grows", "", "worst ratio of neighbours", "between"], rows)


def floors_block(data):
    rows = []
    for r in data["summary"]["floors"]:
        most = f"**{r['most']:.2f}**" if r["most"] <= r["wanted"] else f"{r['most']:.2f}, missed"
        cells = [f"{r['mean']:.2f}", most, f"{r['wanted']:.2f}", f"`{r['most_cell']}`"]
        rows.append([r["title"], TITLES[r["variant"]], *cells])
    return table(["softax / memcpy of the array", "", "geometric mean", "most", "wanted", "at"], rows)


def lost_block(data):
    lines = []
    for row in data["summary"]["targets"]:
        cells = ", ".join(f"`{c}`" for c in row["lost"])
        lines.append(f"- {row['title']}: " + (cells if cells else "nowhere"))
    return "\n".join(lines)


def blocks(data):
    found = {
        "targets": targets_block(data),
        "kinds": kinds_block(data),
        "machine": machine_block(data),
        "accuracy": accuracy_block(data),
        "lost": lost_block(data),
        "floors": floors_block(data),
        "neighbours": cliffs_block(data),
    }
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        for threads in sorted({r["threads"] for r in data["cells"]}):
            found[f"{dtype} {threads}"] = cells_block(data, dtype, threads)
    return found


def fill(page, found):
    """The page with each block replaced; a block without results says so."""

    def block(match):
        text = found.get(match[1]) or "Not measured."
        return f"<!-- begin {match[1]} -->\n{text}\n<!-- end {match[1]} -->"

    return re.sub(r"<!-- begin ([\w ]+) -->.*?<!-- end \1 -->", block, page, flags=re.S)


def write(root):
    """Redraws the page and the plots from the results measured last."""
    import family
    import plots

    folder = root / "docs" / "performance"
    data = newest(folder)
    data["summary"] = summary(data)
    page = root / "docs" / "performance.md"
    page.write_text(fill(page.read_text(), blocks(data) | family.blocks(family.newest(folder))))
    for name, draw in plots.PLOTS.items():
        draw(data, folder / name)
    print(f"written: {page.relative_to(root)} and {', '.join(plots.PLOTS)} beside the results")
