"""When a frozen backbone is not enough: its weights learn from the user's photos, too. Needs TensorFlow.

`augmentation`, `batches`: the photos; `targets`: what the network should answer for them; `trainable_backbone`,
`trainable_network`: what is trained; `schedule`, `training`, `checkpoint`: the training; `soup`: several trainings
averaged; `tune`: from photos to tuned backbone files. The options are in `edgeretrain.options`.
"""

from edgeretrain.options import FineTuning

__all__ = ["FineTuning"]
