"""Are two machines of one kind, so that a training gives the same bytes on both?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from iic.provenance.environment import minor
from iic.records.machine import Machine
from iic.records.receipt import Environment

DECIDING = ("numpy", "pyarrow", "safetensors", "scikit-learn", "scipy", "torch")
"""Packages whose version may change the last bits of a training, or how they are stored."""


def differences_of_kind(then: Environment, now: Environment) -> list[str]:
    """What may change the last bits: processor, kernels, threads, variables, GPU, software.

    What nobody recorded may differ as well: unknown is not the same.

    Returns:
        Nothing where two trainings have to give the same bytes.
    """
    pairs: dict[str, tuple[Any, Any]] = {
        "cpu": (then.cpu, now.cpu),
        "threads": (then.threads, now.threads),
        "gpu": (then.gpu, now.gpu),
        "cuda": (then.cuda, now.cuda),
        "driver": (then.driver, now.driver),
        "python": (minor(then.python), minor(now.python)),
        "requirements.lock": (then.lock[:12], now.lock[:12]),
    }
    for name in DECIDING:
        pairs[name] = (then.packages.get(name), now.packages.get(name))
    different = [_said(what, *pair) for what, pair in pairs.items() if pair[0] != pair[1]]
    if then.machine is None or now.machine is None:
        return [*different, "model of the processor, libraries and their kernels: not recorded"]
    return [*different, *_of_machines(then.machine, now.machine)]


def _of_machines(then: Machine, now: Machine) -> Iterator[str]:
    pairs: dict[str, tuple[Any, Any]] = {
        f"processor's {name}": (getattr(then.processor, name), getattr(now.processor, name))
        for name in ("vendor", "family", "model", "stepping")
    }
    features = [set(machine.processor.features) for machine in (then, now)]
    pairs["processor's instructions"] = (
        " ".join(sorted(features[0] - features[1])),
        " ".join(sorted(features[1] - features[0])),
    )
    pairs["usable processors"] = (then.usable_processors, now.usable_processors)
    pairs["quota of processors"] = (then.processor_quota, now.processor_quota)
    pairs["libc"] = (then.libc, now.libc)
    libraries = [
        {library.name: library for library in machine.libraries} for machine in (then, now)
    ]
    # a process may have loaded others besides, for another job's sake
    for name in sorted(libraries[0].keys() & libraries[1].keys()):
        for fact in ("version", "kernel", "threading"):
            pairs[f"{fact} of {name}"] = (
                getattr(libraries[0][name], fact),
                getattr(libraries[1][name], fact),
            )
    for name in sorted({*then.variables, *now.variables}):
        pairs[name] = (then.variables.get(name), now.variables.get(name))
    return (_said(what, *pair) for what, pair in pairs.items() if pair[0] != pair[1])


def _said(what: str, then: Any, now: Any) -> str:
    # a variable may be set to nothing, which some libraries take for a value
    shown = [
        "none" if value is None else value if value != "" else "nothing" for value in (then, now)
    ]
    return f"{what}: {shown[0]} then, {shown[1]} now"
