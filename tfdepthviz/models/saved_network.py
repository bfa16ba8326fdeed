"""Networks in SavedModels: checks a folder, loads it, and gives a signature as a function."""

from concurrent.futures import ThreadPoolExecutor

from tfdepthviz.utils.errors import InputError, one_line


def network_of(path, signature="serving_default"):
    """The network in a SavedModel, as a function.

    Args:
      path: its folder.
      signature: which signature to call.
    Returns:
      function, image (B, H, W, 3) -> dict of tensors, with the attributes `variables` and
      `image_shapes`.
    Raises:
      InputError: it does not load, its operations reach files (`savedmodel_safety`), or it has no
        such signature of one image.
    """
    # Only where TensorFlow is the backend.
    import tensorflow as tf

    from tfdepthviz.utils.savedmodel_safety import check_savedmodel

    check_savedmodel(path, "; what you trust all the same is loaded by code given as FILE.py:NAME")
    try:
        # In a thread of its own, because a strategy's scope ends there. Inside the scope the
        # variables would be mirrored, and only a replica could call the signature.
        with ThreadPoolExecutor(1) as pool:
            loaded = pool.submit(tf.saved_model.load, path).result()
    except (OSError, ValueError, tf.errors.OpError) as error:
        text = one_line(error, 300)
        raise InputError(f"{path}: does not load as a SavedModel ({text})") from error
    if signature not in loaded.signatures:
        known = ", ".join(loaded.signatures) or "none"
        raise InputError(
            f"{path}: has no signature {signature!r}; there is {known} (argument `signature`)"
        )
    call = loaded.signatures[signature]
    inputs = call.structured_input_signature[1]
    if len(inputs) != 1 or not next(iter(inputs.values())).dtype.is_floating:
        types = {name: spec.dtype.name for name, spec in inputs.items()}
        raise InputError(
            f"{path}: signature {signature!r} must take one float image. Received: {types}"
        )
    ((name, spec),) = inputs.items()

    def network(image):
        return call(**{name: tf.cast(image, spec.dtype)})

    network.loaded = loaded  # keeps its variables alive
    network.variables = call.variables
    # TensorFlow calls a signature with images of any size, even where the signature states one.
    network.image_shapes = [tuple(spec.shape)] if spec.shape.rank is not None else []
    return network
