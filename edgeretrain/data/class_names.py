"""Names of class folders: which count as classes, and which can stand in labels.txt."""

import unicodedata

from edgeretrain.data.walk import is_ignored_name
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.describe import printable


def check_label(label: str, shown: str, remedy: str) -> None:
    """Check that labels.txt can hold a class name.

    Args:
        shown: begins the error message: where the name is from.
        remedy: ends it: what to do next.

    Raises:
        EdgeretrainError: it has a line break, or is not valid UTF-8.
    """
    if printable(label) != label:
        raise EdgeretrainError(f"{shown}: the class name '{printable(label)}' is not valid UTF-8. {remedy}")
    if label.splitlines() != [label]:
        raise EdgeretrainError(
            f"{shown}: the class name {label!r} has a line break, which labels.txt cannot hold. {remedy}"
        )


def alike_key(label: str) -> str:
    """The same for class names that differ only in case or in how Unicode writes them."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", label).casefold())


def is_class_folder_name(name: str) -> bool:
    """Whether a folder of this name counts as a class folder."""
    return bool(name) and not is_ignored_name(name)


def check_labels(labels: tuple[str, ...], shown: str) -> None:
    """Check the class names of a folder, and that no two are alike (`alike_key`).

    Args:
        shown: the folder, for the error message.

    Raises:
        EdgeretrainError: see `check_label`; two names are alike.
    """
    alike: dict[str, str] = {}
    for label in labels:
        check_label(label, shown, "Rename the folder.")
        key = alike_key(label)
        if key in alike:
            raise EdgeretrainError(
                f"{shown}: the class names {alike[key]!r} and {label!r} differ only in case or in how Unicode writes "
                "them. Rename one, or put their photos into one folder."
            )
        alike[key] = label
