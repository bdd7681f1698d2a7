"""What all rewritings need: copies of graphs, and the convolutions in them."""

from torch import fx, nn


def copy_of(module: fx.GraphModule) -> fx.GraphModule:
    """A graph of its own that shares the modules."""
    graph = fx.Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    return fx.GraphModule(module, graph)


def finished(module: fx.GraphModule) -> fx.GraphModule:
    """The module, ready to run after its graph was changed."""
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def conv_of(module: fx.GraphModule, node: fx.Node) -> nn.Conv2d | None:
    """The convolution that a node calls, if it calls one."""
    called = module.get_submodule(str(node.target)) if node.op == "call_module" else None
    return called if isinstance(called, nn.Conv2d) else None


def replace(module: fx.GraphModule, node: fx.Node, by: nn.Module) -> None:
    """Let a node call another module."""
    name = f"{node.name}_rewritten"
    while hasattr(module, name):
        name += "_again"
    module.add_submodule(name, by)
    node.target = name


def padding_of(conv: nn.Conv2d) -> list[int]:
    """Rows and columns of zeros that a convolution adds on each side."""
    if not isinstance(conv.padding, str):
        return list(conv.padding)
    return [d * (k - 1) // 2 for d, k in zip(conv.dilation, conv.kernel_size, strict=True)]
