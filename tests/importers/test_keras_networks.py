"""The networks of Keras Applications, made with TensorFlow: slow."""

import pytest

from edgeretrain.importers.keras_networks import known_network
from importers.keras_files import keras


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("MobileNet", "mobilenet_v1"),
        ("MobileNetV2", "mobilenet_v2"),
        ("MobileNetV3Large", "mobilenet_v3"),
        ("MobileNetV3Small", "mobilenet_v3"),
        ("NASNetMobile", "nasnet"),
        ("InceptionV3", "inception_v3"),
        ("InceptionResNetV2", "inception_resnet_v2"),
        ("Xception", "xception"),
        ("ResNet50V2", "resnet_v2"),
        ("ResNet50", "resnet"),
        ("DenseNet121", "densenet"),
        ("VGG16", "vgg"),
        ("EfficientNetB0", None),
    ],
)
def test_known_networks_are_known_by_a_layer_of_their_own(name: str, architecture: str | None) -> None:
    model = getattr(keras().applications, name)(weights=None)
    known = known_network(layer.name for layer in model.layers)
    assert (known.architecture if known else None) == architecture
