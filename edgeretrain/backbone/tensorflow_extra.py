"""Whether TensorFlow is installed, and the error for when it is needed and missing: the extra `tensorflow`."""

import importlib.util

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.quiet import quiet


def tensorflow_available() -> bool:
    """Whether TensorFlow is installed. Imports nothing."""
    return importlib.util.find_spec("tensorflow") is not None


def require_tensorflow() -> tuple[str, str]:
    """TensorFlow's and Keras' versions; the first import of TensorFlow happens here.

    Raises:
        EdgeretrainError: TensorFlow is not installed.
    """
    try:
        with quiet():
            import tensorflow as tf

            return str(tf.__version__), str(tf.keras.__version__)
    except ImportError as error:
        raise tensorflow_missing("Making a backbone") from error


def tensorflow_missing(what: str) -> EdgeretrainError:
    """The error for a task, the subject of the message, that needs TensorFlow."""
    return EdgeretrainError(
        f'{what} needs TensorFlow, which is not installed. Run pip install "edgeretrain[tensorflow]".'
    )
