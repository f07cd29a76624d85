"""Looking at the machine that a job runs on: what decides the last bits of its numbers.

A library is asked only where the job's process has loaded it. Nobody can ask MKL and oneDNN which
kernel they took. Their versions, the processor, the variables, and whether oneDNN computes in
half precision, stand for it.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from iic.records.machine import Library, Machine, Processor

FEATURES = re.compile(
    "sse|ssse|avx|fma|f16c|xop|bmi|gfni|vaes|vpclmulqdq|sha|amx|"  # x86
    "neon|asimd|fphp|sve|sme(?!p)|bf16|i8mm|fp16|vsx|rvv|lsx|lasx"  # ARM and others
)
"""How the names of those instruction sets begin which libraries choose kernels by."""

VARIABLES = re.compile(
    r"(OPENBLAS|GOTO|BLIS|MKL|OMP|GOMP|KMP|NUMEXPR|VECLIB|ATEN|ONEDNN|DNNL|NPY|CUBLAS|CUBLASLT|"
    r"CUDNN|NVIDIA_TF32|TORCH_ALLOW_TF32|TORCH_CUDNN)_\w+|GLIBC_TUNABLES|LD_PRELOAD"
)
"""Variables that choose kernels, threads or precision."""
HARMLESS = re.compile(
    r"\w*(VERBOSE|DISPLAY_ENV|DISPLAY_AFFINITY|_LOG\w*|_DEBUG)|KMP_(DUPLICATE_LIB_OK|INIT_AT_FORK)"
)
"""Those among them that make a library talk, or that threadpoolctl and scikit-learn set."""


def machine() -> Machine:
    """The machine, and the libraries that are loaded now."""
    return Machine(
        processor=processor(described()),
        usable_processors=usable_processors(),
        processor_quota=_quota(),
        libc=" ".join(filter(None, platform.libc_ver())) or "unknown",
        libraries=tuple(sorted(_libraries(), key=lambda library: library.name)),
        variables=variables(os.environ),
    )


def described(source: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """What the system says of the first processor; empty where it says nothing."""
    try:
        text = source.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def processor(description: Mapping[str, str]) -> Processor:
    """The processor of a `described` machine, by the words of x86 or of ARM."""
    words = description.get("flags") or description.get("Features") or ""
    revision = [
        description[name] for name in ("CPU variant", "CPU revision") if name in description
    ]
    return Processor(
        vendor=description.get("vendor_id") or description.get("CPU implementer"),
        family=description.get("cpu family") or description.get("CPU architecture"),
        model=description.get("model") or description.get("CPU part"),
        stepping=description.get("stepping") or "r".join(revision) or None,
        features=tuple(sorted(word for word in set(words.split()) if FEATURES.match(word))),
    )


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those variables of `environment` that change arithmetic."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if VARIABLES.fullmatch(name) and not HARMLESS.fullmatch(name)
    }


def usable_processors() -> int:
    """Processors that this process may use: fewer than there are, where somebody limits it."""
    # not everywhere
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Processors by the quota of the control group, in its second version or its first."""
    with suppress(OSError, ValueError):
        allowed, period = (root / "cpu.max").read_text().split()
        return None if allowed == "max" else int(allowed) / int(period)
    with suppress(OSError, ValueError):
        group = root / "cpu"
        microseconds = int((group / "cpu.cfs_quota_us").read_text())
        every = int((group / "cpu.cfs_period_us").read_text())
        return microseconds / every if microseconds > 0 else None
    return None


def _libraries() -> Iterator[Library]:
    for pool in threadpool_info():
        yield Library(
            name=f"{pool['prefix']} of {_package(Path(pool['filepath']))}",
            version=pool["version"],
            kernel=pool.get("architecture"),
            threading=pool.get("threading_layer"),
            threads=pool["num_threads"],
        )
    if (numpy := sys.modules.get("numpy")) is not None:
        instructions = numpy.show_config(mode="dicts")["SIMD Extensions"]
        yield Library(
            name="numpy", version=numpy.__version__, kernel=" ".join(instructions.get("found", ()))
        )
    if (torch := sys.modules.get("torch")) is not None:
        yield from _of_torch(torch)


def _of_torch(torch: Any) -> Iterator[Library]:
    yield Library(
        name="torch",
        version=str(torch.__version__),
        kernel=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
    )
    built = torch.__config__.show()
    for name, pattern in (
        ("MKL of torch", r"Math Kernel Library Version (\S+)"),
        ("oneDNN of torch", r"(?:MKL-DNN|oneDNN) v(\S+)"),
    ):
        if version := re.search(pattern, built):
            half = _half_precisions(torch) if name.startswith("oneDNN") else None
            yield Library(name=name, version=version[1], kernel=half)
    if torch.cuda.is_initialized():
        yield Library(name="cuDNN of torch", version=str(torch.backends.cudnn.version()))


def _half_precisions(torch: Any) -> str | None:
    """Half precisions that oneDNN computes in, which it decides by its own choice of a kernel."""
    with suppress(AttributeError, RuntimeError):
        asked = {
            "bfloat16": torch.ops.mkldnn._is_mkldnn_bf16_supported(),
            "float16": torch.ops.mkldnn._is_mkldnn_fp16_supported(),
        }
        return " ".join(name for name, answer in asked.items() if answer) or "float32 alone"
    return None


def _package(path: Path) -> str:
    """The package that a library's file belongs to, or the folder that it lies in."""
    folders = path.parts[:-1]
    if "site-packages" in folders[:-1]:
        return folders[folders.index("site-packages") + 1]
    return folders[-1]
