"""What a benchmark finds out: about models, and about the machine that they ran on. docs/measuring.md says how."""

from dataclasses import dataclass, field

from edgeretrain.records.json_form import LEFT_OUT

PROTOCOL = 1
"""Raised when the figures of two versions can no longer be compared."""

RUNS, SECONDS = 50, 1.0
"""The defaults of a benchmark, as of LiteRT's benchmark_model: whichever takes longer."""

FACTOR = 1.2
"""The default of a comparison: how many times the old figure the new one may be."""

SCHEMA = 1
"""Raised when an older version can no longer read the record; see `json_form`."""


@dataclass(frozen=True, kw_only=True)
class Warmup:
    """The runs before the measurement, which are not in its figures.

    Attributes:
        runs: how many.
        mean_ms: their mean time [ms].
    """

    runs: int
    mean_ms: float


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The times of one quantity over all its runs.

    Attributes:
        runs: how many.
        median: half of the runs took less [ms].
        mean: arithmetic mean [ms].
        standard_deviation: of the sample: divided by runs - 1; 0 for one run [ms].
        min: the shortest [ms].
        max: the longest [ms].
        p90, p95, p99: percentile, interpolated linearly between the two nearest runs [ms].
    """

    runs: int
    median: float
    mean: float
    standard_deviation: float
    min: float
    max: float
    p90: float
    p95: float
    p99: float


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """The file that was measured.

    Attributes:
        model: its path, as it was given.
        sha256: of its content, hexadecimal.
    """

    model: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The figures of one model at one number of threads.

    Attributes:
        bytes: size of the file [bytes].
        weight_bytes: size of all constant data in it [bytes]. None: LiteRT's schema is not installed, or the file is
            damaged.
        compressed_bytes: size of the file deflated at level 9, as zip files and APKs do it [bytes].
        threads: of the interpreter.
        runtime: name and version.
        delegate: `XNNPACK`, or `none` where the runtime's own kernels do all the work. None: the runtime cannot tell.
        initialization_ms: to construct the interpreter and allocate its tensors [ms].
        first_inference_ms: the first inference [ms].
        warmup: the runs after it that do not count.
        inference_ms: the interpreter's `invoke` alone.
        throughput_per_second: 1000 / the mean of inference_ms [1/s]. None: the clock was too coarse to see any time.
        end_to_end_ms: from a JPEG's bytes in memory to its label. None: left out; end_to_end_note says why, if it was
            not by request.
        end_to_end_note: why the end-to-end time is missing, or what it lacks. None: nothing is to be said.
        peak_memory_bytes: resident memory at its highest from before loading to after the warm-up, less what the
            process held before [bytes]. None: the system does not tell.
        warnings: what is doubtful about these figures, sentences.
    """

    bytes: int
    weight_bytes: int | None
    compressed_bytes: int
    threads: int
    runtime: str
    delegate: str | None
    initialization_ms: float
    first_inference_ms: float
    warmup: Warmup
    inference_ms: Statistics
    throughput_per_second: float | None
    end_to_end_ms: Statistics | None
    end_to_end_note: str | None
    peak_memory_bytes: int | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult(Measurement, ModelFile):
    """A model that was measured: its file, then its figures."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkFailure:
    """A model that could not be measured.

    Attributes:
        model: its path, as it was given.
        threads: of the interpreter.
        error: why.
    """

    model: str
    threads: int
    error: str


@dataclass(frozen=True, kw_only=True)
class MachineState:
    """What changes while a machine works.

    Attributes:
        temperature_c: of the CPU, of several sensors the hottest [°C]. None: the system does not tell.
        throttled: the Raspberry Pi firmware's flags, hexadecimal, such as `0x50000`. None: it is no Raspberry Pi.
        throttle_count: how often an Intel CPU slowed itself down because of heat since the start, summed over its
            cores. None: the system does not tell.
        load_average: of the last minute: how many ran or waited for a core [processes]. None: the system does not tell.
    """

    temperature_c: float | None
    throttled: str | None
    throttle_count: int | None
    load_average: float | None


@dataclass(frozen=True, kw_only=True)
class MachineFacts:
    """What does not change about a machine.

    Attributes:
        machine: the name of its board, else of its CPU, else of the computer.
        board: the board's name, such as `Raspberry Pi 4 Model B Rev 1.4`. None: it has no such name.
        cpu: the CPU's model name. None: the system does not tell.
        architecture: such as `x86_64` or `aarch64`.
        cores: that this process may use.
        cores_present: all of them. None: the system does not tell.
        os: the operating system's name and version.
        kernel: the kernel's name and version.
        governors: what sets the CPU frequency: each governor in use. None: the system does not tell.
        memory_bytes: of the whole machine [bytes]. None: the system does not tell.
        emulation: what emulates the CPU, `qemu` or `Rosetta`. None: it is a real one, or an emulator that hides well.
    """

    machine: str
    board: str | None
    cpu: str | None
    architecture: str
    cores: int
    cores_present: int | None
    os: str
    kernel: str
    governors: tuple[str, ...] | None
    memory_bytes: int | None
    emulation: str | None


@dataclass(frozen=True, kw_only=True)
class Environment(MachineFacts):
    """What the figures were measured on, and what kept the machine busy or slow meanwhile.

    Attributes:
        date: when, UTC, such as `2026-11-21T20:00:00Z`.
        runtime: name and version of the TFLite runtime.
        python: version.
        pillow: version; it decodes the photos of end-to-end times.
        photos: what the end-to-end times were measured on, in words. None: they were left out.
        groups: in how many parts the models were measured, one after the other: 1 unless memory is short.
        busy_before: share of all CPU time that was in use in the half second before [0 to 1]. None: the system does not
            tell.
        busy_by_others: share of all CPU time that other programs took while measuring [0 to 1]. None: the system does
            not tell.
        stolen: share of all CPU time that a hypervisor gave to other guests while measuring [0 to 1]. None: the system
            does not tell.
        before: the machine just before it measured.
        after: the machine just after.
    """

    date: str
    runtime: str
    python: str
    pillow: str
    photos: str | None
    groups: int
    busy_before: float | None
    busy_by_others: float | None
    stolen: float | None
    before: MachineState
    after: MachineState


@dataclass(frozen=True, kw_only=True)
class DecidingFigures:
    """The figures that decide whether a model has become worse.

    Attributes:
        median_ms: of the inference [ms].
        bytes: size of the file [bytes].
        peak_memory_bytes: see the model's measurement [bytes]. None: the system does not tell.
    """

    median_ms: float
    bytes: int
    peak_memory_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class NoFigures:
    """What stands in place of the figures of a model that could not be measured.

    Attributes:
        error: why.
    """

    error: str


@dataclass(frozen=True, kw_only=True)
class Ratios:
    """New / old of each figure that decides.

    Attributes:
        median_ms: of the median inference [new / old]. None: one of the two is missing, or the old one is 0.
        bytes: of the file's size [new / old]. None: one of the two is missing, or the old one is 0.
        peak_memory_bytes: of the peak memory [new / old]. None: one of the two is missing, or the old one is 0.
    """

    median_ms: float | None
    bytes: float | None
    peak_memory_bytes: float | None


@dataclass(frozen=True, kw_only=True)
class ComparedModel:
    """One model's figures in two benchmarks.

    Attributes:
        model: its path, as it was given for the new benchmark.
        threads: of the interpreter, in both.
        old, new: its figures, or why there are none.
        ratio: new / old.
        regressions: what has become worse, in words; empty: nothing.
    """

    model: str
    threads: int
    old: DecidingFigures | NoFigures
    new: DecidingFigures | NoFigures
    ratio: Ratios
    regressions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two benchmarks beside each other.

    Attributes:
        factor: how many times the old figure the new one may be [new / old].
        differences: how the machines differ, sentences; empty unless `--across-machines` was given.
        rows: the models that both have, in the order of the new benchmark.
        only_old, only_new: models that the other benchmark does not have, `model, N threads`.
        regressions: those of all rows, each with its model's name.
    """

    factor: float
    differences: tuple[str, ...]
    rows: tuple[ComparedModel, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    regressions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What `edgeretrain benchmark` found out.

    Attributes:
        schema: of this record; files before there was one are read as 1.
        edgeretrain: version that measured.
        protocol: how it measured; figures of different protocols cannot be compared.
        environment: the machine.
        warnings: what weakens all figures, sentences.
        results: for each model in the order given, for each number of threads in the order given.
        comparison: with an earlier benchmark. Absent: none was asked for.
    """

    schema: int = SCHEMA
    edgeretrain: str
    protocol: int
    environment: Environment
    warnings: tuple[str, ...]
    results: tuple[BenchmarkResult | BenchmarkFailure, ...]
    comparison: Comparison | None = field(default=None, metadata=LEFT_OUT)

    @property
    def measured(self) -> tuple[BenchmarkResult, ...]:
        """The results of models that could be measured."""
        return tuple(result for result in self.results if isinstance(result, BenchmarkResult))

    @property
    def failures(self) -> tuple[BenchmarkFailure, ...]:
        """The models that could not be measured."""
        return tuple(result for result in self.results if isinstance(result, BenchmarkFailure))
