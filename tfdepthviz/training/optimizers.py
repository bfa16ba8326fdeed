"""Optimisers by name; "Adam with weight decay" means two different formulas.

    adamw    v -= lr * w * v, then Adam on g    keras.optimizers.AdamW, the default
    adam_l2  g += w * v, then Adam on g         torch.optim.Adam(weight_decay=w), the reference
    sgd      v -= lr * (g + w * v)              for tests: steps as large as the gradients

tfa.optimizers.AdamW(weight_decay=lr * w) is adamw.
"""

import keras
from keras import ops

# The reference's epsilon. Keras's AdamW adds it to the uncorrected root of the second moment.
EPSILON = 1e-8


class CoupledAdam(keras.optimizers.Adam):
    """Adam whose weight decay is added to the gradient and so passes through the moments.

    v -= lr * m / (1 - b1^t) / (sqrt(s / (1 - b2^t)) + epsilon), m and s the moments of g + w v

    Args:
      coupled_decay: w.
    Source: torch.optim.Adam(weight_decay=w). Differs: nothing; Keras's own Adam adds epsilon to the
      uncorrected root sqrt(s).
    """

    def __init__(self, learning_rate=1e-4, coupled_decay=1e-4, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.coupled_decay = coupled_decay

    def update_step(self, gradient, variable, learning_rate):
        rate, gradient, step, b1, b2 = (
            ops.cast(value, variable.dtype)
            for value in (learning_rate, gradient, self.iterations + 1, self.beta_1, self.beta_2)
        )
        gradient = gradient + self.coupled_decay * ops.convert_to_tensor(variable)
        index = self._get_variable_index(variable)
        first, second = self._momentums[index], self._velocities[index]
        self.assign_add(first, (1 - b1) * (gradient - first))
        self.assign_add(second, (1 - b2) * (ops.square(gradient) - second))
        root = ops.sqrt(second / (1 - b2**step)) + self.epsilon
        self.assign_sub(variable, rate * first / (1 - b1**step) / root)

    def get_config(self):
        return {**super().get_config(), "coupled_decay": self.coupled_decay}


OPTIMIZERS = {
    "adamw": lambda rate, decay: keras.optimizers.AdamW(rate, weight_decay=decay, epsilon=EPSILON),
    "adam_l2": lambda rate, decay: CoupledAdam(rate, coupled_decay=decay, epsilon=EPSILON),
    "sgd": lambda rate, decay: keras.optimizers.SGD(rate, weight_decay=decay or None),
}


def build_optimizer(name, *, learning_rate, weight_decay, decay_steps=None):
    """An optimiser out of `OPTIMIZERS`.

    Args:
      name: adamw, adam_l2 or sgd.
      learning_rate: the rate at the start.
      weight_decay: w in the formulas above.
      decay_steps: number of steps in which the rate falls to 0 by half a cosine; None: constant.
    Returns:
      keras.optimizers.Optimizer.
    """
    if decay_steps:
        learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps)
    return OPTIMIZERS[name](learning_rate, weight_decay)
