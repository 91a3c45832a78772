"""Raspberry Pi userlands under QEMU's user-mode emulation: Debian's Python, packages for that processor, our wheel.

Nothing is mounted, no root is needed, no ARM program can be started from inside: subprocess fails, threads work. The
packages come from the mirror that this machine's apt is set up with, and from pip's index. Emulated latency says
nothing about a real board.

    python tests/arm/userland.py trixie FOLDER -m edgeretrain --version
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
QEMU_SUITE = "trixie"  # QEMU 10; bookworm's 7.2 crashes in ai-edge-litert 2.2 and newer
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Userland:
    """What is unpacked and installed.

    Attributes:
        debian: Debian's name of the architecture; None: this machine itself, not emulated.
        packages: of Debian, with what they depend on.
        python: version of the interpreter.
        platforms: wheels that pip may take.
        extra: of edgeretrain, as in `edgeretrain[extra]`.
        without: what edgeretrain needs and pip shall not install, because Debian's packages hold it or none exists.
        bare: installed without what they need.
    """

    debian: str | None
    suite: str = ""
    packages: tuple[str, ...] = ()
    python: str = HERE
    platforms: tuple[str, ...] = ()
    processor: str = ""
    extra: str = ""
    without: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()


_AARCH64 = (*(f"manylinux_2_{version}_aarch64" for version in (34, 28, 27, 17)), "manylinux2014_aarch64")

USERLANDS = {
    # What the ARM ones are compared with: the same versions on this machine, both runtimes.
    "here": Userland(None, extra="[tflite-runtime]"),
    # Raspberry Pi OS bookworm, 64 bits: `pip install "edgeretrain[tflite-runtime]"`, both runtimes.
    "bookworm": Userland(
        "arm64",
        suite="bookworm",
        packages=("python3-minimal", "libpython3.11-stdlib", "libstdc++6"),
        python="3.11",
        platforms=_AARCH64,
        processor="cortex-a76",
        extra="[tflite-runtime]",
    ),
    # Raspberry Pi OS trixie, 64 bits: `pip install edgeretrain`.
    "trixie": Userland(
        "arm64",
        suite="trixie",
        packages=("python3-minimal", "libpython3.13-stdlib", "libstdc++6"),
        python="3.13",
        platforms=_AARCH64,
        processor="cortex-a76",
    ),
    # Raspberry Pi OS bookworm, 32 bits: Debian's NumPy and Pillow, tflite-runtime; there is no LiteRT.
    "armhf": Userland(
        "armhf",
        suite="bookworm",
        packages=("python3", "libpython3.11-stdlib", "libstdc++6", "libatomic1", "python3-numpy", "python3-pil"),
        python="3.11",
        platforms=("manylinux_2_34_armv7l", "manylinux_2_31_armv7l", "manylinux_2_17_armv7l", "manylinux2014_armv7l"),
        processor="cortex-a15",
        without=("numpy", "pillow", "ai-edge-litert"),
        bare=("tflite-runtime==2.14.0",),
    ),
}


class CannotSetUp(Exception):
    """The machine lacks something; says what."""


@dataclass(frozen=True)
class Ready:
    """A userland that can be run."""

    command: tuple[str | Path, ...]
    python_path: str

    def run(self, *arguments: str | Path, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run its Python; `cache` in place of the cache that edgeretrain would use."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment = {**kept, "PYTHONPATH": self.python_path, "PYTHONNOUSERSITE": "1"}
        if cache:
            environment["EDGERETRAIN_CACHE"] = str(cache)
        return subprocess.run([*self.command, *arguments], env=environment, capture_output=True, text=True)


def build_wheel(folder: Path) -> Path:
    """Our wheel, built anew."""
    made = folder / "wheel"
    shutil.rmtree(made, ignore_errors=True)
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", made, REPOSITORY)
    return next(made.glob("*.whl"))


def set_up(name: str, folder: Path, wheel: Path) -> Ready:
    """Make a userland in the folder, or take the parts of it that are there already.

    Raises:
        CannotSetUp: a tool is missing, or a download fails.
    """
    userland = USERLANDS[name]
    root = folder / name
    command: tuple[str | Path, ...] = (sys.executable,)
    site = _site(userland, root, wheel)
    paths = [_own(root, wheel), site]
    if userland.debian:
        system = _system(userland, root)
        command = (_emulator(userland, folder), "-cpu", userland.processor, "-L", system)
        command += (system / "usr/bin" / f"python{userland.python}",)
        paths.append(system / "usr/lib/python3/dist-packages")
    return Ready(command, os.pathsep.join(map(str, paths)))


def _site(userland: Userland, root: Path, wheel: Path) -> Path:
    """What edgeretrain needs, installed by pip for that processor and Python."""
    with zipfile.ZipFile(wheel) as content:
        metadata = next(name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        needs = re.findall(r"^Requires-Dist: (.*)$", content.read(metadata).decode(), re.MULTILINE)
    requirements = [f"edgeretrain{userland.extra} @ {wheel.as_uri()}"]
    if userland.without:
        core = [need.partition(";")[0] for need in needs if "extra ==" not in need]
        requirements = [need for need in core if not need.startswith(userland.without)]
    key = hashlib.sha256(repr((userland, needs)).encode()).hexdigest()[:12]
    site = root / f"site-{key}"
    if site.exists():
        return site
    options = ["--only-binary", ":all:"]
    if userland.debian:
        options += ["--implementation", "cp", "--python-version", userland.python]
        abi = f"cp{userland.python.replace('.', '')}"
        options += [part for one in (abi, "abi3", "none") for part in ("--abi", one)]
        options += [part for one in userland.platforms for part in ("--platform", one)]
    if userland.python != HERE:
        options.append("--no-compile")  # this interpreter's byte code would be of no use there
    unfinished = _unfinished(site)
    install: tuple[str | Path, ...] = (
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--target",
        unfinished,
        *options,
    )
    _run(*install, *requirements)
    if userland.bare:
        _run(*install, "--no-deps", *userland.bare)
    for outdated in root.glob("site-????????????"):
        shutil.rmtree(outdated)
    unfinished.rename(site)
    return site


def _own(root: Path, wheel: Path) -> Path:
    """edgeretrain itself, always anew."""
    own = root / "edgeretrain"
    shutil.rmtree(own, ignore_errors=True)
    _run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", own, wheel)
    return own


def _system(userland: Userland, root: Path) -> Path:
    """Debian's packages, unpacked."""
    key = hashlib.sha256(repr((userland.suite, userland.packages)).encode()).hexdigest()[:12]
    system = root / f"system-{key}"
    if system.exists():
        return system
    assert userland.debian
    unfinished = _unfinished(system)
    if userland.suite == "trixie":
        (unfinished / "usr/lib").mkdir(parents=True)
        (unfinished / "lib").symlink_to("usr/lib")
    for package in _apt(root, userland.debian, userland.suite, "install", *userland.packages):
        _run("dpkg-deb", "-x", package, unfinished)
    for name in ("blas/libblas.so.3", "lapack/liblapack.so.3"):  # what Debian's update-alternatives does
        for library in unfinished.glob(f"usr/lib/*/{name}"):
            (library.parents[1] / library.name).symlink_to(name)
    if userland.python == HERE:  # Python compiles slowly under emulation
        _run(sys.executable, "-m", "compileall", "-q", unfinished / "usr/lib", check=False)
    unfinished.rename(system)
    return system


def _emulator(userland: Userland, folder: Path) -> Path:
    """QEMU, statically linked."""
    name = {"arm64": "qemu-aarch64", "armhf": "qemu-arm"}[userland.debian or ""]
    emulator = folder / "qemu" / name
    if not emulator.exists():
        machine = _run("dpkg", "--print-architecture").strip()
        (package,) = _apt(folder / "qemu", machine, QEMU_SUITE, "download", "qemu-user")
        unpacked = _unfinished(folder / "qemu" / "unpacked")
        _run("dpkg-deb", "-x", package, unpacked)
        (unpacked / "usr/bin" / name).rename(emulator)
        shutil.rmtree(unpacked)
    return emulator


def _apt(root: Path, architecture: str, suite: str, action: str, *packages: str) -> list[Path]:
    """Download packages with an apt state of our own, which knows of nothing installed."""
    state = root.absolute() / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    (state / "debian.sources").write_text(_source_list(suite))
    options = (
        f"APT::Architecture={architecture}",
        f"APT::Architectures={architecture}",
        f"Dir::State={state}",
        f"Dir::State::lists={state / 'lists'}",
        f"Dir::State::status={state / 'status'}",
        f"Dir::Cache={state / 'cache'}",
        f"Dir::Etc::sourcelist={state / 'debian.sources'}",
        "Dir::Etc::sourceparts=-",
        "Acquire::Languages=none",
        "Acquire::Check-Valid-Until=false",
        "APT::Sandbox::User=",
    )
    apt = ("apt-get", *(part for option in options for part in ("-o", option)), "-qq")
    _run(*apt, "update")
    archives = state / "cache" / "archives"
    if action == "install":
        _run(*apt, "-y", "--download-only", "--no-install-recommends", "install", *packages)
    else:
        _run(*apt, "download", *packages, cwd=archives)
    return sorted(archives.glob("*.deb"))


def _source_list(suite: str) -> str:
    """This machine's mirror, with another suite."""
    try:
        text = SOURCES.read_text()
    except OSError:
        raise CannotSetUp(f"{SOURCES} is not there: it names the mirror that Debian's packages come from") from None
    stanza = next((one for one in text.split("\n\n") if "Suites:" in one and "security" not in one), "")
    kept = [line for line in stanza.splitlines() if line.startswith(("Types:", "URIs:", "Signed-By:"))]
    return "\n".join([*kept, f"Suites: {suite}", "Components: main"]) + "\n"


def _unfinished(path: Path) -> Path:
    """A name beside a path for what is not whole yet; what an earlier run left under it goes."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    return unfinished


def _run(*command: str | Path, cwd: Path | None = None, check: bool = True) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    except OSError as error:
        raise CannotSetUp(f"{command[0]} does not run here: {error.strerror}") from None
    if check and done.returncode:
        said = (done.stderr.strip() or "no reason given").splitlines()
        told: Sequence[str] = [line for line in said if line.startswith(("E:", "ERROR"))] or said
        raise CannotSetUp(f"{' '.join(map(str, command[:4]))} ... failed: {told[0]}")
    return done.stdout


if __name__ == "__main__":
    _name, _folder = sys.argv[1], Path(sys.argv[2]).absolute()
    _done = set_up(_name, _folder, build_wheel(_folder)).run(*sys.argv[3:])
    sys.stdout.write(_done.stdout)
    sys.stderr.write(_done.stderr)
    sys.exit(_done.returncode)
