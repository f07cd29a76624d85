"""Excerpts of weights: of the very weights that the training's receipt names?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from iic.provenance.audit.report import Finding, Kind
from iic.provenance.audit.tree import Tree
from iic.provenance.jobs import Job
from iic.records.excerpt import Excerpt, read_excerpt
from iic.records.files import RecordError
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt


def run_paths(job: Job) -> RunPaths:
    """Files of a training."""
    names = job.wildcards
    return RunPaths(names["scale"], names["run"], int(names["seed"]))


def paths_of(tree: Tree) -> Iterator[tuple[Job, Receipt, RunPaths]]:
    """Trainings with an excerpt."""
    for job, receipt in tree.present:
        if job.rule == "train" and tree.exists(str(run_paths(job).excerpt)):
            yield job, receipt, run_paths(job)


def check(tree: Tree) -> Iterator[Finding]:
    """Excerpts that cannot be read, are of other weights, or are not what those have."""
    for job, receipt, paths in paths_of(tree):
        try:
            excerpt = read_excerpt(tree.root / paths.excerpt)
        except RecordError as error:
            yield _finding(tree, job, paths, "schema", str(error).partition("\n")[0])
            continue
        stated = {output.path: output.sha256 for output in receipt.outputs}
        if excerpt.whole != stated.get(str(paths.weights)):
            message = f"part of weights {excerpt.whole[:12]}, and {job.name} wrote others"
            yield _finding(tree, job, paths, "chain", message)
        elif tree.sha256(str(paths.weights)) == excerpt.whole:
            odd = _differing(excerpt, tree.root / paths.weights)
            if odd:
                message = f"not as in {paths.weights.name}: {', '.join(odd[:3])}"
                yield _finding(tree, job, paths, "altered", message)


def _differing(excerpt: Excerpt, path: Path) -> list[str]:
    """Tensors that the file has not, or has with other bytes."""
    try:
        weights = load_file(path)
    except (SafetensorError, OSError):
        return sorted(excerpt.tensors)
    return sorted(
        name
        for name, tensor in excerpt.tensors.items()
        if name not in weights
        or (weights[name].dtype, weights[name].shape) != (tensor.dtype, tensor.shape)
        or weights[name].tobytes() != tensor.tobytes()
    )


def _finding(tree: Tree, job: Job, paths: RunPaths, kind: Kind, message: str) -> Finding:
    names = job.wildcards
    return Finding(
        level="failure",
        kind=kind,
        path=str(paths.excerpt),
        message=message,
        remedy=f"delete it, or iic export excerpt --scale {tree.scale} --run {names['run']} "
        f"--seed {names['seed']}",
    )
