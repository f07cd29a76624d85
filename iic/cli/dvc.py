"""The content of ``dvc.yaml``: few coarse stages, each one call of the workflow.

There is one DAG, in Snakemake; DVC versions what it reads and makes. Small results are kept in
git, so their outs are not cached. `persist` keeps DVC from deleting outs before a stage: the
workflow itself decides, by content, what has to be made again.
"""

from __future__ import annotations

from typing import Any

import yaml

from iic.params.datasets import load_catalogue
from iic.params.runs import plan, scale_names

DVC_FILE = "dvc.yaml"
HEADER = "# Written by `iic dvc sync` from params/, and checked in CI. Do not edit.\n"
CODE = ["Snakefile", "iic", "params", "workflow"]


def dvc_yaml() -> str:
    """Text of ``dvc.yaml`` for all datasets and scales."""
    data = {scale: sorted(plan(scale).datasets) for scale in scale_names()}
    most = max(len(names) for names in data.values())
    # a stage of a foreach has a fixed number of deps, so a scale with fewer datasets names its
    # last one again; DVC takes a dep twice
    scales = {
        scale: {f"data{i}": names[min(i, len(names) - 1)] for i in range(most)}
        for scale, names in data.items()
    }
    run = "python -m iic run --scale ${key}"
    results = "results/${key}"
    stages: dict[str, Any] = {
        "data": {
            "foreach": list(load_catalogue()),
            "do": {
                "desc": "Download and prepare ${item}",
                "cmd": "python -m iic run data/prepared/${item}/data.json",
                "deps": CODE,
                "outs": [_cached("data/raw/${item}"), _cached("data/prepared/${item}")],
            },
        },
        "runs": {
            "foreach": scales,
            "do": {
                "desc": "Train and evaluate everything at scale ${key}",
                "cmd": f"{run} runs",
                "deps": CODE + [f"data/prepared/${{item.data{i}}}" for i in range(most)],
                "outs": [_in_git(f"{results}/runs"), _cached(f"{results}/artifacts")],
            },
        },
    }
    above = {"tables": ["runs"], "figures": ["runs", "artifacts"]}
    for name, sources in above.items():
        stages[name] = {
            "foreach": list(scales),
            "do": {
                "desc": f"Make the {name} of scale ${{item}}",
                "cmd": f"python -m iic run --scale ${{item}} {name}",
                "deps": CODE + [f"results/${{item}}/{source}" for source in sources],
                "outs": [_in_git(f"results/${{item}}/{name}")],
            },
        }
    stages["audit"] = {
        "foreach": list(scales),
        "do": {
            "desc": "Audit every number of scale ${item} and gather them in one page",
            "cmd": "python -m iic run --scale ${item} report",
            "deps": [*CODE, "docs/fidelity.md"]
            + [f"results/${{item}}/{source}" for source in ("runs", "tables", "figures")],
            "outs": [
                _in_git(f"results/${{item}}/{name}")
                for name in ("audit.html", "report.html", "report.run.json")
            ],
            "metrics": [_in_git("results/${item}/audit.json")],
        },
    }
    return HEADER + yaml.safe_dump({"stages": stages}, sort_keys=False, width=100)


def _cached(path: str) -> dict[str, Any]:
    return {path: {"persist": True}}


def _in_git(path: str) -> dict[str, Any]:
    return {path: {"cache": False, "persist": True}}
