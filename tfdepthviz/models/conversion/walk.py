"""A walk through the graph of an ONNX file: computes its operators one after the other."""

import numpy as np
from keras import ops

from tfdepthviz.models.conversion.operators import OPERATORS, POINTWISE
from tfdepthviz.models.conversion.spatial import SPATIAL
from tfdepthviz.utils.errors import InputError, one_line

# Stands for the batch's size, which is not known, in sizes of tensors. No other size is a multiple
# of this prime number, so that a multiple of it is one of the batch.
BATCH = 1_000_003
# Constants with at least so many numbers become variables: a graph holds at most 2 GB.
VARIABLE = 64
# A constant of more numbers is no network's.
LARGEST = 1 << 28
# Nor is a map of more numbers, for one image.
LARGEST_MAP = 1 << 30
ADVICE = (
    "replace it in the network's code by others, or give the network as TensorFlow code, "
    "FILE.py:NAME"
)
# Operators with constant inputs that are computed in the graph all the same: onnx is slow at them.
SLOW = ("Resize", "Conv", "ConvTranspose", "ConstantOfShape", "Expand", "Tile")
# Operators whose first argument is no tensor.
NO_TENSOR_FIRST = ("ConstantOfShape", "SequenceAt", "ConcatFromSequence")


class Walk:
    """One walk through the graph, node by node; operators call its methods.

    Args:
      network: OnnxNetwork.
      image: (B, H, W, 3) tensor; None: `start` hands it over.
      batch: B as a number or tensor.
    """

    def __init__(self, network, image, batch):
        self.network, self.batch = network, batch
        self.dtype, self.opset = network.dtype, network.opset
        self.constant = network.constant
        self.weights, self.sizes, self.last = [], {}, {}
        self.number_of_outputs = 1
        if image is not None:
            self.start(image)

    def start(self, image):
        """Puts the image where the graph expects it."""
        self.kept = [image]
        first = self.channels_first(image) if self.network.is_channels_first else image
        self.values = {"": None, **self.network.constants, self.network.input: first}
        self.sizes[id(first)] = (self.network.batch, *map(int, first.shape[1:]))

    def outputs(self):
        for node in self.network.graph.node:
            self._run(node)
        return {o.name: self.values[o.name] for o in self.network.graph.output}

    # What operators ask for.

    def tensor(self, value):
        """A constant as a tensor: a large one as a variable."""
        if not isinstance(value, np.ndarray):
            return value
        if value.size < VARIABLE or value.dtype.kind != "f":
            return ops.convert_to_tensor(value)
        self.weights.append(value)
        if self.network.variables is None:  # only its size counts
            return ops.zeros(value.shape, self.dtype)
        return ops.convert_to_tensor(self.network.variables[len(self.weights) - 1])

    def transposed(self, value, axes):
        """A constant or tensor with its axes in another order, as a tensor."""
        if isinstance(value, np.ndarray):
            return self.tensor(np.transpose(value, axes))
        return ops.transpose(value, axes)

    def numbers(self, value, kind=int):
        """A constant's numbers as a list, or the number if it has no axis."""
        if not isinstance(value, np.ndarray):
            raise InputError("a size or place that depends on the image's values")
        return value.astype(kind).tolist()

    def size_of(self, value):
        """The size of a constant or tensor; BATCH and multiples stand for the batch."""
        return self.sizes.get(id(value), value.shape)

    def shape(self, size, inferred=True):
        """A size as operations take it, with -1 or the batch's true size for BATCH."""
        many = [n % BATCH == 0 and n > 0 for n in size]
        if not any(many) and np.prod(size, dtype=float) > LARGEST:
            raise InputError(f"a constant of size {tuple(size)}")
        if sum(many) == 1 and inferred and -1 not in size:
            return [-1 if is_many else int(n) for n, is_many in zip(size, many, strict=True)]
        return [n // BATCH * self.batch if m else int(n) for n, m in zip(size, many, strict=True)]

    def channels_last(self, x):
        """A map (B, C, H, W) as (B, H, W, C)."""
        return self.last[id(x)] if id(x) in self.last else ops.transpose(x, (0, 2, 3, 1))

    def channels_first(self, x):
        """A map (B, H, W, C) as (B, C, H, W); its other form is kept for the next operator."""
        first = ops.transpose(x, (0, 3, 1, 2))
        self.last[id(first)] = x
        self.kept.append(first)  # an id belongs to a living tensor
        return first

    def all_channels_last(self, values):
        """The maps with their channels last, if all are there in that form; else None."""
        there = all(not isinstance(x, np.ndarray) and id(x) in self.last for x in values)
        return [self.last[id(x)] for x in values] if there else None

    # The walk itself.

    def _run(self, node):
        inputs = [self.values[name] for name in node.input]
        self.number_of_outputs = len(node.output)
        try:
            results = self._results(node, inputs)
            results = results if isinstance(results, list) else [results]
            for name, value in zip(node.output, results, strict=False):
                self.values[name] = self._sized(name, value)
        except Exception as error:  # operations may raise anything
            what = one_line(f"operator {node.op_type} ({node.name or node.output[0]})", 200)
            text = one_line(error, 300)
            text = text if ADVICE in text else f"{text}; {ADVICE}"
            raise InputError(f"{what}: {text}") from error

    def _results(self, node, inputs):
        import onnx

        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
        name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        if name == "Constant":
            return self._constant_node(attributes)
        if name == "Shape":
            size = self.size_of(inputs[0])
            return np.array(size, "int64")[attributes.get("start", 0) : attributes.get("end")]
        if name == "If":
            return self._branch(attributes, inputs)
        arrays = [x for x in inputs if x is not None]
        if all(isinstance(x, np.ndarray) for x in arrays) and name not in SLOW:
            return self._folded(node)
        if name in POINTWISE:
            return self._pointwise(POINTWISE[name], inputs, attributes)
        if operator := SPATIAL.get(name) or OPERATORS.get(name):
            first, *others = inputs or [None]
            first = self.tensor(first) if name not in NO_TENSOR_FIRST else first
            return operator(self, first, *others, **attributes)
        return self._spelled_out(node, name)

    def _constant_node(self, attributes):
        ((kind, value),) = attributes.items()
        if kind == "value":
            return self.constant(value)
        types = {"value_float": self.dtype, "value_floats": self.dtype}
        return np.array(value, types.get(kind, "int64"))

    def _branch(self, attributes, inputs):
        branch = attributes["then_branch" if self.numbers(inputs[0].reshape(())) else "else_branch"]
        self.values |= {t.name: self.constant(t) for t in branch.initializer}
        for node in branch.node:
            self._run(node)
        return [self.values[o.name] for o in branch.output]

    def _folded(self, node):
        """What a node with constant inputs gives, computed by onnx."""
        import onnx.reference

        names = [n for n in dict.fromkeys(node.input) if n]
        graph = onnx.helper.make_graph(
            [node],
            "constant",
            [onnx.ValueInfoProto(name=n) for n in names],
            [onnx.ValueInfoProto(name=n) for n in node.output if n],
        )
        opsets = {"": self.opset, node.domain: self.opset}
        self._check_folded(node, names, opsets)
        evaluate = onnx.reference.ReferenceEvaluator(graph, opsets=opsets)
        results = evaluate.run(None, {n: self.values[n] for n in names})
        given = iter(results)
        return [self._as_constant(next(given)) if name else None for name in node.output]

    def _check_folded(self, node, names, opsets):
        """Refuses a constant of more than LARGEST numbers before it is computed."""
        import onnx

        if not onnx.defs.has(node.op_type, self.opset, node.domain):
            raise InputError(_unknown(f"{node.domain}.{node.op_type}".removeprefix(".")))
        schema = onnx.defs.get_schema(node.op_type, self.opset, node.domain)
        arrays = {n: self.values[n] for n in names if isinstance(self.values[n], np.ndarray)}
        if len(arrays) < len(names):
            return  # sequences
        types = {
            n: onnx.helper.make_tensor_type_proto(
                onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape
            )
            for n, a in arrays.items()
        }
        known = {
            n: onnx.numpy_helper.from_array(a, n) for n, a in arrays.items() if a.size < VARIABLE
        }
        inferred = onnx.shape_inference.infer_node_outputs(
            schema,
            node,
            types,
            known,
            opset_imports=[onnx.helper.make_opsetid(*pair) for pair in opsets.items()],
        )
        for value in inferred.values():
            size = [d.dim_value for d in value.tensor_type.shape.dim]
            if np.prod(size, dtype=float) > LARGEST:
                raise InputError(f"a constant of size {tuple(size)}")

    def _as_constant(self, value):
        if isinstance(value, list):
            return [self._as_constant(v) for v in value]
        value = np.asarray(value)
        return value.astype(self.dtype) if value.dtype.kind == "f" else value

    def _pointwise(self, operation, inputs, attributes):
        """With channels last where all maps are there in that form."""
        rank = max(
            x.ndim if isinstance(x, np.ndarray) else len(x.shape) for x in inputs if x is not None
        )
        maps = [x for x in inputs if x is not None and not isinstance(x, np.ndarray)]
        if rank == 4 and self.all_channels_last(maps):
            turned = map(self._turned, inputs)
            return self.channels_first(operation(*map(self.tensor, turned), **attributes))
        return operation(*map(self.tensor, inputs), **attributes)

    def _turned(self, value):
        """A map, or a constant that broadcasts with maps, with its channels last."""
        if not isinstance(value, np.ndarray):
            return None if value is None else self.last[id(value)]
        whole = value.reshape((1,) * (4 - value.ndim) + value.shape)
        return np.transpose(whole, (0, 2, 3, 1))

    def _spelled_out(self, node, name):
        """An operator that ONNX itself defines by others."""
        import onnx

        if node.domain not in ("", "ai.onnx"):
            raise InputError(_unknown(name))
        schema = onnx.defs.get_schema(node.op_type, self.opset)
        if not schema.has_function:
            raise InputError(_unknown(name))
        body = schema.function_body
        inner = dict(zip(body.input, node.input, strict=False))
        inner |= dict(zip(body.output, node.output, strict=False))
        known = {name: a.default_value for name, a in schema.attributes.items()}
        known |= {a.name: a for a in node.attribute}
        for step in body.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(step)
            for names in (copy.input, copy.output):
                for i, value in enumerate(names):
                    names[i] = inner.setdefault(value, value and f"{node.output[0]}/{value}")
            for attribute in list(copy.attribute):
                if reference := attribute.ref_attr_name:
                    copy.attribute.remove(attribute)
                    if reference in known:
                        copy.attribute.add().CopyFrom(known[reference])
                        copy.attribute[-1].name = attribute.name
            self._run(copy)
        return [self.values[name] for name in node.output]

    def _sized(self, name, value):
        """Notes the size of a tensor, or restores it where TensorFlow could not know it."""
        if isinstance(value, list):
            return [self._sized(f"{name}/{i}", v) for i, v in enumerate(value)]
        if value is None or isinstance(value, np.ndarray):
            return value
        if self.network.sizes is None:
            size = tuple(map(int, value.shape))
            each = np.prod([n // BATCH if n and n % BATCH == 0 else n for n in size], dtype=float)
            if each > LARGEST_MAP:
                raise InputError(f"a map of {each:.0f} numbers for one image")
            self.sizes[name] = size
        else:
            self.sizes[name] = self.network.sizes[name]
            static = [None if n % BATCH == 0 and n else n for n in self.sizes[name]]
            if hasattr(value, "set_shape") and None in tuple(value.shape):
                value.set_shape(static)
        self.sizes[id(value)] = self.sizes[name]
        self.kept.append(value)
        return value


def _unknown(name):
    known = sorted({*POINTWISE, *OPERATORS, *SPATIAL})
    return (
        f"is not translated here; {ADVICE}. {len(known)} operators are known, and those that ONNX "
        f"defines by them; {name} is none"
    )
