"""Support vector machines on features of images (scikit-learn); without torch."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits

from iic.params.classifiers import MachineSettings
from iic.params.errors import IICError

log = logging.getLogger(__name__)

Points = NDArray[np.floating[Any]]


def classified(
    points: Points,
    labels: NDArray[np.int64],
    others: Points,
    settings: MachineSettings,
    *,
    seed: int,
    threads: int,
    name: str,
) -> NDArray[np.int64]:
    """Classes (m,) that a machine fitted on labelled points gives other points.

    Args:
        points: Features of the labelled images, (n, d).
        labels: Their classes, (n,).
        others: Features of the other images, (m, d).
        settings: The machine.
        seed: Of the cross-validation and of a linear machine's order.
        threads: CPU threads of matrix products.
        name: The run, for messages.

    Raises:
        IICError: A feature is NaN or infinite, all labels are of one class, or a class has fewer
            images than the cross-validation has parts.
    """
    for numbers in (points, others):
        if not np.isfinite(numbers).all():
            raise IICError(
                f"{name}: features are NaN or infinite: look at the run that they come from"
            )
    classes, sizes = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise IICError(
            f"{name}: splits: all {len(labels):,} labelled images are of class "
            f"{int(classes[0])}: name splits of several classes"
        )
    penalty = settings.penalties[0]
    with threadpool_limits(threads):
        if len(settings.penalties) > 1:
            if sizes.min() < settings.parts:
                raise IICError(
                    f"{name}: machine.parts: {settings.parts} parts, but class "
                    f"{int(classes[sizes.argmin()])} has {sizes.min()} labelled images: take "
                    f"{max(2, sizes.min())} parts, or one of the penalties"
                )
            penalty = _best_penalty(points, labels, settings, seed % 2**32)
            log.info("%s: C = %g by cross-validation", name, penalty)
        machine = _machine(settings, penalty, seed % 2**32).fit(points, labels)
        found: NDArray[np.int64] = machine.predict(others)
    return found


def _best_penalty(
    points: Points, labels: NDArray[np.int64], settings: MachineSettings, seed: int
) -> float:
    """The smallest of the penalties that are best."""
    parts = StratifiedKFold(settings.parts, shuffle=True, random_state=seed)
    scores = [
        cross_val_score(_machine(settings, penalty, seed), points, labels, cv=parts).mean()
        for penalty in settings.penalties
    ]
    return settings.penalties[int(np.argmax(scores))]


def _machine(settings: MachineSettings, penalty: float, seed: int) -> Any:
    if settings.kernel == "linear":
        machine = LinearSVC(C=penalty, max_iter=settings.max_iterations, random_state=seed)
    else:
        machine = SVC(C=penalty, gamma=settings.gamma)
    return make_pipeline(StandardScaler(), machine) if settings.standardised else machine
