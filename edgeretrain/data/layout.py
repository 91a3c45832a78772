"""A folder of photos as data sets are handed around: class folders, or split already into train, valid and test.

`open_photos` says which it is. What is split stays split: photos of the validation and test folders are pinned to their
sets; sets that are missing are cut from the training photos.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from edgeretrain.data.class_names import alike_key
from edgeretrain.data.photos import Photo, PhotoFile, PhotoFolder, PhotoSet, list_photos, read_all
from edgeretrain.data.split import Split, check_enough, hashed_subset, split_photos
from edgeretrain.data.walk import sub_folders
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.describe import printable
from edgeretrain.progress import Progress, silent

Layout = Literal["auto", "classes", "split"]
Held = Literal["validation", "testing"]
Part = Literal["training", "validation", "testing"]

_WORDS: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "trn"), "training"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout"), "testing"),
}
_JOINED: dict[str, Part] = {
    f"{word}{more}": part
    for word, part in _WORDS.items()
    for more in ("", "set", "data", "dataset", "images", "photos", "split")
}
_LEAST_COMMON = 0.5
"""Share of the class names that the parts of a split must have in common."""

_WAY_OUT = "Say which with --layout split or --layout classes, or give the one that you want alone."


@dataclass(frozen=True)
class PhotoSource:
    """The files of a data set, and which of them are held out already.

    Attributes:
        folder: all files, those held out included.
        pinned: the set of each file that is held out, by its name; all others are free to be split.
        notes: how the folder was read, a sentence each.
    """

    folder: PhotoFolder
    pinned: Mapping[str, Held]
    notes: tuple[str, ...] = ()

    @property
    def given(self) -> frozenset[Held]:
        """The sets that need not be cut from the training photos."""
        return frozenset(self.pinned.values())

    def check_enough(self, validation_percentage: float, testing_percentage: float) -> None:
        """Refuse classes with too few photos before any is opened; see `split.check_enough`."""
        free = [file for file in self.folder.files if file.name not in self.pinned]
        check_enough(self.folder.labels, free, *self._percentages(validation_percentage, testing_percentage))

    def subset(self, photo: Photo, validation_percentage: float, testing_percentage: float) -> Part:
        """The subset that a photo is in, or falls into by its name alone; see `split.hashed_subset`."""
        held = self.pinned.get(photo.name)
        percentages = self._percentages(validation_percentage, testing_percentage)
        return held if held is not None else hashed_subset(photo, *percentages)

    def split(self, photo_set: PhotoSet, validation_percentage: float, testing_percentage: float) -> Split:
        """The photos in three sets: those pinned where they are, the others as `split_photos` has it.

        Args:
            photo_set: photos of this source.

        Raises:
            EdgeretrainError: see `split_photos`.
        """
        free = tuple(photo for photo in photo_set.photos if photo.name not in self.pinned)
        validation, testing = self._percentages(validation_percentage, testing_percentage)
        split = split_photos(
            PhotoSet(photo_set.labels, free, (), ()), validation_percentage=validation, testing_percentage=testing
        )
        held: dict[Held, tuple[Photo, ...]] = {
            part: tuple(photo for photo in photo_set.photos if self.pinned.get(photo.name) == part)
            for part in ("validation", "testing")
        }
        return Split(split.training, held["validation"] or split.validation, held["testing"] or split.testing)

    def with_notes(self, photo_set: PhotoSet) -> PhotoSet:
        """The set, with the notes, and with what is doubtful about the split, before its own warnings."""
        notes = [*self.notes, *_held_out_warnings(photo_set, self.pinned)]
        return replace(photo_set, warnings=(*notes, *photo_set.warnings))

    def read(self, *, strict: bool = False, progress: Progress = silent) -> PhotoSet:
        """Read each photo once for its digest and to check its header, as `find_photos` does."""
        photos, skipped = read_all(self.folder.files, progress)
        return self.folder.photo_set(photos, skipped, strict=strict)

    def part(self, part: Held) -> PhotoFolder:
        """Only the files that are held out for this set."""
        files = tuple(file for file in self.folder.files if self.pinned.get(file.name) == part)
        there = {file.label for file in files}
        return replace(self.folder, labels=tuple(label for label in self.folder.labels if label in there), files=files)

    def _percentages(self, validation: float, testing: float) -> tuple[float, float]:
        return 0 if "validation" in self.given else validation, 0 if "testing" in self.given else testing


def open_photos(
    folder: str | os.PathLike[str],
    *,
    layout: Layout = "auto",
    validation: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
) -> PhotoSource:
    """List the photos of a data set. Opens no photo.

    Args:
        folder: class folders with photos; or folders called train, valid and test, or two of them, with the class
            folders inside; or class folders with such folders inside.
        layout: "classes": its folders are the classes, whatever their names. "split": they are the parts of a split.
            "auto": what their names and their folders say.
        validation, test: folders of class folders with photos for these sets alone.

    Raises:
        EdgeretrainError: see `list_photos`; it is not certain which layout it is; a set is given twice; a photo that is
            held out has a class without training photos.
    """
    root = Path(folder)
    source = _read_layout(root, layout)
    for part, given, option in (("validation", validation, "--validation"), ("testing", test, "--test")):
        if given is not None:
            source = _with_own(source, root, part, Path(given), option)  # type: ignore[arg-type]
    return source


def _read_layout(root: Path, layout: Layout) -> PhotoSource:
    if layout == "classes" or not root.is_dir():
        return PhotoSource(list_photos(root), {})
    parts = _parts(sub_folders(root))
    if len(parts) > 1:  # train, valid, test with the classes inside, or so it seems
        doubt = _doubt_outside(root, parts)
        if doubt is None or layout == "split":
            return _outside(root, parts)
        raise _uncertain(root, [path.name for paths in parts.values() for path in paths], doubt)
    classes = sub_folders(root)
    inside = [_parts(sub_folders(path)) for path in classes]
    split = [found for found in inside if len(found) > 1 and "training" in found]
    if len(classes) > 1 and split:
        if len(split) == len(classes) or layout == "split":
            return _inside(root, {path: found for path, found in zip(classes, inside, strict=True) if found})
        odd = next(path for path, found in zip(classes, inside, strict=True) if found not in split)
        names = sorted(path.name for paths in split[0].values() for path in paths)
        raise _uncertain(root, names, f"not every class folder holds them: {printable(odd.name)!r} does not")
    if layout == "split":
        raise EdgeretrainError(
            f"{printable(root)}: --layout split needs two or more folders called train, valid or test, with the "
            "classes inside or outside. Rename the folders, or leave --layout out."
        )
    return PhotoSource(list_photos(root), {})


def _parts(folders: Iterable[Path]) -> dict[Part, list[Path]]:
    """The folders that are called like the parts of a split."""
    # By the words around: `seg_train` and `seg_test` belong together, `test tube` and `train station` do not.
    alike: dict[tuple[str, ...], dict[Part, list[Path]]] = {}
    for path in folders:
        if (named := _part_named(path.name)) is not None:
            alike.setdefault(named[1], {}).setdefault(named[0], []).append(path)
    return max(alike.values(), key=len, default={})


def _part_named(name: str) -> tuple[Part, tuple[str, ...]] | None:
    """The part that a folder of this name may be, and the words around it: `seg_train` -> training, (`seg`)."""
    words = [word for word in re.split(r"[^0-9a-z]+", name.casefold()) if word]
    parts = [word for word in words if word in _JOINED]
    if len(parts) != 1:
        return None
    generic = ("set", "data", "dataset", "images", "photos", "split")
    return _JOINED[parts[0]], tuple(word for word in words if word not in _JOINED and word not in generic)


def _doubt_outside(root: Path, parts: Mapping[Part, Sequence[Path]]) -> str | None:
    """Why it is not certain that these folders are the parts of a split with the classes inside."""
    if "training" not in parts:
        return "there is none for training"
    if twice := next((paths for paths in parts.values() if len(paths) > 1), None):
        return f"{' and '.join(repr(printable(path.name)) for path in twice)} mean the same"
    classes = {part: {alike_key(path.name) for path in sub_folders(_inner(paths[0]))} for part, paths in parts.items()}
    for part, paths in parts.items():
        if not classes[part]:
            return f"{printable(paths[0].name)!r} holds no class folders"
    common, every = set.intersection(*classes.values()), set.union(*classes.values())
    if len(common) < _LEAST_COMMON * len(every):
        return "their class folders differ"
    known = [path for paths in parts.values() for path in paths]
    for path in sub_folders(root):
        if path not in known and {alike_key(inner.name) for inner in sub_folders(path)} & every:
            return f"{printable(path.name)!r} holds the same class folders"
        if path not in known and alike_key(path.name) in every:
            return f"{printable(path.name)!r} beside them is called like a class"
    return None


def _inner(part: Path) -> Path:
    """The folder of the classes: some archives hold `train/train/`."""
    folders = sub_folders(part)
    same = len(folders) == 1 and (
        alike_key(folders[0].name) == alike_key(part.name) or _part_named(folders[0].name) is not None
    )
    return folders[0] if same else part


def _uncertain(root: Path, names: Sequence[str], doubt: str) -> EdgeretrainError:
    some = ", ".join(printable(name) for name in sorted(names))
    return EdgeretrainError(
        f"{printable(root)}: has folders called {some}, but {doubt}. Either they are the parts of a split data set, "
        f"or its folders are the classes. {_WAY_OUT}"
    )


def _outside(root: Path, parts: Mapping[Part, Sequence[Path]]) -> PhotoSource:
    if "training" not in parts:
        raise EdgeretrainError(
            f"{printable(root)}: none of its folders is called train, so there are no training photos. Rename a "
            "folder, or give --layout classes."
        )
    listings = {path: list_photos(_inner(path), least=1) for paths in parts.values() for path in paths}
    training = _joined([_below(root, _inner(path), listings[path]) for path in parts["training"]])
    source = PhotoSource(training, {})
    for part in ("validation", "testing"):
        for path in parts.get(part, ()):
            source = _pin(source, part, _below(root, _inner(path), listings[path]), printable(path))
    rest = [path.name for path in sub_folders(root) if not any(path in paths for paths in parts.values())]
    return _noted(source, {part: [path.name for path in paths] for part, paths in parts.items()}, rest)


def _inside(root: Path, classes: Mapping[Path, Mapping[Part, Sequence[Path]]]) -> PhotoSource:
    listing = list_photos(root)
    part_of = {path: part for parts in classes.values() for part, paths in parts.items() for path in paths}
    pinned: dict[str, Held] = {}
    dropped: Counter[str] = Counter()
    files: list[PhotoFile] = []
    for file in listing.files:
        part = next((part_of[above] for above in file.path.parents if above in part_of), None)
        if part is None:
            dropped[file.label] += 1
            continue
        files.append(file)
        if part != "training":
            pinned[file.name] = part
    there = {file.label for file in files if file.name not in pinned}
    for label in listing.labels:
        if label not in there:
            raise EdgeretrainError(f"{printable(root / label)}: holds no training photos. Add some, or remove it.")
    names: dict[Part, list[str]] = {}
    for path, part in part_of.items():
        if path.name not in names.setdefault(part, []):
            names[part].append(path.name)
    source = _noted(PhotoSource(replace(listing, files=tuple(files)), pinned), names, [])
    if dropped:
        loose = f"Photos outside these folders, not used: {sum(dropped.values())}."
        source = replace(source, notes=(*source.notes, loose))
    return source


def _noted(source: PhotoSource, names: Mapping[Part, Sequence[str]], rest: Sequence[str]) -> PhotoSource:
    counts = Counter(source.pinned.get(file.name, "training") for file in source.folder.files)
    shown = {part: " and ".join(f"{printable(name)}/" for name in names[part]) for part in names}
    told = [f"{shown[part]} ({counts[part]})" for part in ("training", "validation", "testing") if part in shown]
    words = {"validation": "validation", "testing": "test"}
    missing = [words[part] for part in ("validation", "testing") if part not in shown]
    cut = f" The {missing[0]} photos are cut from {shown['training']}." if missing else ""
    left = f" Not used: {', '.join(f'{printable(name)}/' for name in rest)}." if rest else ""
    note = f"The photos are split already, and used so: {', '.join(told)}.{cut}{left}"
    return replace(source, notes=(*source.notes, note))


def _with_own(source: PhotoSource, root: Path, part: Held, folder: Path, option: str) -> PhotoSource:
    if part in source.given:
        raise EdgeretrainError(
            f"{printable(root)}: has photos of its own for {part} already. Leave {option} out, or give the training "
            "folder alone."
        )
    listing = list_photos(folder, least=1)
    inside = {file.path.resolve() for file in source.folder.files}
    if shared := next((file for file in listing.files if file.path.resolve() in inside), None):
        raise EdgeretrainError(
            f"{option} {printable(folder)}: {printable(shared.path)} is among the training photos as well. Give a "
            "folder outside."
        )
    used = {file.name for file in source.folder.files}
    names = iter(f"{printable(folder.resolve().name)}{number or ''}" for number in range(1_000_000))
    prefix = next(name for name in names if not any(file.startswith(f"{name}/") for file in used))
    return _pin(source, part, _renamed(listing, prefix), printable(folder))


def _pin(source: PhotoSource, part: Held, listing: PhotoFolder, shown: str) -> PhotoSource:
    """The source with the photos of another folder, held out."""
    known = {alike_key(label): label for label in source.folder.labels}
    strangers = [label for label in listing.labels if alike_key(label) not in known]
    if strangers:
        raise EdgeretrainError(
            f"{shown}: the class {strangers[0]!r} has no training photos. Rename or remove that folder, or add "
            "training photos."
        )
    files = tuple(replace(file, label=known[alike_key(file.label)]) for file in listing.files)
    both = _joined([source.folder, replace(listing, labels=(), files=files)])
    return replace(source, folder=both, pinned={**source.pinned, **{file.name: part for file in files}})


def _below(root: Path, folder: Path, listing: PhotoFolder) -> PhotoFolder:
    """The listing of a folder, with names as they are below `root`."""
    return _renamed(listing, printable(folder.relative_to(root).as_posix()))


def _renamed(listing: PhotoFolder, prefix: str) -> PhotoFolder:
    files = tuple(replace(file, name=f"{prefix}/{file.name}") for file in listing.files)
    return replace(listing, files=files)


def _joined(listings: Sequence[PhotoFolder]) -> PhotoFolder:
    labels = tuple(sorted({label for listing in listings for label in listing.labels}))
    if len(labels) < 2:
        raise EdgeretrainError(f"There is one class only, {labels[0]!r}; a classifier needs two or more.")
    others: Counter[str] = Counter()
    for listing in listings:
        others.update(dict(listing.others))
    files = sorted((file for listing in listings for file in listing.files), key=lambda f: (f.name, str(f.path)))
    loose = sum(listing.loose for listing in listings)
    in_order = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    return PhotoFolder(labels, tuple(files), loose, tuple(in_order))


def _held_out_warnings(photo_set: PhotoSet, pinned: Mapping[str, Held]) -> list[str]:
    if not pinned:
        return []
    warnings = []
    sets: dict[str, set[str]] = {}
    for photo in photo_set.photos:
        sets.setdefault(photo.digest, set()).add(pinned.get(photo.name, "training"))
    for part, what in (("testing", "Test"), ("validation", "Validation")):
        copies = [p for p in photo_set.photos if pinned.get(p.name) == part and "training" in sets[p.digest]]
        if copies:
            warnings.append(
                f"{what} photos that are also among the training photos: {len(copies)} ({copies[0].name}, ...). The "
                "figures are too good by them."
            )
        counts = Counter(photo.label for photo in photo_set.photos if pinned.get(photo.name) == part)
        lacking = [label for label in photo_set.labels if not counts[label]]
        if counts and lacking:
            some = ", ".join(lacking[:5]) + (", ..." if len(lacking) > 5 else "")
            warnings.append(f"{what} photos of these classes are missing: {some}.")
    return warnings
