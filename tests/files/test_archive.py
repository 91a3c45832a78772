import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files import archive
from edgeretrain.files.archive import is_archive, unpack

CONTENT = {"saved_model.pb": b"graph", "variables/variables.index": b"index", "variables/variables.data": bytes(3000)}


def tar(path: Path, members: dict[str, bytes], *extra: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as packed:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
        for info in extra:
            packed.addfile(info)
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_archive_is_unpacked(tmp_path: Path, mode: str) -> None:
    packed = tar(
        tmp_path / "a", {f"./{name}": one for name, one in CONTENT.items()}, special("./", tarfile.DIRTYPE), mode=mode
    )
    assert is_archive(packed)
    unpack(packed, tmp_path / "out", "module")
    assert read(tmp_path / "out") == CONTENT


def test_a_zip_archive_is_unpacked(tmp_path: Path) -> None:
    packed = zipped(tmp_path / "a", {"variables/": b"", **CONTENT})
    assert is_archive(packed)
    unpack(packed, tmp_path / "out", "module")
    assert read(tmp_path / "out") == CONTENT


def test_modes_are_not_taken_over(tmp_path: Path) -> None:
    info = tarfile.TarInfo("saved_model.pb")
    info.mode = 0o6777
    unpack(tar(tmp_path / "a", {}, info), tmp_path / "out", "module")
    assert (tmp_path / "out" / "saved_model.pb").stat().st_mode & 0o6111 == 0


@pytest.mark.parametrize("pack", [tar, zipped])
@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/evil",
        "..\\evil",
        "C:\\evil",
        "c:/evil",
        "//server/share/evil",
        "\\evil",
        "good/C:evil",
    ],
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, pack: Callable[..., Path], name: str) -> None:
    inside = tmp_path / "deep" / "deeper"
    inside.mkdir(parents=True)
    packed = pack(tmp_path / "a", {"good": b"1", name: b"evil"})
    with pytest.raises(EdgeretrainError, match=r"^module: holds a path that leaves its folder: .*evil"):
        unpack(packed, inside / "out", "module")
    assert [path.name for path in tmp_path.rglob("*") if "evil" in path.name] == []
    assert not Path("/evil").exists()


@pytest.mark.parametrize(
    "info",
    [
        special("link", tarfile.SYMTYPE, "/etc"),
        special("link", tarfile.LNKTYPE, "good"),
        special("link", tarfile.CHRTYPE),
        special("link", tarfile.FIFOTYPE),
    ],
)
def test_links_and_devices_are_refused(tmp_path: Path, info: tarfile.TarInfo) -> None:
    packed = tar(tmp_path / "a", {"good": b"1"}, info)
    with pytest.raises(EdgeretrainError, match="holds 'link', a link or a device"):
        unpack(packed, tmp_path / "out", "module")
    assert not (tmp_path / "out" / "link").exists()


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as packed:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(entry, "/etc")
    with pytest.raises(EdgeretrainError, match="holds 'link', a link or a device"):
        unpack(tmp_path / "a", tmp_path / "out", "module")


@pytest.mark.parametrize("pack", [tar, zipped])
def test_a_bomb_is_stopped(tmp_path: Path, pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(tmp_path / "a", {"one": bytes(700_000), "two": bytes(700_000)})
    for keep in (lambda path: path, lambda path: path if path.name == "one" else None):
        with pytest.raises(EdgeretrainError, match=r"is larger than .* when unpacked"):
            unpack(packed, tmp_path / "out", "module", max_bytes=1 << 20, keep=keep)
    assert sum(len(content) for content in read(tmp_path / "out").values()) <= 1 << 20
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    packed = pack(tmp_path / "b", {"one": b"", "two": b"", "three": b""})
    with pytest.raises(EdgeretrainError, match="holds more than 2 files"):
        unpack(packed, tmp_path / "many", "module")


@pytest.mark.parametrize("pack", [tar, zipped])
def test_a_damaged_archive_is_one_line(tmp_path: Path, pack: Callable[..., Path]) -> None:
    noise = bytes(number * 31 % 251 for number in range(40_000))
    whole = pack(tmp_path / "whole", {"one": noise, "two": noise}).read_bytes()
    for spoilt in (whole[: len(whole) // 2], whole[:200] + bytes(50) + whole[250:], whole[:-30]):
        packed = tmp_path / "spoilt"
        packed.write_bytes(spoilt)
        with pytest.raises(EdgeretrainError, match=r"^module: .*It was not unpacked\.$") as caught:
            unpack(packed, tmp_path / "out", "module")
        assert "\n" not in str(caught.value)


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    for content in (b"<html>", b"\x1f\x8b" + bytes(100), b"PK\x03\x04" + bytes(100), b""):
        (tmp_path / "a").write_bytes(content)
        assert not is_archive(tmp_path / "a")
        with pytest.raises(EdgeretrainError, match="module: "):
            unpack(tmp_path / "a", tmp_path / "out", "module")
    with pytest.raises(EdgeretrainError, match="module: is an empty archive"):
        unpack(tar(tmp_path / "a", {}), tmp_path / "out", "module")
    with pytest.raises(EdgeretrainError, match=r"module: .*No such file"):
        unpack(tmp_path / "missing", tmp_path / "out", "module")


def test_only_what_is_kept_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    packed = tar(tmp_path / "a", {"top/a.jpg": b"a", "top/b.txt": b"b", "c.jpg": b"c"}, special("top", tarfile.DIRTYPE))
    unpack(
        packed,
        tmp_path / "out",
        "photos",
        keep=lambda path: path.relative_to("top") if path.match("top/*.jpg") else None,
    )
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["a.jpg"]


def test_progress_rises_to_the_size_of_the_archive(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    packed = tar(tmp_path / "a", {str(number): bytes(number) * 50_000 for number in range(9)}, mode="w")
    unpack(packed, tmp_path / "out", "module", step="Unpacking", progress=lambda *step: seen.append(step))
    size = packed.stat().st_size
    assert seen[-1] == ("Unpacking", size, size)
    assert len(seen) > 3
    assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})


def test_a_wrong_checksum_of_gzip_is_damage(tmp_path: Path) -> None:
    packed = tar(tmp_path / "a", CONTENT)
    content = bytearray(packed.read_bytes())
    content[-8] ^= 1
    packed.write_bytes(content)
    with pytest.raises(EdgeretrainError, match=r"^module: is damaged.*Get it again\.$"):
        unpack(packed, tmp_path / "out", "module", hint="Get it again.")
