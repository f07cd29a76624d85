"""DEC's objective against loops over its equations, and its layers' errors by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from iic.methods.dec.loss import (
    divergence,
    dropped,
    layer_error,
    mean_error,
    soft_assignment,
    target_distribution,
)

N, K, D = 9, 4, 3


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=source(seed), dtype=torch.float64)


CODES, CENTRES = random(N, D), random(K, D, seed=2)


def brute_q(codes: Tensor, centres: Tensor) -> list[list[float]]:
    rows = []
    for code in codes.tolist():
        kernel = [
            1 / (1 + sum((a - b) ** 2 for a, b in zip(code, centre, strict=True)))
            for centre in centres.tolist()
        ]
        rows.append([value / sum(kernel) for value in kernel])
    return rows


def brute_p(q: list[list[float]]) -> list[list[float]]:
    sizes = [sum(row[j] for row in q) for j in range(len(q[0]))]
    rows = []
    for row in q:
        weights = [value**2 / size for value, size in zip(row, sizes, strict=True)]
        rows.append([weight / sum(weights) for weight in weights])
    return rows


def test_soft_assignments() -> None:
    q = soft_assignment(CODES, CENTRES)
    torch.testing.assert_close(q, torch.tensor(brute_q(CODES, CENTRES), dtype=torch.float64))
    torch.testing.assert_close(q.sum(dim=1), torch.ones(N, dtype=torch.float64))


def test_targets() -> None:
    q = soft_assignment(CODES, CENTRES).requires_grad_()
    p = target_distribution(q)
    expected = torch.tensor(brute_p(brute_q(CODES, CENTRES)), dtype=torch.float64)
    torch.testing.assert_close(p, expected)
    torch.testing.assert_close(p.sum(dim=1), torch.ones(N, dtype=torch.float64))
    assert not p.requires_grad
    assert target_distribution(q.float()).dtype == torch.float32


def test_targets_sharpen_and_favour_small_clusters() -> None:
    q = torch.tensor([[0.6, 0.4]] * 9 + [[0.5, 0.5]])
    p = target_distribution(q)
    even = target_distribution(torch.tensor([[0.6, 0.4], [0.4, 0.6]]))
    assert even[0, 0] > 0.6 and even[1, 1] > 0.6
    # an image between the two goes to the smaller one
    assert p[-1, 1] > 0.5


def test_targets_depend_on_all_images() -> None:
    q = soft_assignment(CODES, CENTRES)
    assert (target_distribution(q)[:4] - target_distribution(q[:4])).abs().max() > 1e-3


def test_divergence() -> None:
    q = soft_assignment(CODES, CENTRES)
    p = target_distribution(q)
    expected = sum(
        p[i, j].item() * math.log(p[i, j].item() / q[i, j].item())
        for i in range(N)
        for j in range(K)
    )
    assert float(divergence(p, q)) == pytest.approx(expected / N)
    assert float(divergence(q, q)) == pytest.approx(0, abs=1e-12)
    certain = torch.tensor([[1.0, 0.0]])
    assert float(divergence(certain, torch.tensor([[0.25, 0.75]]))) == pytest.approx(math.log(4))


def test_gradients_are_the_papers() -> None:
    """Equations 4 and 5 of the paper, with one degree of freedom."""
    codes, centres = CODES.clone().requires_grad_(), CENTRES.clone().requires_grad_()
    q = soft_assignment(codes, centres)
    p = target_distribution(q)
    (divergence(p, q) * N).backward()  # type: ignore[no-untyped-call]
    of_codes, of_centres = torch.zeros_like(CODES), torch.zeros_like(CENTRES)
    for i in range(N):
        for j in range(K):
            apart = CODES[i] - CENTRES[j]
            pull = 2 * (p[i, j] - q[i, j].detach()) * apart / (1 + apart.square().sum())
            of_codes[i] += pull
            of_centres[j] -= pull
    assert codes.grad is not None and centres.grad is not None
    torch.testing.assert_close(codes.grad, of_codes)
    torch.testing.assert_close(centres.grad, of_centres)


def test_mean_error_is_over_images_and_numbers() -> None:
    values = random(5, 2, 3)
    output = values.clone()
    output[1, 1, 2] += 3
    assert float(mean_error(output, values)) == pytest.approx(9 / 2 / 30)


def test_what_is_dropped() -> None:
    values = torch.ones(200, 100)
    kept = dropped(values, 0.2, source())
    assert set(kept.unique().tolist()) == {0.0, 1.25}
    assert float((kept == 0).double().mean()) == pytest.approx(0.2, abs=0.01)
    assert torch.equal(kept, dropped(values, 0.2, source()))
    assert not torch.equal(kept, dropped(values, 0.2, source(1)))
    assert dropped(values, 0, source()) is values


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("last", [True, False])
def test_where_a_layer_has_relu(first: bool, last: bool) -> None:
    """None on the code and on the reconstructed image; without dropout nothing else happens."""
    down, up = nn.Linear(6, 5).double(), nn.Linear(5, 6).double()
    inputs = random(7, 6)
    inputs = inputs if first else inputs.relu()
    hidden = down(inputs)
    output = up(hidden if last else hidden.relu())
    expected = ((output if first else output.relu()) - inputs).square().mean() / 2
    error = layer_error(
        inputs, down, up, source(), input_dropout=0, dropout=0, first=first, last=last
    )
    torch.testing.assert_close(error, expected)


def test_a_layer_is_to_give_back_what_was_not_dropped() -> None:
    inputs = torch.ones(50, 40)
    seen: list[Tensor] = []

    def encode(x: Tensor) -> Tensor:
        seen.append(x)
        return x

    def decode(x: Tensor) -> Tensor:
        seen.append(x)
        return inputs

    error = layer_error(
        inputs, encode, decode, source(), input_dropout=0.2, dropout=0.5, first=True, last=False
    )
    assert float(error) == 0
    assert float((seen[0] == 0).double().mean()) == pytest.approx(0.2, abs=0.03)
    assert float((seen[1] == 0).double().mean()) == pytest.approx(0.6, abs=0.03)
    # the code keeps all
    layer_error(
        inputs, encode, decode, source(), input_dropout=0, dropout=0.5, first=True, last=True
    )
    assert torch.equal(seen[3], inputs)
