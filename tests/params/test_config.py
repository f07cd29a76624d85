"""``snakemake --config``: few keys, each checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iic.params.config import read_config
from iic.params.errors import SettingsError
from iic.params.runs import load_scale, scale_names

ROOT = Path(__file__).resolve().parents[2]


def test_defaults() -> None:
    config = read_config({})
    assert (config.scale, config.mirror, config.strict_env) == ("mini", None, False)
    given = read_config({"scale": "smoke", "mirror": "/data", "strict_env": True})
    assert (given.scale, given.mirror, given.strict_env) == ("smoke", "/data", True)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"scale": "nope"}, "--config: scale: 'nope' is no scale\n  allowed: "
         + ", ".join(scale_names())),
        ({"scale": "lapptop"}, "did you mean: laptop?"),
        ({"scale": 3}, "--config: scale: 3 does not fit\n  allowed: text"),
        ({"scal": "mini"}, "--config: scal: unknown key 'scal' (value 'mini')\n"
         "  allowed: mirror, scale, strict_env\n  did you mean: scale?"),
        ({"strict_env": "yes"}, "--config: strict_env: 'yes' does not fit\n  allowed: true or"),
        ({"mirror": ["a"]}, "--config: mirror: ['a'] does not fit\n  allowed: text"),
        ({"scale": None}, "--config: scale: null does not fit"),
        ({"scale": "../mini"}, "'../mini' is no scale"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(values: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_config(values)
    assert says in str(caught.value)


def test_unknown_scale_by_name() -> None:
    with pytest.raises(SettingsError, match=r"^params/scales: 'minni' is no known scale"):
        load_scale("minni")


def test_planning_needs_nothing_heavy() -> None:
    """The workflow reads the methods' settings each time it is parsed."""
    heavy = ("numpy", "torch", "torchvision", "sklearn", "scipy", "pandas", "pyarrow", "matplotlib")
    code = (
        "import sys\n"
        f"for name in {heavy!r}: sys.modules[name] = None\n"
        "from iic.params.runs import load_plan, scale_names\n"
        "print(*(len(load_plan(name).runs) for name in scale_names()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(int(number) > 0 for number in done.stdout.split())
