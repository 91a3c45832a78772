"""A backbone with a head on it, ready to learn. Needs TensorFlow."""

from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.data.decoded import Pixels
from edgeretrain.fine_tuning.unfrozen import Unfrozen
from edgeretrain.head.softmax import Floats, Head, Rows

_BATCH = 32  # photos, when the network only looks


class Network:
    """Photos -> bottlenecks -> class scores, with the weights of the top layers and of the head free to change.

    Attributes:
        backbone: what learns.
        length: d, numbers in a bottleneck.
    """

    def __init__(self, backbone: Unfrozen, *, batch_size: int) -> None:
        """Put a head on a backbone; `start_from` says which."""
        import tensorflow as tf

        # From here on, equal runs give equal numbers; it holds for the whole process.
        tf.config.experimental.enable_op_determinism()
        self.backbone, self.length, self._size = backbone, backbone.length, backbone.size
        self._batch_size = batch_size
        self._look = tf.function(
            lambda photos: backbone(self._scaled(photos)),
            input_signature=[tf.TensorSpec((_BATCH, self._size, self._size, 3), tf.uint8)],
        )

    def bottlenecks(self, pixels: Pixels, rows: Rows) -> Floats:
        """The bottlenecks float32 `[len(rows), d]` of these photos of uint8 `[n,S,S,3]`."""
        import tensorflow as tf

        values = np.empty((len(rows), self.length), np.float32)
        block = np.zeros((_BATCH, self._size, self._size, 3), np.uint8)
        for start in range(0, len(rows), _BATCH):
            some = rows[start : start + _BATCH]
            block[: len(some)] = pixels[some]
            values[start : start + len(some)] = np.asarray(self._look(tf.constant(block)))[: len(some)]
        return values

    def start_from(self, head: Head, *, average_over: int) -> None:
        """Put the frozen result's head on the backbone, and make the optimizer ready.

        Args:
            average_over: steps; the average of the weights reaches about so far back.
        """
        import tensorflow as tf

        self._decay = 1 - 1 / max(2, average_over)
        self._weights = tf.Variable(head.weights, name="head_weights")
        self._bias = tf.Variable(head.bias, name="head_bias")
        self._learning = [*self.backbone.variables, self._weights, self._bias]
        self._optimizer = tf.keras.optimizers.Adam(1.0)
        self._optimizer.build(self._learning)
        self._average = [tf.Variable(variable, trainable=False) for variable in self._learning]
        shape = (self._batch_size, self._size, self._size, 3)
        self._step = tf.function(
            self._learn,
            input_signature=[
                tf.TensorSpec(shape, tf.uint8),
                tf.TensorSpec((self._batch_size, head.weights.shape[1]), tf.float32),
                tf.TensorSpec((self._batch_size,), tf.float32),
                tf.TensorSpec((), tf.float32),
                tf.TensorSpec((), tf.float32),
            ],
        )

    @property
    def head(self) -> Head:
        """The head as it is now."""
        return Head(self._weights.numpy(), self._bias.numpy())

    def step(
        self, photos: Pixels, targets: Floats, weights: npt.NDArray[np.float32], rate: float, share: float = 1.0
    ) -> float:
        """Learn from one batch; its loss before that, nats.

        Args:
            photos: uint8 `[batch_size,S,S,3]`.
            targets: what it is to say of them, `[batch_size, classes]`; see `targets.py`.
            weights: `[batch_size]`.
            rate: the learning rate.
            share: of each photo and its target in what is learnt; the rest is the next one's in the batch (mixup).
        """
        return float(self._step(photos, targets, weights, np.float32(rate), np.float32(share)))

    def _learn(self, photos: Any, targets: Any, weights: Any, rate: Any, share: Any) -> Any:
        import tensorflow as tf

        def mixed(values: Any) -> Any:
            return share * values + (1 - share) * tf.roll(values, 1, axis=0)

        with tf.GradientTape() as tape:
            bottlenecks = self.backbone(mixed(self._scaled(photos)))
            chances = tf.nn.log_softmax(bottlenecks @ self._weights + self._bias)
            loss = -tf.reduce_sum(mixed(targets * weights[:, None]) * chances) / self._batch_size
        self._optimizer.learning_rate.assign(rate)
        self._optimizer.apply_gradients(zip(tape.gradient(loss, self._learning), self._learning, strict=True))
        steps = tf.cast(self._optimizer.iterations, tf.float32)
        # A short memory at first: the start must not weigh on the average for long.
        share = 1 - tf.minimum(self._decay, (1 + steps) / (10 + steps))
        for average, variable in zip(self._average, self._learning, strict=True):
            average.assign_add(share * (variable - average))
        return loss

    def weights(self) -> list[npt.NDArray[Any]]:
        """What has been learnt: the free weights of the backbone, then those of the head."""
        return [variable.numpy() for variable in self._learning]

    def set_weights(self, values: list[npt.NDArray[Any]]) -> None:
        """Put learnt weights back, as `weights` gave them."""
        for variable, value in zip(self._learning, values, strict=True):
            variable.assign(value)

    def average(self) -> list[npt.NDArray[Any]]:
        """The moving average of `weights` over the last steps."""
        return [variable.numpy() for variable in self._average]

    def memory(self) -> list[npt.NDArray[Any]]:
        """What the optimizer remembers of the steps so far, and the average."""
        return [variable.numpy() for variable in (*self._optimizer.variables, *self._average)]

    def set_memory(self, values: list[npt.NDArray[Any]]) -> None:
        """Put back what `memory` gave."""
        for variable, value in zip((*self._optimizer.variables, *self._average), values, strict=True):
            variable.assign(value)

    def _scaled(self, photos: Any) -> Any:
        import tensorflow as tf

        return self.backbone.scaling.of_tensor(tf.cast(photos, tf.float32))
