"""Triplets and their loss against plain loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from iic.methods.jule.loss import Triplets, triplet_loss, triplets

CLUSTERS = st.lists(st.integers(0, 5), min_size=1, max_size=12)


@settings(max_examples=80, deadline=None)
@given(clusters=CLUSTERS, most=st.integers(1, 8), seed=st.integers(0, 2**31))
def test_every_pair_of_a_cluster_has_different_negatives_of_others(
    clusters: list[int], most: int, seed: int
) -> None:
    torch.manual_seed(seed)
    chosen = triplets(torch.tensor(clusters), most)
    count = min(most, len(set(clusters)) - 1)
    pairs = {
        (a, p)
        for a in range(len(clusters))
        for p in range(a + 1, len(clusters))
        if clusters[a] == clusters[p]
    }
    negatives: dict[tuple[int, int], list[int]] = {}
    for a, p, n in zip(*(part.tolist() for part in chosen), strict=True):
        negatives.setdefault((a, p), []).append(n)
        assert clusters[n] != clusters[a]
    assert negatives.keys() == (pairs if count else set())
    assert all(len(set(them)) == count == len(them) for them in negatives.values())


def test_all_others_are_drawn_alike() -> None:
    torch.manual_seed(0)
    clusters = torch.tensor([0, 0, 1, 1, 2])
    drawn = torch.cat([triplets(clusters, 1).negatives for _ in range(600)])
    # one pair of cluster 0 and one of cluster 1: three others each
    counts = torch.bincount(drawn, minlength=5).tolist()
    assert counts[4] == pytest.approx(400, abs=60)
    assert counts[:4] == pytest.approx([200] * 4, abs=50)


def plain(features: Tensor, chosen: Triplets, margin: float, weight: float) -> Tensor:
    total = torch.zeros((), dtype=features.dtype)
    for a, p, n in zip(*(part.tolist() for part in chosen), strict=True):
        near = ((features[a] - features[p]) ** 2).sum()
        far = ((features[a] - features[n]) ** 2).sum()
        hinge = weight * near - far + margin
        if hinge > 0:
            total = total + hinge
    return total / len(chosen.anchors)


@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_loss_and_gradient_are_those_of_the_loop(weight: float) -> None:
    torch.manual_seed(1)
    clusters = torch.randint(0, 3, (9,))
    chosen = triplets(clusters, 2)
    raw = torch.randn(9, 4, dtype=torch.float64)
    gradients = []
    for function in (
        lambda x: triplet_loss(x, chosen, margin=0.5, weight=weight),
        lambda x: plain(x, chosen, 0.5, weight),
    ):
        values = raw.clone().requires_grad_()
        loss = function(normalize(values, dim=1))
        loss.backward()
        gradients.append((float(loss.detach()), values.grad))
    assert gradients[0][0] == pytest.approx(gradients[1][0]) and gradients[0][0] > 0
    torch.testing.assert_close(gradients[0][1], gradients[1][1])


def test_a_batch_without_pairs_costs_nothing_and_has_a_gradient_of_zeros() -> None:
    for clusters in ([0, 1, 2], [0, 0, 0], [0]):
        features = torch.randn(len(clusters), 4, requires_grad=True)
        loss = triplet_loss(features, triplets(torch.tensor(clusters), 20), margin=0.2, weight=1.0)
        loss.backward()  # type: ignore[no-untyped-call]
        assert float(loss.detach()) == 0 and features.grad is not None
        assert not features.grad.any()
