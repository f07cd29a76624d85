"""The committed run on real images: 2,000 of CIFAR-10's, and what was asked of it before it ran."""

from __future__ import annotations

from iic.evaluate.metrics import accuracy_per_sub_head
from iic.records.assignments import read_assignments
from iic.records.history import read_history
from iic.records.paths import RunPaths
from tests.data.standin_helpers import ROOT

CHANCE, MARGIN = 10.0, 5.0
"""Percent, and points above it, as `params/scales/laptop_cifar10.yaml` declares them."""


def test_the_loss_falls_and_the_classifier_is_above_chance() -> None:
    paths = RunPaths("laptop_cifar10", "cifar10_test/imc_swav", 0)
    entries = read_history(ROOT / paths.history)
    losses = [entry["loss"][0] for entry in entries if entry["loss"]]
    assert len(losses) == 10 and losses[-1] < losses[0] - 0.2
    last = read_assignments(ROOT / paths.assignments)["last"]
    assert last.labels is not None and len(last.labels) == 10_000
    assert accuracy_per_sub_head(last.clusters, last.labels, 10, 10)[0] > CHANCE + MARGIN
