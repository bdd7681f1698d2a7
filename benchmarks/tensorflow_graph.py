"""Time of the authors' graphs in TensorFlow beside ours, in one run that takes turns.

Usage, in an environment that has TensorFlow, too (pip install -e '.[openvino]' tensorflow-cpu):
    python benchmarks/tensorflow_graph.py [--runs 9]

TensorFlow is given the network's own numbers and a photo of floats, ours one of 8 bits, which it
turns into floats. What both give is compared before anything is timed.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from pipeline.__main__ import ALLOCATOR
from ppcn.errors import UserError
from ppcn.evaluation.complexity import describe_machine
from ppcn.evaluation.timing import CPU
from ppcn.inference.runtimes import RuntimeName, make_runtime
from ppcn.inference.tiled import Tiled, run_tiled
from ppcn.networks import NETWORKS
from ppcn.weights import load_weights
from ppcn.weights.shipped import find_weights

HEIGHT, WIDTH, THREADS = 720, 1280, 2
NAMES = ("ppcn_student", "ppcn_teacher", "srcnn")
SHIPPED = {"ppcn_student": "any", "ppcn_teacher": "iphone-3gs"}
RUNTIMES: tuple[RuntimeName, ...] = ("torch", "openvino")
DISCARDED, TURNS = 2, 3
Call = Callable[[], np.ndarray]


def main(runs: Annotated[int, typer.Option(min=TURNS, help="Runs that count.")] = 9) -> None:
    """Print a table of mean times in ms."""
    try:
        import tensorflow as tf
    except ImportError:
        sys.exit("error: TensorFlow is not installed; install it with: pip install tensorflow-cpu")
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    torch.set_num_threads(THREADS)
    photo = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    calls: dict[tuple[str, str], Call] = {}
    for name in NAMES:
        network = _load_network(name)
        calls["TensorFlow", name] = _tensorflow(tf, name, network, photo)
        expected = calls["TensorFlow", name]()
        for runtime in RUNTIMES:
            calls[runtime, name] = _ours(network, runtime, photo)
            apart = float(np.abs(calls[runtime, name]() - expected).max())
            print(f"{name}: {runtime} and TensorFlow differ by {apart:.1e} at most")
    times = _time(calls, runs)
    machine = describe_machine()
    title = f"{WIDTH}x{HEIGHT}, ms; {machine['processor']}, {THREADS} threads, {tf.__version__}"
    table = Table("", *NAMES, title=title)
    for runtime in ("TensorFlow", *RUNTIMES):
        table.add_row(runtime, *(f"{times[runtime, name]:.1f}" for name in NAMES))
    Console().print(table)


def _load_network(name: str) -> nn.Module:
    """A network with the weights that come with the package, or such as give a picture."""
    if shipped := SHIPPED.get(name):
        return load_weights(find_weights(shipped))[0]
    torch.manual_seed(0)
    return NETWORKS[name].make(initial_deviation=None).eval()


def _time(calls: dict[tuple[str, str], Call], runs: int) -> dict[tuple[str, str], float]:
    taken: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    for _ in range(TURNS):
        for key, call in calls.items():
            for number in range(DISCARDED + runs // TURNS):
                started = time.perf_counter()
                call()
                if number >= DISCARDED:
                    taken[key].append((time.perf_counter() - started) * 1000)
    return {key: statistics.mean(times) for key, times in taken.items()}


def _ours(network: nn.Module, runtime: RuntimeName, photo: np.ndarray) -> Call:
    try:
        run = run_tiled(Tiled(network, None, make_runtime(runtime, device=CPU)))
    except UserError as error:
        sys.exit(f"error: {error}")
    return lambda: run(photo)


def _tensorflow(tf: Any, name: str, network: nn.Module, photo: np.ndarray) -> Call:
    """The network as a TensorFlow graph, channels last."""
    values = {key: value.numpy() for key, value in network.state_dict().items()}
    graph = {"ppcn_student": _student, "ppcn_teacher": _teacher, "srcnn": _srcnn}[name]
    shape = tf.TensorSpec((1, HEIGHT, WIDTH, 3), tf.float32)
    run = tf.function(lambda x: graph(tf, _Layers(tf, values), x), input_signature=[shape])
    x = tf.constant(photo[None].astype(np.float32) / 255)
    return lambda: run(x).numpy()[0]


class _Layers:
    """Layers by their names in our state dict."""

    def __init__(self, tf: Any, values: dict[str, np.ndarray]) -> None:
        self._tf, self._values = tf, values

    def conv(self, x: Any, name: str, dilation: int = 1) -> Any:
        kernel = self._tf.constant(self._values[f"{name}.weight"].transpose(2, 3, 1, 0))
        x = self._tf.nn.conv2d(x, kernel, strides=1, padding="SAME", dilations=dilation)
        bias = self._values.get(f"{name}.bias")
        return x if bias is None else self._tf.nn.bias_add(x, self._tf.constant(bias))

    def norm(self, x: Any, name: str) -> Any:
        mean, variance = self._tf.nn.moments(x, (1, 2), keepdims=True)
        scale, shift = (self._values[f"{name}.{part}"] for part in ("weight", "bias"))
        return self._tf.nn.batch_normalization(x, mean, variance, shift, scale, 1e-3)

    def contrast(self, x: Any) -> Any:
        mean = self._tf.reduce_mean(x, (1, 2), keepdims=True)
        return (x - mean) * 1.2 + mean

    def lrelu(self, x: Any) -> Any:
        return self._tf.nn.leaky_relu(x, 0.05)


def _student(tf: Any, layers: _Layers, x: Any) -> Any:
    x = layers.lrelu(layers.conv(layers.contrast(x), "conv0"))
    c1 = layers.lrelu(layers.conv(x, "conv1"))
    x = layers.lrelu(layers.norm(layers.conv(c1, "conv2", 2), "norm2"))
    c3 = layers.lrelu(layers.norm(layers.conv(x, "conv3", 2), "norm3")) + c1
    return tf.tanh(layers.conv(c3, "conv4")) * 0.58 + 0.5


def _teacher(tf: Any, layers: _Layers, x: Any) -> Any:
    x = layers.lrelu(layers.conv(layers.contrast(x), "conv0"))
    c1 = layers.lrelu(layers.conv(x, "conv1"))
    x = layers.lrelu(layers.norm(layers.conv(c1, "conv2"), "norm2"))
    c3 = layers.norm(layers.conv(x, "conv3"), "norm3") + c1
    x = layers.lrelu(layers.norm(layers.conv(c3, "conv4", 2), "norm4"))
    c5 = layers.norm(layers.conv(x, "conv5", 2), "norm5") + c3
    c6 = layers.lrelu(layers.conv(tf.concat((c3, c5), 3), "conv6"))
    return tf.tanh(layers.conv(c6, "conv7")) * 0.58 + 0.5


def _srcnn(tf: Any, layers: _Layers, x: Any) -> Any:
    x = tf.nn.relu(layers.conv(x, "conv1"))
    x = layers.conv(tf.nn.relu(layers.conv(x, "conv2")), "conv3")
    return tf.tanh(x + layers._values["bias3"]) * 0.58 + 0.5


if __name__ == "__main__":
    if not ALLOCATOR.keys() & os.environ.keys():
        arguments = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, **ALLOCATOR})
    typer.run(main)
