"""What the comparison compiles: shared libraries and programs, each anew only if its source, a header or the command changed."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "peers"
FLAGS = {"O2": ["-O2"], "v3": ["-O3", "-march=x86-64-v3"], "native": ["-O3", "-march=native"]}
TORCH = Path(sysconfig.get_paths()["purelib"]) / "torch"
TORCH_LIBRARIES = [f"-L{TORCH / 'lib'}", "-ltorch_cpu", "-lc10"]


def compile_one(target, source, flags, include, libraries=()):
    """The file of that name in the build folder."""
    target, source = BUILD / target, HERE / source
    places = ["/usr/include/eigen3", "/usr/local/include/eigen3", "/opt/homebrew/include/eigen3", "/usr/include"]
    eigen = next(place for place in places if Path(place, "Eigen/Core").exists())
    command = [
        os.environ.get("CXX", "c++"),
        "-std=c++20",
        "-pthread",
        *flags,
        f"-I{include}",
        "-isystem",
        eigen,
        str(source),
        *libraries,
        "-o",
        str(target),
    ]
    stamp = target.with_suffix(".command")
    if stamp.exists() and stamp.read_text() == "\n".join(command):
        newest = max(path.stat().st_mtime for path in (source, *Path(include).rglob("*.hpp")))
        if newest <= target.stat().st_mtime:
            return str(target)
    print(f"compiling {target.name}: {' '.join(flags)}", file=sys.stderr, flush=True)
    stamp.unlink(missing_ok=True)
    subprocess.run(command, check=True)
    stamp.write_text("\n".join(command))
    return str(target)


def compile_shim(name, flags, include, libraries=()):
    return compile_one(f"shim-{name}.so", "shim.cpp", ["-shared", "-fPIC", "-fvisibility=hidden", *flags], include, libraries)


def compile_shims(options):
    """name -> shared library: softax and Eigen by their flags, and the peers that are C++."""
    shims = {name: compile_shim(name, FLAGS[name], options.include) for name in options.variants}
    if "onednn" in options.peers:
        shims["onednn"] = compile_shim("onednn", ["-O2", "-DPEERS_ONEDNN"], HERE, ["-ldnnl"])
    if "torch" in options.peers:
        flags = ["-O2", "-DPEERS_TORCH", "-isystem", str(TORCH / "include")]
        shims["torch"] = compile_shim("torch", flags, HERE, TORCH_LIBRARIES)
    return shims
