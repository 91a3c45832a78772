"""The families of networks that the presets belong to, one record each.

Names, published figures, weight files, Keras' constructor and chart colours are only here: a new
preset of a family is a line of its `table`, a new family is a record in FAMILIES.

MACs, parameters and ImageNet top-1 are the published ones, for the whole 1001-class network at that resolution:

- MobileNet V1: tensorflow/models, research/slim/nets/mobilenet_v1.md (Howard et al., arXiv:1704.04861)
- MobileNet V2: tensorflow/models, research/slim/nets/mobilenet/README.md (Sandler et al., arXiv:1801.04381)
- NASNet-A mobile: tensorflow/models, research/slim/nets/nasnet/README.md (Zoph et al., arXiv:1707.07012)
- Inception V3: top-1 tensorflow/models, research/slim/README.md; MACs and parameters arXiv:1707.07012, table 2, to
  three digits (the network's own paper, arXiv:1512.00567, says "5 billion" and "less than 25 million")
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line lists presets without NumPy
    from edgeretrain.data.scaling import Scaling

KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications"
"""Where Keras Applications downloads from; EDGERETRAIN_WEIGHTS_URL names a mirror with the same folders."""


@dataclass(frozen=True)
class Family:
    """An architecture at all its widths and resolutions.

    Attributes:
        name: as in presets' names and on backbones' cards, such as `mobilenet_v2`.
        title: for people, such as `MobileNet V2`.
        short: for places with little room, such as `V2`.
        light, dark: its colour in a chart on light and on dark paper, `#rrggbb`.
        constructor: its name in `tf.keras.applications`.
        scalable: there are several widths and resolutions: they are part of a preset's name, and the constructor takes
            the width as `alpha`. A family that is not scalable has one preset, of the family's name.
        small: meant for phones and boards; a sweep tries these by default.
        scale: what the networks want their pixels to be, as `--scale` takes it (`preprocess_input` of Keras).
        features: length of the bottleneck at width 1.
        narrow_features: whether the bottleneck is shorter at widths below 1.
        layer: a layer that no other preset's family has, by its name in a Keras model and in its weight file.
        layer_filters: filters of that layer at width 1; 0: the family is not scalable.
        weights: weight file without the ImageNet classifier, below KERAS_URL. `{alpha}` stands for the width,
            `{digits}` for its first two digits (`0.75`: `7_5`), `{resolution}` for the side of the photo in pixels.
        weights_with_classifier: the same with the classifier; "": its class scores cannot be a bottleneck here.
        md5: of the weight file, where Keras names it and there is one file only.
        table: the presets, a line each: alpha, resolution, MACs (millions), parameters (millions), top-1 (percent).
        source, licence, copyright: of the weights, for backbones' cards.
    """

    name: str
    title: str
    short: str
    light: str
    dark: str
    constructor: str
    scalable: bool
    small: bool
    features: int
    narrow_features: bool
    layer: str
    layer_filters: int
    weights: str
    table: str
    weights_with_classifier: str = ""
    md5: str = ""
    scale: str = "-1..1"
    source: str = "Keras Applications"
    licence: str = "Apache-2.0"
    copyright: str = "Google LLC and The TensorFlow Authors (tensorflow/models slim; Keras Applications)"

    @property
    def scaling(self) -> "Scaling":
        """What the networks want their pixels to be."""
        from edgeretrain.data.scaling import parse_scaling

        return parse_scaling(self.scale)

    def title_at(self, alpha: float) -> str:
        """The title of a network of that width: `MobileNet V1 0.25`."""
        return f"{self.title} {alpha:.2f}" if self.scalable else self.title


FAMILIES: tuple[Family, ...] = (
    Family(
        name="mobilenet_v1",
        title="MobileNet V1",
        short="V1",
        light="#c2410c",
        dark="#f0884a",
        constructor="MobileNet",
        scalable=True,
        small=True,
        features=1024,
        narrow_features=True,
        layer="conv_pw_13",
        layer_filters=1024,
        weights="mobilenet/mobilenet_{digits}_{resolution}_tf_no_top.h5",
        weights_with_classifier="mobilenet/mobilenet_{digits}_{resolution}_tf.h5",
        table="""
            1.00 224 569 4.24 70.9
            1.00 192 418 4.24 70.0
            1.00 160 291 4.24 68.0
            1.00 128 186 4.24 65.2
            0.75 224 317 2.59 68.4
            0.75 192 233 2.59 67.2
            0.75 160 162 2.59 65.3
            0.75 128 104 2.59 62.1
            0.50 224 150 1.34 63.3
            0.50 192 110 1.34 61.7
            0.50 160  77 1.34 59.1
            0.50 128  49 1.34 56.3
            0.25 224  41 0.47 49.8
            0.25 192  34 0.47 47.7
            0.25 160  21 0.47 45.5
            0.25 128  14 0.47 41.5
        """,
    ),
    Family(
        name="mobilenet_v2",
        title="MobileNet V2",
        short="V2",
        light="#0b6aae",
        dark="#5db2f2",
        constructor="MobileNetV2",
        scalable=True,
        small=True,
        # Never narrower than 1280 (arXiv:1801.04381, section 6.1).
        features=1280,
        narrow_features=False,
        layer="block_16_project",
        layer_filters=320,
        weights="mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{resolution}_no_top.h5",
        table="""
            1.40 224 582 6.06 75.0
            1.30 224 509 5.34 74.4
            1.00 224 300 3.47 71.8
            1.00 192 221 3.47 70.7
            1.00 160 154 3.47 68.8
            1.00 128  99 3.47 65.3
            1.00  96  56 3.47 60.3
            0.75 224 209 2.61 69.8
            0.75 192 153 2.61 68.7
            0.75 160 107 2.61 66.4
            0.75 128  69 2.61 63.2
            0.75  96  39 2.61 58.8
            0.50 224  97 1.95 65.4
            0.50 192  71 1.95 63.9
            0.50 160  50 1.95 61.0
            0.50 128  32 1.95 57.7
            0.50  96  18 1.95 51.2
            0.35 224  59 1.66 60.3
            0.35 192  43 1.66 58.2
            0.35 160  30 1.66 55.7
            0.35 128  20 1.66 50.8
            0.35  96  11 1.66 45.5
        """,
    ),
    Family(
        name="nasnet_mobile",
        title="NASNet-mobile",
        short="NASNet",
        light="#0a8a63",
        dark="#2fc495",
        constructor="NASNetMobile",
        scalable=False,  # keras-applications#78
        small=True,
        features=1056,
        narrow_features=False,
        layer="stem_bn1",
        layer_filters=0,
        weights="nasnet/NASNet-mobile-no-top.h5",
        md5="1ed92395b5b598bdda52abe5c0dbfd63",  # keras/src/applications/nasnet.py
        table="1.00 224 564 5.3 74.0",
    ),
    Family(
        name="inception_v3",
        title="Inception V3",
        short="Inception",
        light="#b83280",
        dark="#f28ac4",
        constructor="InceptionV3",
        scalable=False,
        small=False,  # ten times the MACs of the largest of the others
        features=2048,
        narrow_features=False,
        layer="mixed10",
        layer_filters=0,
        weights="inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        md5="bcbd6486424b2319ff4ef7d526e38f63",  # keras/src/applications/inception_v3.py
        table="1.00 299 5720 23.8 78.0",
    ),
)
