"""Each library as a task: one softmax made ready, from the shared input into memory of its own, to be run n times.

A task has run(calls) -> nanoseconds and result() -> NumPy array; preparing one raises Absent where the library has no
such softmax. C++ libraries (softax, Eigen, oneDNN, PyTorch with one axis) are repeated by the shim, the others by a
Python loop around their cheapest call.
"""

import ctypes
import io
import itertools
import os
import time

import ml_dtypes
import numpy as np

NUMPY_TYPES = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
ONNX_TYPES = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "FLOAT16", "bfloat16": "BFLOAT16"}


class Absent(Exception):
    """The library has no such softmax."""


def aligned(shape, dtype):
    """Uninitialized row-major memory that begins on a page, as large blocks of every allocator nearly do."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.empty(size + 4096, np.uint8)
    start = -raw.ctypes.data % 4096
    return raw[start : start + size].view(dtype).reshape(shape)


def input_of(cell, pool):
    """The elements of a cell: a dense base array and the view of it that is the input."""
    rows = cell.shape
    if cell.form == "transposed":
        base_shape = rows[::-1]
    elif cell.form == "stepped":
        base_shape = (*rows[:-1], 2 * rows[-1])
    else:
        base_shape = rows
    base = aligned(base_shape, NUMPY_TYPES[cell.dtype])
    flat = base.reshape(-1)
    for start in range(0, flat.size, pool.size):
        part = flat[start : start + pool.size]
        part[:] = pool[: part.size]
    return base, view_of(cell, base)


def view_of(cell, base):
    """The input as a view of base; works for arrays of every library."""
    if cell.form == "transposed":
        return base.T
    if cell.form == "stepped":
        return base[..., ::2]
    return base


# ---- C++ ------------------------------------------------------------------------------------------------------------


class Job(ctypes.Structure):
    """As struct job in shim.cpp."""

    _fields_ = [
        ("element", ctypes.c_int32),
        ("threads", ctypes.c_int32),
        ("x", ctypes.c_void_p),
        ("y", ctypes.c_void_p),
        ("rank", ctypes.c_int64),
        ("axis_count", ctypes.c_int64),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("axes", ctypes.POINTER(ctypes.c_int64)),
        ("size", ctypes.c_int64),
    ]


def integers(values):
    return (ctypes.c_int64 * len(values))(*values)


class Shim:
    """One compiled shim."""

    def __init__(self, path):
        self.library = ctypes.CDLL(str(path), mode=os.RTLD_LOCAL | os.RTLD_NOW)
        self.library.peers_prepare.restype = ctypes.c_void_p
        self.library.peers_prepare.argtypes = [ctypes.c_char_p, ctypes.POINTER(Job), ctypes.c_char_p, ctypes.c_size_t]
        self.library.peers_run.restype = ctypes.c_int64
        self.library.peers_run.argtypes = [ctypes.c_void_p, ctypes.c_int64]
        self.library.peers_release.argtypes = [ctypes.c_void_p]

    def prepare(self, name, cell, base, x, threads):
        return ShimTask(self.library, name, cell, x, threads)


class ShimTask:
    def __init__(self, library, name, cell, x, threads):
        self.library, self.x, self.prepared = library, x, None
        self.y = aligned(cell.shape, x.dtype)
        strides = [s // x.dtype.itemsize for s in x.strides]
        job = Job(
            list(NUMPY_TYPES).index(cell.dtype),
            threads,
            x.ctypes.data,
            self.y.ctypes.data,
            len(cell.shape),
            len(cell.axes),
            integers(cell.shape),
            integers(strides),
            integers(cell.axes),
            cell.size,
        )
        why = ctypes.create_string_buffer(300)
        self.prepared = library.peers_prepare(name.encode(), ctypes.byref(job), why, len(why))
        if not self.prepared:
            raise Absent(why.value.decode())

    def run(self, calls):
        return self.library.peers_run(self.prepared, calls)

    def result(self):
        return self.y

    def __del__(self):
        if self.prepared:
            self.library.peers_release(self.prepared)


# ---- Python ---------------------------------------------------------------------------------------------------------


class PythonTask:
    """A call repeated by Python; result() reads what the last call left."""

    def __init__(self, call, result):
        self.call, self.result = call, result

    def run(self, calls):
        call, clock = self.call, time.perf_counter_ns
        start = clock()
        for _ in itertools.repeat(None, calls):
            call()
        return clock() - start


class Torch:
    """Softmax over one axis with out=; over several, composed: the groups laid side by side, or the formula itself."""

    def __init__(self, threads, shim):
        import torch

        self.torch, self.shim = torch, shim
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        torch.set_grad_enabled(False)

    def tensor(self, array, dtype):
        if dtype == "bfloat16":
            return self.torch.from_numpy(array.view(np.uint16)).view(self.torch.bfloat16)
        return self.torch.from_numpy(array)

    def prepare(self, name, cell, base, x, threads):
        if len(cell.axes) == 1:
            return self.shim.prepare("torch", cell, base, x, threads)
        y = aligned(cell.shape, x.dtype)
        source, out = self.tensor(base, cell.dtype), self.tensor(y, cell.dtype)
        calls = [self.side_by_side(source, out, cell), self.formula(source, out, cell)]
        return fastest([PythonTask(call, lambda: y) for call in calls])

    def side_by_side(self, source, out, cell):
        torch, rank = self.torch, source.dim()
        kept = [a for a in range(rank) if a not in cell.axes]
        order = [*kept, *cell.axes]
        flat = (*(cell.shape[a] for a in kept), cell.group)
        if order == list(range(rank)):
            source, out = source.view(flat), out.view(flat)
            return lambda: torch.softmax(source, -1, out=out)
        back = [order.index(a) for a in range(rank)]
        permuted = [cell.shape[a] for a in order]
        return lambda: out.copy_(torch.softmax(source.permute(order).reshape(flat), -1).view(permuted).permute(back))

    def formula(self, source, out, cell):
        torch, axes = self.torch, cell.axes

        def call():
            torch.sub(source, torch.amax(source, axes, keepdim=True), out=out)
            torch.exp(out, out=out)
            out.div_(out.sum(axes, keepdim=True))

        return call


class OnnxModel:
    """A model of one Softmax node, or with Transpose and Reshape where axes must be brought together."""

    def __init__(self):
        import onnx

        self.onnx = onnx

    def nodes(self, cell, rank):
        helper, numpy_helper = self.onnx.helper, self.onnx.numpy_helper
        constants, nodes, at = [], [], "x"

        def add(kind, inputs=(), **attributes):
            nonlocal at
            nodes.append(helper.make_node(kind, [at, *inputs], [f"t{len(nodes)}"], **attributes))
            at = f"t{len(nodes) - 1}"

        def constant(values):
            constants.append(numpy_helper.from_array(np.array(values, np.int64), f"c{len(constants)}"))
            return constants[-1].name

        if cell.form == "transposed":
            add("Transpose", perm=list(range(rank))[::-1])
        if cell.form == "stepped":
            add("Slice", [constant([0]), constant([2**62]), constant([rank - 1]), constant([2])])
        if len(cell.axes) == 1:
            add("Softmax", axis=cell.axes[0])
        else:
            kept = [a for a in range(rank) if a not in cell.axes]
            order = [*kept, *cell.axes]
            if order != list(range(rank)):
                add("Transpose", perm=order)
            add("Reshape", [constant([*(cell.shape[a] for a in kept), cell.group])])
            add("Softmax", axis=-1)
            add("Reshape", [constant([cell.shape[a] for a in order])])
            if order != list(range(rank)):
                add("Transpose", perm=[order.index(a) for a in range(rank)])
        nodes[-1].output[0] = "y"
        return nodes, constants

    def element(self, cell):
        return getattr(self.onnx.TensorProto, ONNX_TYPES[cell.dtype])

    def bytes_of(self, cell, base):
        helper, element = self.onnx.helper, self.element(cell)
        nodes, constants = self.nodes(cell, base.ndim)
        graph = helper.make_graph(
            nodes,
            "softmax",
            [helper.make_tensor_value_info("x", element, base.shape)],
            [helper.make_tensor_value_info("y", element, cell.shape)],
            constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        return model.SerializeToString()


class OnnxRuntime(OnnxModel):
    """The model with IO binding."""

    def __init__(self, threads):
        import onnxruntime

        super().__init__()
        self.runtime, self.threads = onnxruntime, threads
        onnxruntime.set_default_logger_severity(4)

    def prepare(self, name, cell, base, x, threads):
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        # Idle threads must not take the processor from whom is timed next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        model, element = self.bytes_of(cell, base), self.element(cell)
        try:
            session = self.runtime.InferenceSession(model, options, ["CPUExecutionProvider"])
        except Exception as e:
            raise Absent(f"ONNX Runtime: {str(e).splitlines()[0][:160]}") from e
        y, binding = aligned(cell.shape, x.dtype), session.io_binding()
        binding.bind_input("x", "cpu", 0, element, base.shape, base.ctypes.data)
        binding.bind_output("y", "cpu", 0, element, cell.shape, y.ctypes.data)
        run = session._sess.run_with_iobinding
        return PythonTask(lambda: run(binding._iobinding, None), lambda: y)


class OpenVino(OnnxModel):
    """The same model, its tensors in memory of the caller. It computes float64 in float32."""

    def __init__(self, threads):
        import openvino

        super().__init__()
        self.runtime, self.core = openvino, openvino.Core()
        self.options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}

    def tensor(self, array, dtype):
        if dtype == "bfloat16":
            return self.runtime.Tensor(array.view(np.uint16), array.shape, self.runtime.Type.bf16)
        return self.runtime.Tensor(array, shared_memory=True)

    def prepare(self, name, cell, base, x, threads):
        model = self.core.read_model(io.BytesIO(self.bytes_of(cell, base)))
        # Else float32 may be computed in less.
        exact = {"INFERENCE_PRECISION_HINT": "bf16" if cell.dtype == "bfloat16" else "f32"}
        y = aligned(cell.shape, x.dtype)
        request = self.core.compile_model(model, "CPU", self.options | exact).create_infer_request()
        request.set_input_tensor(self.tensor(base, cell.dtype))
        request.set_output_tensor(self.tensor(y, cell.dtype))
        return PythonTask(lambda: request.infer(share_outputs=True), lambda: y)


class Jax:
    """jax.nn.softmax, compiled. It returns a new array each time: there is no writing into memory of the caller."""

    def __init__(self, threads):
        import jax

        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_cpu_enable_async_dispatch", False)
        self.jax = jax

    def prepare(self, name, cell, base, x, threads):
        jax = self.jax
        source = jax.device_put(base)
        compiled = jax.jit(lambda a: jax.nn.softmax(view_of(cell, a), axis=cell.axes)).lower(source).compile()
        last = [None]

        def call():
            last[0] = None
            last[0] = compiled(source).block_until_ready()

        return PythonTask(call, lambda: np.asarray(last[0]))


class Mlx:
    """mlx.core.softmax on its CPU device, sums in float32 at least. It returns a new array each time."""

    def __init__(self, threads):
        import mlx.core

        self.mlx = mlx.core
        self.mlx.set_default_device(self.mlx.cpu)

    def prepare(self, name, cell, base, x, threads):
        mlx = self.mlx
        if cell.dtype == "bfloat16":
            source = view_of(cell, mlx.array(base.view(np.uint16)).view(mlx.bfloat16))
        else:
            source = view_of(cell, mlx.array(base))
        mlx.eval(source)
        last = [None]

        def call():
            last[0] = None
            last[0] = mlx.softmax(source, axis=cell.axes, precise=True)
            mlx.eval(last[0])

        def result():
            return np.array(last[0].astype(mlx.float32) if cell.dtype == "bfloat16" else last[0])

        return PythonTask(call, result)


def fastest(tasks):
    """Of several ways to say the same, the one that takes least."""
    for task in tasks:
        task.run(1)
    return min(tasks, key=lambda task: min(task.run(1) for _ in range(3)))
