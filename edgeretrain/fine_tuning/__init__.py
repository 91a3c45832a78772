"""When a frozen backbone is not enough: its weights learn from the user's photos, too. Needs TensorFlow.

`options` what can be told; `pixel_file`, `augmentation`, `batches` the photos; `targets` what is to be said of them;
`unfrozen`, `network` what learns; `schedule`, `training`, `checkpoint` how; `soup` several times; `tune` from photos to
tuned backbone files.
"""

from edgeretrain.fine_tuning_options import FineTuning

__all__ = ["FineTuning"]
