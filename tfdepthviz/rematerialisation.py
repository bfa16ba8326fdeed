"""A frozen network whose maps are computed again for its gradient, in place of being kept.

The network is cut into pieces. While its gradient is taken, what crosses a cut is in memory, and of
one piece at a time what lies inside: its forward pass runs once more when its turn comes.
"""

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz.errors import InputError

MIN_NODES = 3
MAX_PIECES = 64


def rematerialised(net):
    """A frozen network as a function that keeps little for its gradient.

    Outputs and gradients are those of the network; a gradient costs one more forward pass.

    Args:
      net: functional keras.Model of one input and one output, nothing trainable.
    Returns:
      function of the input, equal to net(input, training=False).
    Raises:
      InputError: the network is no graph of at least three layers.
    """
    nodes = _nodes(net)
    if len(nodes) < MIN_NODES:
        raise InputError(
            f"{net.name}: its maps cannot be computed again in pieces, as it is no graph of at "
            f"least {MIN_NODES} layers"
        )
    (source,), (result,) = net.inputs, net.outputs
    crossing = _crossing(nodes, result)
    cuts = _cuts(nodes, crossing)
    edges = [0, *cuts, len(nodes)]
    pieces = [
        _Piece(nodes[first:last], [*crossing[last]])
        for first, last in zip(edges, edges[1:], strict=False)
    ]

    def call(image):
        values = {id(source): image}
        for piece in pieces:
            found = piece.call(*(values[name] for name in piece.takes))
            values |= zip(piece.gives, found, strict=True)
        return values[id(result)]

    return call


class _Piece:
    """Some neighbouring nodes as one function of tensors, whose inside is not kept.

    Args:
      nodes: nodes in an order in which they can run.
      wanted: ids of the symbolic tensors that are needed after them.
    """

    def __init__(self, nodes, wanted):
        self.nodes = nodes
        made = {id(tensor) for node in nodes for tensor in node.outputs}
        used = [id(tensor) for node in nodes for tensor in node.input_tensors]
        self.takes = [name for name in dict.fromkeys(used) if name not in made]
        self.gives = [name for name in wanted if name in made]
        self.call = tf.recompute_grad(self._run)

    def _run(self, *tensors):
        values = dict(zip(self.takes, tensors, strict=True))
        for node in self.nodes:
            arguments, options = node.arguments.fill_in(values)
            found = keras.tree.flatten(node.operation(*arguments, **options))
            values |= zip(map(id, node.outputs), found, strict=True)
        return [values[name] for name in self.gives]


def _nodes(net):
    """Calls of operations in the order in which a functional model runs them; [] of another."""
    if not hasattr(net, "_nodes_by_depth"):
        return []
    by_depth = sorted(net._nodes_by_depth.items(), reverse=True)
    return [node for _, nodes in by_depth for node in nodes if not node.is_input]


def _crossing(nodes, result):
    """For each place between nodes, id -> size of the tensors made before and used behind it."""
    last_use = {id(tensor): i for i, node in enumerate(nodes) for tensor in node.input_tensors}
    last_use[id(result)] = len(nodes)
    crossing, alive = [{}], {}
    for i, node in enumerate(nodes):
        alive |= {id(tensor): _size(tensor) for tensor in node.outputs}
        alive = {name: size for name, size in alive.items() if last_use.get(name, -1) > i}
        crossing.append(alive)
    return crossing


def _cuts(nodes, crossing):
    """Places to cut at, for the least memory: what crosses, and all of the largest piece."""
    made = np.array([sum(_size(tensor) for tensor in node.outputs) for node in nodes])

    def memory(cuts):
        crosses = {name: size for cut in cuts for name, size in crossing[cut].items()}
        return sum(crosses.values()) + max(map(np.sum, np.split(made, cuts)))

    plans = [_cuts_of_pieces(made, crossing, made.sum() / n) for n in range(2, MAX_PIECES + 1)]
    return min(plans, key=memory)


def _cuts_of_pieces(made, crossing, limit):
    """Cuts after which pieces make at most about `limit` numbers, each the cheapest in reach."""
    cuts, first = [], 0
    while made[first:].sum() > limit:
        sizes = np.cumsum(made[first:])
        begin, end = (first + 1 + int(np.searchsorted(sizes, n)) for n in (limit / 2, limit))
        first = min(range(begin, end + 1), key=lambda place: sum(crossing[place].values()))
        cuts.append(first)
    return [cut for cut in cuts if cut < len(made)]


def _size(tensor):
    """Numbers of one image."""
    return int(np.prod(tensor.shape[1:]))
