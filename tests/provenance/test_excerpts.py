"""Excerpts of weights: what a fresh clone computes predictions from."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from iic.params.runs import load_plan
from iic.provenance.audit.inference import infer
from iic.provenance.audit.inferences import InferenceRequest, Inferences
from iic.provenance.audit.run import verify
from iic.provenance.audit.signed import signed_files
from iic.provenance.audit.tree import Tree
from iic.provenance.excerpting import ExcerptError, take_excerpt
from iic.records.excerpt import Excerpt, read_excerpt, write_excerpt
from iic.records.files import sha256_file
from iic.records.paths import RunPaths
from tests.conftest import SCALE
from tests.provenance.audit_helpers import flip, named

RUN = "digits/iic"
PATHS = RunPaths(SCALE, RUN, 0)


def forged(change: Mapping[str, object]) -> None:
    """Write the excerpt with one of its fields, or of its tensors, exchanged."""
    before = read_excerpt(PATHS.excerpt)
    tensors = {name: change.get(name, tensor) for name, tensor in before.tensors.items()}
    whole = str(change.get("whole", before.whole))
    write_excerpt(PATHS.excerpt, Excerpt(whole, tensors))  # type: ignore[arg-type]


def test_an_excerpt_is_the_part_that_predictions_come_from(tree: Path) -> None:
    plan = load_plan(SCALE)
    assert take_excerpt(plan, RUN, 0) == PATHS.excerpt
    excerpt = read_excerpt(PATHS.excerpt)
    assert excerpt.whole == sha256_file(PATHS.weights)
    # head A only helps to train
    parts = {tuple(name.split(".")[:3]) for name in excerpt.tensors}
    assert ("last", "heads", "B") in parts and ("last", "heads", "A") not in parts
    assert PATHS.excerpt.stat().st_size < PATHS.weights.stat().st_size / 2
    assert verify(plan) == []
    assert str(PATHS.excerpt) in signed_files(Tree(plan))
    content = PATHS.excerpt.read_bytes()
    bias = "last.heads.B.linear.bias"
    for change, kind, words in (
        ({"whole": "0" * 64}, "chain", "and train digits/iic/seed0 wrote others"),
        ({bias: excerpt.tensors[bias] + 1}, "altered", bias),
    ):
        forged(change)
        named(verify(plan), PATHS.excerpt, kind, words)
        PATHS.excerpt.write_bytes(content)
    flip(PATHS.excerpt, 20)
    named(verify(plan), PATHS.excerpt, "schema", "no excerpt of weights")
    PATHS.excerpt.write_bytes(content)
    # where the weights are not here, the numbers are the witness
    shutil.rmtree(PATHS.artifacts)
    inferences = Inferences(Tree(plan), InferenceRequest())
    job = next(job for job in inferences.tree.jobs if job.target == f"{RUN}/seed0")
    receipt = inferences.tree.receipt(str(job.receipt))
    assert receipt is not None and inferences._obstacle(job, receipt) is None
    result = infer(plan, RUN, 0)
    assert (result.error, result.different, result.other_machine) == (None, {}, [])
    forged({bias: np.roll(excerpt.tensors[bias], 1)})
    assert verify(plan) == []
    assert infer(plan, RUN, 0).different
    forged({"last.trunk.layers.0.weight": np.zeros(3, np.float32)})
    assert infer(plan, RUN, 0).error is not None


def test_no_excerpt_is_left_of_what_gives_other_numbers(tree: Path) -> None:
    plan = load_plan(SCALE)
    flip(PATHS.weights, -1)
    with pytest.raises(ExcerptError, match="the weights give"):
        take_excerpt(plan, RUN, 0)
    with pytest.raises(ExcerptError, match="its seed gives all of it"):
        take_excerpt(plan, "digits/kmeans", 0)
    PATHS.weights.unlink()
    with pytest.raises(ExcerptError, match="not here"):
        take_excerpt(plan, RUN, 0)
    assert not PATHS.excerpt.exists()


def test_tensors_that_no_called_module_owns_are_part_of_it(tree: Path) -> None:
    """DEC's centres lie in its network, which is never called; only its encoder is."""
    run = "digits/dec"
    take_excerpt(load_plan(SCALE), run, 0)
    assert "last.centres" in read_excerpt(RunPaths(SCALE, run, 0).excerpt).tensors


@pytest.mark.long
def test_an_excerpt_of_every_method_gives_the_same_bits(tree: Path) -> None:
    """Long: each run of the scale that took a step, twice, 40 s."""
    plan = load_plan(SCALE)
    for run in plan.runs.values():
        seed = run.seeds[0]
        whole = infer(plan, run.id, seed)
        if whole.used:
            take_excerpt(plan, run.id, seed)
    assert verify(plan) == []


def test_what_took_no_step_needs_no_weights(tree: Path) -> None:
    plan = load_plan(SCALE)
    weights = RunPaths(SCALE, "digits/random", 0).weights
    weights.unlink()
    result = infer(plan, "digits/random", 0)
    assert (result.error, result.different) == (None, {})
