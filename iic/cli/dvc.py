"""The content of ``dvc.yaml``: few coarse stages, each one call of the workflow.

There is one DAG, in Snakemake; DVC versions what it reads and makes. Small results are kept in
git, so their outs are not cached. `persist` keeps DVC from deleting outs before a stage: the
workflow itself decides, by content, what has to be made again.

What `dvc params diff`, `dvc metrics diff` and `dvc plots diff` show stands beside the stages and
not in them, so that it never is a reason to run one, and no entry of dvc.lock depends on it.
Metrics are scores and nothing else: DVC would show those of a stage before them.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import yaml

from iic.params.datasets import load_catalogue
from iic.params.loading import read_yaml
from iic.params.runs import Plan, load_plan, scale_names
from iic.provenance.environment import tracked_files
from iic.provenance.git import GitUnknown
from iic.records import paths

log = logging.getLogger(__name__)

DVC_FILE = "dvc.yaml"
HEADER = (
    "# Written by `iic dvc sync` from params/ and what git keeps of results/; checked in CI.\n"
    "# Do not edit.\n"
)
CODE = ["Snakefile", "iic", "params", "workflow"]
PARAMS = ["params/datasets.yaml", "params/experiments", "params/figures.yaml", "params/scales"]
"""Files, and folders of nothing but such files, that `dvc params` reads."""
TEMPLATE = "scores"
"""How the numbers of a table are drawn: ``.dvc/plots/scores.json``."""


def dvc_yaml(root: Path = Path()) -> str:
    """Text of ``dvc.yaml`` for all scales and the datasets that they hold.

    What is shown is what git keeps. Where git does not know, it is what ``dvc.yaml`` shows already.

    Args:
        root: Root of the clone, where the results lie; settings are those of the working directory.

    Raises:
        GitUnknown: Git does not know, and there is no ``dvc.yaml`` to go by.
    """
    plans = {scale: load_plan(scale) for scale in scale_names()}
    data = {scale: sorted(scale_plan.datasets) for scale, scale_plan in plans.items()}
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
            # data are the same at every scale, and the workflow makes those of the scale it runs at
            "foreach": {
                dataset: next(scale for scale, names in data.items() if dataset in names)
                for dataset in load_catalogue()
                if any(dataset in names for names in data.values())
            },
            "do": {
                "desc": "Download and prepare ${key}",
                "cmd": "python -m iic run --scale ${item} data/prepared/${key}/data.json",
                "deps": CODE,
                "outs": [_cached("data/raw/${key}"), _cached("data/prepared/${key}")],
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
            "foreach": [
                scale
                for scale, scale_plan in plans.items()
                if name == "tables" or scale_plan.figures
            ],
            "do": {
                "desc": f"Make the {name} of scale ${{item}}",
                "cmd": f"python -m iic run --scale ${{item}} {name}",
                "deps": CODE + [f"results/${{item}}/{source}" for source in sources],
                "outs": [_in_git(f"results/${{item}}/{name}")],
            },
        }
    stages["audit"] = {
        # a scale may have no figures: DVC fails where a dep is missing, and takes one twice
        "foreach": {
            scale: {"last": "figures" if scale_plan.figures else "tables"}
            for scale, scale_plan in plans.items()
        },
        "do": {
            "desc": "Audit every number of scale ${key} and gather them in one page",
            "cmd": f"{run} report",
            "deps": [*CODE, "docs/fidelity.md"]
            + [f"{results}/{source}" for source in ("runs", "tables", "${item.last}")],
            "outs": [
                _in_git(f"{results}/{name}")
                for name in ("audit.html", "audit.json", "report.html", "report.run.json")
            ],
        },
    }
    content = {"stages": stages, "params": PARAMS, **_shown(root)}
    return HEADER + yaml.safe_dump(content, sort_keys=False, width=100)


def _shown(root: Path) -> dict[str, Any]:
    """Numbers and pictures of the scales whose results are kept in git.

    Of other scales git has no earlier state to compare with, and `dvc metrics show` would have an
    empty line for each run that nobody has trained.
    """
    try:
        kept = [load_plan(scale) for scale in scale_names() if kept_in_git(scale, root)]
    except GitUnknown as reason:
        content = read_yaml(root / DVC_FILE) if (root / DVC_FILE).exists() else None
        if not isinstance(content, dict):
            raise
        log.warning("metrics and plots of %s: left as they are (%s)", DVC_FILE, reason)
        return {name: content.get(name, []) for name in ("metrics", "plots")}
    return {
        "metrics": [path for scale_plan in kept for path in _evaluations(scale_plan)],
        "plots": [entry for scale_plan in kept for entry in _plots(scale_plan)],
    }


def kept_in_git(scale: str, root: Path = Path()) -> bool:
    """Whether git tracks results of `scale`: a scale that was only begun changes nothing.

    Raises:
        GitUnknown: Git does not say.
    """
    return bool(tracked_files(root, f"{paths.RESULTS}/{scale}/runs"))


def _evaluations(scale_plan: Plan) -> list[str]:
    return [
        paths.RunPaths(scale_plan.scale.name, run.id, seed).evaluation.as_posix()
        for run in scale_plan.runs.values()
        for seed in run.seeds
    ]


def _plots(scale_plan: Plan) -> list[str | dict[str, Any]]:
    """Figures as they are, curves among them; tables as points, one column of the table a panel."""
    name = scale_plan.scale.name
    figures = [paths.figure(name, figure).as_posix() for figure in scale_plan.figures]
    tables = {
        paths.table(name, table).as_posix(): {
            "x": "ours_mean",
            "y": "row",
            "template": TEMPLATE,
            "title": f"{entry.title}, scale {name}",
        }
        for table, entry in scale_plan.tables.items()
    }
    return [*figures, *({path: how} for path, how in tables.items())]


def _cached(path: str) -> dict[str, Any]:
    return {path: {"persist": True}}


def _in_git(path: str) -> dict[str, Any]:
    return {path: {"cache": False, "persist": True}}
