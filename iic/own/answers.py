"""What a network says of each image: cluster, probability, entropy, agreement of sub-heads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iic.evaluate.matching import contingency, one_to_one
from iic.own.errors import OwnDataError
from iic.params.escaping import cell
from iic.records.files import write_bytes

DIGITS = 7
"""After the point: finer than the difference between a batch of one image and a large one."""
TABLES = (".csv", ".parquet")


@dataclass(frozen=True)
class Answers:
    """Answers of the reported sub-head, and how far the others agree.

    Args:
        clusters: (n,).
        probability: Of that cluster, (n,).
        entropy: Of all clusters' probabilities, in units of log k: 0 certain, 1 uniform, (n,).
        agreement: Share of all sub-heads that give the same cluster, (n,).
        by_sub_head: Clusters by every sub-head in the reported one's numbers, (n, h).
    """

    clusters: NDArray[np.int64]
    probability: NDArray[np.float64]
    entropy: NDArray[np.float64]
    agreement: NDArray[np.float64]
    by_sub_head: NDArray[np.int64]


def alignment(probabilities: NDArray[np.float32], sub_head: int) -> NDArray[np.int64]:
    """For each sub-head and its cluster the reported sub-head's cluster that is most alike, (h, k).

    Args:
        probabilities: (n, h, k).
        sub_head: The reported one.
    """
    k = probabilities.shape[2]
    clusters = probabilities.argmax(axis=2)
    reported = clusters[:, sub_head]
    return np.stack([matched(own, reported, k) for own in clusters.T])


def matched(clusters: NDArray[np.int64], reference: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """For each of k clusters the cluster of `reference` that it is matched with, (k,)."""
    return one_to_one(contingency(clusters, reference, k, k))


def answers(
    probabilities: NDArray[np.float32], sub_head: int, aligned: NDArray[np.int64]
) -> Answers:
    """Answers from probabilities.

    Args:
        probabilities: (n, h, k).
        sub_head: The reported one.
        aligned: `alignment` on the images of the fit.
    """
    own = probabilities[:, sub_head].astype(np.float64)
    k = own.shape[1]
    clusters = own.argmax(axis=1)
    entropy = -(own * np.log(np.maximum(own, 1e-12))).sum(axis=1) / np.log(k)
    heads = np.arange(len(aligned))
    by_sub_head = aligned[heads, probabilities.argmax(axis=2)]
    return Answers(
        clusters,
        own.max(axis=1),
        np.clip(entropy, 0, 1),
        (by_sub_head == clusters[:, None]).mean(axis=1),
        by_sub_head,
    )


def table_of(names: Sequence[str], said: Answers, sub_heads: bool = False) -> pd.DataFrame:
    """One row an image: path, cluster, probability, entropy, agreement."""
    table = pd.DataFrame(
        {
            "path": list(names),
            "cluster": said.clusters,
            "probability": said.probability.round(DIGITS),
            "entropy": said.entropy.round(DIGITS),
            "agreement": said.agreement.round(DIGITS),
        }
    )
    if sub_heads:
        for number, clusters in enumerate(said.by_sub_head.T):
            table[f"sub_head_{number}"] = clusters
    return table


def check_table_path(path: Path) -> None:
    """Check that a table can be written under that name.

    Raises:
        OwnDataError: Its ending is another one than `TABLES`.
    """
    if path.suffix.lower() not in TABLES:
        raise OwnDataError(f"{path}: no kind of table\n  allowed: a name in {' or '.join(TABLES)}")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a csv or parquet file, whole or not at all; text in a csv as `cell` gives it."""
    buffer = io.BytesIO()
    if path.suffix.lower() == ".parquet":
        table.to_parquet(buffer, index=False)
    else:
        # names of files and labels are whatever somebody called them
        table = table.map(lambda value: cell(value) if isinstance(value, str) else value)
        table.to_csv(buffer, index=False, lineterminator="\n")
    write_bytes(path, buffer.getvalue())
