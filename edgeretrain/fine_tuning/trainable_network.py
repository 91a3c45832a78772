"""A backbone with a head, both trainable. Needs TensorFlow."""

import numpy as np
import numpy.typing as npt

from edgeretrain.data.pixels import Pixels
from edgeretrain.fine_tuning.checkpoint import Arrays
from edgeretrain.fine_tuning.trainable_backbone import TrainableBackbone
from edgeretrain.head.softmax import Floats, Head, Rows
from edgeretrain.tflite.tensorflow_types import TfTensor

_BATCH = 32  # photos in a forward pass


class TrainableNetwork:
    """Photos -> bottlenecks -> class scores; the weights of the backbone's top layers and of the head are trainable.

    Attributes:
        backbone: without the head.
        length: d, numbers in a bottleneck.
    """

    def __init__(self, backbone: TrainableBackbone, *, batch_size: int) -> None:
        """Prepare a backbone; `start_from` puts the head on it.

        From here on, TensorFlow is deterministic in this process (`make_deterministic`).
        """
        import tensorflow as tf

        make_deterministic()
        self.backbone, self.length, self._size = backbone, backbone.length, backbone.size
        self._batch_size = batch_size
        self._forward = tf.function(
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
            values[start : start + len(some)] = np.asarray(self._forward(tf.constant(block)))[: len(some)]
        return values

    def start_from(self, head: Head, *, average_over: int) -> None:
        """Put the head that was fitted to the frozen backbone on it, and set up the optimizer.

        Args:
            average_over: steps that the moving average of the weights spans, roughly.
        """
        import tensorflow as tf

        self._decay = 1 - 1 / max(2, average_over)
        self._weights = tf.Variable(head.weights, name="head_weights")
        self._bias = tf.Variable(head.bias, name="head_bias")
        self._trainable = [*self.backbone.variables, self._weights, self._bias]
        self._optimizer = tf.keras.optimizers.Adam(1.0)
        self._optimizer.build(self._trainable)
        self._average = [tf.Variable(variable, trainable=False) for variable in self._trainable]
        shape = (self._batch_size, self._size, self._size, 3)
        self._step = tf.function(
            self._train_step,
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
        """The head with its current weights."""
        return Head(self._weights.numpy(), self._bias.numpy())

    def step(
        self, photos: Pixels, targets: Floats, weights: npt.NDArray[np.float32], rate: float, mixup_lambda: float = 1.0
    ) -> float:
        """Train on one batch; returns its loss before the step [nats].

        Args:
            photos: uint8 `[batch_size,S,S,3]`.
            targets: of the photos, `[batch_size, classes]`; see `targets.py`.
            weights: `[batch_size]`.
            rate: the learning rate.
            mixup_lambda: weight of each photo and its target; the rest is that of the next photo in the batch.
        """
        return float(self._step(photos, targets, weights, np.float32(rate), np.float32(mixup_lambda)))

    def _train_step(
        self, photos: TfTensor, targets: TfTensor, weights: TfTensor, rate: TfTensor, mixup_lambda: TfTensor
    ) -> TfTensor:
        import tensorflow as tf

        def mixed(values: TfTensor) -> TfTensor:
            return mixup_lambda * values + (1 - mixup_lambda) * tf.roll(values, 1, axis=0)

        with tf.GradientTape() as tape:
            bottlenecks = self.backbone(mixed(self._scaled(photos)))
            log_probabilities = tf.nn.log_softmax(bottlenecks @ self._weights + self._bias)
            loss = -tf.reduce_sum(mixed(targets * weights[:, None]) * log_probabilities) / self._batch_size
        self._optimizer.learning_rate.assign(rate)
        self._optimizer.apply_gradients(zip(tape.gradient(loss, self._trainable), self._trainable, strict=True))
        steps = tf.cast(self._optimizer.iterations, tf.float32)
        # Averaged over few steps at first: the initial weights must not count for long.
        new_weight = 1 - tf.minimum(self._decay, (1 + steps) / (10 + steps))
        for average, variable in zip(self._average, self._trainable, strict=True):
            average.assign_add(new_weight * (variable - average))
        return loss

    def weights(self) -> Arrays:
        """The trainable weights: those of the backbone, then those of the head."""
        return [variable.numpy() for variable in self._trainable]

    def set_weights(self, values: Arrays) -> None:
        """Set the trainable weights, as `weights` returns them."""
        for variable, value in zip(self._trainable, values, strict=True):
            variable.assign(value)

    def average(self) -> Arrays:
        """The moving average of `weights` over the last steps."""
        return [variable.numpy() for variable in self._average]

    def optimizer_state(self) -> Arrays:
        """The optimizer's variables, then the moving average of the weights."""
        return [variable.numpy() for variable in (*self._optimizer.variables, *self._average)]

    def set_optimizer_state(self, values: Arrays) -> None:
        """Set what `optimizer_state` returned."""
        for variable, value in zip((*self._optimizer.variables, *self._average), values, strict=True):
            variable.assign(value)

    def _scaled(self, photos: TfTensor) -> TfTensor:
        import tensorflow as tf

        return self.backbone.scaling.of_tensor(tf.cast(photos, tf.float32))


def make_deterministic() -> None:
    """Make TensorFlow's operations give the same numbers in every run, for the whole process, for good.

    TensorFlow has neither a narrower scope for this nor a way back, and without it equal runs would not give equal
    files. So it is the one setting of the process that a fine-tuning leaves behind: nothing is set by an import, and a
    caller who also trains networks of other kinds in this process may find them slower (or refused, where TensorFlow
    has no deterministic kernel). Run the fine-tuning in a process of its own then.
    """
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
