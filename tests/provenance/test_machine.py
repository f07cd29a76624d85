"""What decides the last bits is recorded, and a machine of another kind is seen as such."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iic.provenance.audit.kinds import differences_of_kind
from iic.provenance.environment import environment
from iic.provenance.machine import described, machine, processor, variables
from iic.records.machine import Library, Machine, Processor
from iic.records.receipt import Environment
from tests.conftest import ROOT

X86 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
stepping\t: 1
flags\t\t: fpu sse2 avx2 fma avx512f avx512_bf16 amx_tile smep nx

processor\t: 1
model\t\t: 99
"""
ARM = """processor\t: 0
Features\t: fp asimd sve bf16 i8mm
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd40
CPU revision\t: 2
"""


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (X86, Processor(vendor="AuthenticAMD", family="25", model="17", stepping="1",
                        features=("amx_tile", "avx2", "avx512_bf16", "avx512f", "fma", "sse2"))),
        (ARM, Processor(vendor="0x41", family="8", model="0xd40", stepping="0x1r2",
                        features=("asimd", "bf16", "i8mm", "sve"))),
        ("", Processor()),
    ],
)  # fmt: skip
def test_a_processor_is_known_by_its_numbers(tmp_path: Path, text: str, read: Processor) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert processor(described(tmp_path / "cpuinfo")) == read


def test_only_variables_that_change_arithmetic_are_recorded() -> None:
    deciding = {
        "OPENBLAS_CORETYPE": "Haswell", "OMP_THREAD_LIMIT": "1", "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "AVX2", "NPY_DISABLE_CPU_FEATURES": "AVX2",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2",
    }  # fmt: skip
    others = {"HOME": "/root", "TOKEN": "secret", "OPENBLAS_VERBOSE": "2", "ONEDNN_VERBOSE": "1",
              "KMP_DUPLICATE_LIB_OK": "True", "TORCH_HOME": "/x"}  # fmt: skip
    assert variables({**others, **deciding}) == dict(sorted(deciding.items()))


def seen(script: str, *before: str, **given: str) -> Environment:
    """The environment as another process sees it, once it has run `script`."""
    code = (
        f"{script}\nfrom iic.provenance.environment import environment\n"
        "print(environment(1).model_dump_json())"
    )
    clean = {name: value for name, value in os.environ.items() if name not in variables(os.environ)}
    done = subprocess.run(
        [*before, sys.executable, "-c", code],
        cwd=ROOT,
        env={**clean, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    return Environment.model_validate_json(done.stdout)


def test_the_same_machine_is_of_its_own_kind() -> None:
    there = seen("import numpy")
    assert differences_of_kind(there, seen("import numpy, scipy.linalg")) == []
    assert there.machine is not None
    assert there.machine.libc != "unknown" and there.machine.usable_processors >= 1
    assert {library.name for library in there.machine.libraries} >= {"numpy"}


@pytest.mark.skipif(shutil.which("taskset") is None, reason="needs taskset")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processors")
def test_fewer_usable_processors_are_another_kind() -> None:
    fewer = seen("import numpy", "taskset", "-c", str(min(os.sched_getaffinity(0))))
    usable = len(os.sched_getaffinity(0))
    assert differences_of_kind(seen("import numpy"), fewer) == [
        f"usable processors: {usable} then, 1 now"
    ]


def test_a_limit_of_threads_is_another_kind() -> None:
    limited = seen("import numpy", OMP_THREAD_LIMIT="1")
    assert differences_of_kind(seen("import numpy"), limited) == [
        "OMP_THREAD_LIMIT: none then, 1 now"
    ]


@pytest.mark.skipif("avx512f" not in machine().processor.features, reason="needs AVX-512")
def test_kernels_that_libraries_chose_are_recorded() -> None:
    there = seen("import numpy, torch")
    older = seen(
        "import numpy, torch",
        OPENBLAS_CORETYPE="Haswell",
        ATEN_CPU_CAPABILITY="avx2",
        ONEDNN_MAX_CPU_ISA="AVX2",
    )
    told = differences_of_kind(there, older)
    assert "ATEN_CPU_CAPABILITY: none then, avx2 now" in told
    assert "kernel of torch: AVX512 then, AVX2 now" in told
    assert any(one.startswith("kernel of oneDNN of torch: bfloat16") for one in told)
    # conda's numpy may have another BLAS
    assert older.machine is not None and there.machine is not None
    for library in older.machine.libraries:
        if "openblas" in library.name:
            assert library.kernel == "Haswell"
            assert any(one.startswith(f"kernel of {library.name}: ") for one in told)


def test_an_older_receipt_says_too_little_to_be_of_the_same_kind() -> None:
    now = environment(1)
    before = now.model_copy(update={"machine": None})
    told = differences_of_kind(before, now)
    assert told == ["model of the processor, libraries and their kernels: not recorded"]
    digest = Environment.model_validate_json(before.model_dump_json(exclude={"machine"}))
    assert digest == before, "receipts from before can be read"


def test_libraries_are_compared_where_both_loaded_them() -> None:
    def of(*libraries: Library) -> Environment:
        base = environment(1)
        there = Machine(
            processor=Processor(), usable_processors=1, libc="glibc 2", libraries=libraries
        )
        return base.model_copy(update={"machine": there})

    blas = Library(name="blas of numpy", version="1", kernel="Zen", threads=2)
    assert differences_of_kind(of(blas), of(blas.model_copy(update={"threads": 1}))) == []
    assert differences_of_kind(of(blas), of()) == []
    assert differences_of_kind(of(blas), of(blas.model_copy(update={"kernel": "Haswell"}))) == [
        "kernel of blas of numpy: Zen then, Haswell now"
    ]


def test_looking_is_cheap() -> None:
    import scipy.linalg  # noqa: F401
    import torch  # noqa: F401

    machine()
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        machine()
        spent.append(time.perf_counter() - start)
    assert min(spent) < 0.05
