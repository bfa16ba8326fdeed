"""OnnxNetwork: the graph of an ONNX file as a function of tensors, with gradients."""

import keras
from keras import ops

from tfdepthviz.models.conversion.operators import FLOATS
from tfdepthviz.models.conversion.walk import BATCH, Walk
from tfdepthviz.utils.errors import InputError, one_line

# Opset; older ones define some operators otherwise.
OLDEST = 11


class OnnxNetwork:
    """The graph of an ONNX model on Keras's operations, for one image size.

    Args:
      model: onnx.ModelProto, checked, with its weights.
      size: (H, W) of the image.
      dtype: "float32", or "float64" to measure gradients.
      batch: BATCH for batches of any size, or 1 for a network that takes one image at a time.
    Raises:
      InputError: the model takes no such image, or has an operator that is not known.

    Example:
        network = OnnxNetwork(onnx.load("n.onnx"), (224, 224))
        depths = network(images)  # {"depth": (B, 224, 224, 1)}
    """

    def __init__(self, model, size, dtype="float32", batch=BATCH):
        import onnx.inliner

        if any(o.version < OLDEST for o in model.opset_import if o.domain in ("", "ai.onnx")):
            raise InputError(f"written for an opset below {OLDEST}: export it again with a newer")
        model = onnx.inliner.inline_local_functions(model)
        self.graph = model.graph
        self.opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.dtype, self.batch = dtype, batch
        self.constants = {t.name: self.constant(t) for t in self.graph.initializer}
        self.input, self.is_channels_first = _image_input(self.graph, self.constants, size)
        self.size = tuple(size)
        self.sizes = self.variables = None
        self._measured()

    def __call__(self, image):
        """Every output by name.

        Args:
          image: (B, H, W, 3) tensor, as the network was trained to see it.
        Returns:
          dict of tensors.
        """
        return Walk(self, ops.cast(image, self.dtype), ops.shape(image)[0]).outputs()

    def constant(self, tensor):
        """An ONNX tensor as an array; half floats are widened."""
        import onnx

        try:
            array = onnx.numpy_helper.to_array(tensor)
        except Exception as error:  # a size that the data does not have, or one of no type
            raise InputError(f"weights {one_line(tensor.name)}: {one_line(error, 300)}") from error
        return array.astype(self.dtype) if tensor.data_type in FLOATS else array

    def _measured(self):
        """Sizes of all tensors by name, and the weights as variables; nothing is computed."""
        import tensorflow as tf

        walk = Walk(self, None, self.batch)

        def outputs(image):
            walk.start(image)
            return walk.outputs()

        spec = tf.TensorSpec((self.batch, *self.size, 3), self.dtype)
        tf.function(outputs, autograph=False).get_concrete_function(spec)
        self.sizes = walk.sizes
        self.variables = [keras.Variable(a, trainable=False) for a in walk.weights]


def _image_input(graph, constants, size):
    """Name of the image input, and whether its channels come first."""
    inputs = [i for i in graph.input if i.name not in constants]
    shapes = {
        i.name: [d.dim_value or d.dim_param or None for d in i.type.tensor_type.shape.dim]
        for i in inputs
    }
    expected = "expected one image, (B, 3, H, W) or (B, H, W, 3)"
    if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type not in FLOATS:
        raise InputError(f"{expected}, of floats. Received: {shapes}")
    ((name, shape),) = shapes.items()
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise InputError(f"{expected}. Received: {shape}")
    is_first = shape[1] == 3
    fixed = shape[2:] if is_first else shape[1:3]
    if any(isinstance(f, int) and f != n for f, n in zip(fixed, size, strict=True)):
        raise InputError(f"input_size={size[0]},{size[1]}: the file fixes {fixed[0]},{fixed[1]}")
    return name, is_first


def fixed_size(graph):
    """(H, W) that an ONNX graph fixes, with None for a side that it leaves open."""
    constants = {t.name for t in graph.initializer}
    for value in graph.input:
        dims = [d.dim_value or None for d in value.type.tensor_type.shape.dim]
        if value.name not in constants and len(dims) == 4:
            return tuple(dims[2:] if dims[1] == 3 else dims[1:3])
    return (None, None)
