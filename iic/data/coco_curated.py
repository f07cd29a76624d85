"""The rule behind IIC's curated lists of COCO images (docs/spec/segmentation.md#coco-stuff).

An image is kept when both of its sides have at least 360 pixels and at least 0.75 of all its pixels
are of the wanted classes. The authors' script, as published, holds these thresholds for version 7
of the list Full_Stuff_Coarse; those of Few_Stuff_6, COCO-Stuff-3's list, are recorded nowhere. The
project trains on the published lists, which are downloaded; this tells how far the rule explains
them:

    python -m iic.data.coco_curated cocostuff15 --workers 4

reads the downloaded labels, and prints for each list how many images rule and list share and which
only one of them has. ``--out FOLDER`` writes the regenerated lists there.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iic.data.coco_classes import class_codes
from iic.data.cocostuff import LABELS, fine_labels, folder_of, list_of, read_list
from iic.data.errors import DataError
from iic.data.maps import UNLABELLED
from iic.data.pieces import Progress, silent
from iic.data.progress import PreparationProgress
from iic.data.zips import Members
from iic.params.datasets import find_dataset
from iic.params.errors import IICError
from iic.records.files import write_text
from iic.records.paths import raw_folder

RECORDED = "Coco164kFull_Stuff_Coarse_7.txt"
"""The list whose thresholds are known."""
SHOWN = 10
"""Images printed of those that differ."""


@dataclass(frozen=True)
class Rule:
    """Which images are kept.

    Args:
        wanted: bool, (256,): whether a fine class, the value of a label image, is wanted.
        least_side: Pixels that height and width need.
        least_share: Share of all pixels, without label or not, that must be wanted.
    """

    wanted: NDArray[np.bool_]
    least_side: int = 360
    least_share: float = 0.75

    def keeps(self, labels: NDArray[np.uint8]) -> bool:
        """Whether the image with these labels, uint8 (height, width), is kept."""
        if min(labels.shape) < self.least_side:
            return False
        return int(np.count_nonzero(self.wanted[labels])) / labels.size >= self.least_share


@dataclass(frozen=True)
class Comparison:
    """A published list and one of ours, in order.

    Args:
        both: Images in both.
        only_published: Images that the rule leaves out.
        only_ours: Images that only the rule keeps.
    """

    both: tuple[str, ...]
    only_published: tuple[str, ...]
    only_ours: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{len(self.both):,} images in both lists"]
        for what, names in (
            ("only in the published list", self.only_published),
            ("only by the rule", self.only_ours),
        ):
            more = ", ..." if len(names) > SHOWN else ""
            ids = f": {', '.join(names[:SHOWN])}{more}" if names else ""
            lines.append(f"{len(names):,} {what}{ids}")
        return "\n".join(lines)


def rule_for(
    classes: Sequence[str],
    least_side: int = Rule.least_side,
    least_share: float = Rule.least_share,
) -> Rule:
    """The rule that wants the fine classes of these superclasses of stuff.

    Raises:
        ValueError: A name is none of a superclass of stuff.
    """
    return Rule(class_codes(classes) < UNLABELLED, least_side, least_share)


def regenerate(
    labels: Members, folder: str, rule: Rule, workers: int = 1, progress: Progress = silent
) -> list[str]:
    """The numbers of all images of `folder` that the rule keeps, in order.

    Args:
        labels: The archive of label images.
        folder: ``train2017`` or ``val2017``.
        rule: The rule.
        workers: Threads.
        progress: Called with the label images read so far and in all.

    Raises:
        DataError: The archive has no labels in `folder`, or one is damaged.
    """
    members = sorted(
        name for name in labels.names if name.startswith(f"{folder}/") and name.endswith(".png")
    )
    if not members:
        raise labels.wrong(f"holds no {folder}/*.png")
    kept = []
    with ThreadPoolExecutor(workers) as pool:
        # in batches: a map over all would hold a future for each of 118,287 files
        for start in range(0, len(members), 1000):
            batch = members[start : start + 1000]
            keeps = pool.map(lambda name: rule.keeps(fine_labels(labels, name)), batch)
            kept += [Path(name).stem for name, keep in zip(batch, keeps, strict=True) if keep]
            progress(start + len(batch), len(members))
    return kept


def compare(published: Sequence[str], ours: Sequence[str]) -> Comparison:
    """Which images two lists share, and which only one of them has."""
    of_list, of_rule = set(published), set(ours)
    return Comparison(
        tuple(name for name in published if name in of_rule),
        tuple(name for name in published if name not in of_rule),
        tuple(name for name in ours if name not in of_list),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Regenerate a dataset's lists and print how they compare."""
    parser = argparse.ArgumentParser("python -m iic.data.coco_curated", description=__doc__)
    parser.add_argument("dataset", help="cocostuff15 or cocostuff3, downloaded before")
    parser.add_argument("--least-side", type=int, default=Rule.least_side)
    parser.add_argument("--least-share", type=float, default=Rule.least_share)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the regenerated lists")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        _run(given)
    except IICError as error:
        parser.exit(1, f"{error}\n")


def _run(given: argparse.Namespace) -> None:
    dataset, raw = find_dataset(given.dataset), raw_folder(given.dataset)
    try:
        rule = rule_for(dataset.classes, least_side=given.least_side, least_share=given.least_share)
    except ValueError as error:
        raise DataError(f"{given.dataset} is no dataset of COCO-Stuff: {error}") from error
    labels = Members(raw / LABELS, dataset)
    for split in dataset.splits:
        folder, path = folder_of(split), raw / list_of(given.dataset, dataset, split)
        published = read_list(path)
        with PreparationProgress(f"{LABELS}: {folder}") as progress:
            ours = regenerate(labels, folder, rule, given.workers, progress)
        print(f"{path}: sides of {rule.least_side} pixels, share {rule.least_share} of", end=" ")
        print(", ".join(dataset.classes))
        if path.name != RECORDED:
            print(f"the thresholds of this list are not known; these are those of {RECORDED}")
        print(compare(published, ours))
        if given.out is not None:
            write_text(given.out / folder / path.name, "".join(f"{number}\n" for number in ours))


if __name__ == "__main__":
    main()
