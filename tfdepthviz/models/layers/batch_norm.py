"""BatchNormalization: one fused operation where the backend has it, else Keras's layer."""

import keras
from keras import ops


# Keras finds a layer in a weight file by the name of its class, see resized_conv.Conv2D.
@keras.saving.register_keras_serializable(package="tfdepthviz")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer with statistics over the global batch, by TensorFlow's fused operation.

    Statistics over the global batch make a step on two replicas equal to one on a single device.
    Keras computes them by several operations, each of which reads or writes the whole map.
    TensorFlow's fused operation takes half the time in training, and in inference it becomes part
    of the convolution before. It has no statistics over several replicas, so Keras's operations
    train there. Both give the same numbers up to rounding, running statistics included.
    """

    def __init__(self, **kwargs):
        # Keras synchronises on TensorFlow alone; other backends have no replicas.
        kwargs.setdefault("synchronized", keras.backend.backend() == "tensorflow")
        super().__init__(**kwargs)

    def call(self, inputs, training=None, mask=None):
        training = bool(training) and self.trainable
        if mask is not None or not self._can_fuse(inputs, training):
            return super().call(inputs, training=training, mask=mask)
        return ops.cast(self._fused(ops.cast(inputs, "float32"), training), self.compute_dtype)

    def _can_fuse(self, inputs, training):
        """Whether the fused operation computes what this layer computes."""
        if keras.backend.backend() != "tensorflow" or self.variable_dtype != "float32":
            return False
        import tensorflow as tf

        alone = not training or tf.distribute.get_strategy().num_replicas_in_sync == 1
        maps = len(inputs.shape) == 4 and self.axis in (-1, 3)
        return alone and maps and self.scale and self.center and not getattr(self, "renorm", False)

    def _fused(self, x, training):
        import tensorflow as tf  # the networks are built without it, too

        running = self.moving_mean, self.moving_variance
        # In training the operation takes no statistics.
        mean, variance = ([], []) if training else (value.value for value in running)
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=mean,
            variance=variance,
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            # Keras keeps the variance of the batch itself; the operation estimates it unbiased.
            count = tf.cast(tf.size(x) / x.shape[-1], "float32")
            of_batch = mean, variance * (count - 1.0) / count
            for kept, value in zip(running, of_batch, strict=True):
                kept.assign(kept * self.momentum + value * (1.0 - self.momentum))
        return y
