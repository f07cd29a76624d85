"""One rival of `iic fit`, for benchmarks/own_images.py; DEC's runs in ClustPy's environment.

Reads images (n, C, S, S), and clusters their pixels on one thread. The process ends itself after
its seconds of processor time (without imports and tries), or where it needs more memory than it may
have.

- kmeans: scikit-learn, 10 restarts.
- spectral: scikit-learn, affinity by 10 nearest neighbours.
- dec: ClustPy's at its defaults; where these need more than the time, its epochs are fewer, the
  same share of those of pretraining and clustering, by a measured try on a tenth of the images.

Run: python benchmarks/own_rivals.py METHOD PIXELS.npy K SECONDS GIBIBYTES CLUSTERS.npy
It prints a line that says what was not done by default.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PRETRAINING, CLUSTERING = 100, 150
"""ClustPy's epochs by default."""
LEAST_TRIED = 300
"""Images of a try."""
SPENT = 0.85
"""Share of the seconds that DEC's epochs may take; the rest is the first k-means and the answer."""


def kmeans(points: NDArray[np.float32], k: int, seconds: float) -> NDArray[np.int64]:
    from sklearn.cluster import KMeans

    end_after(seconds)
    return KMeans(k, n_init=10, random_state=0).fit_predict(points).astype(np.int64)


def spectral(points: NDArray[np.float32], k: int, seconds: float) -> NDArray[np.int64]:
    from sklearn.cluster import SpectralClustering

    end_after(seconds)
    method = SpectralClustering(k, affinity="nearest_neighbors", n_neighbors=10, random_state=0)
    return method.fit_predict(points).astype(np.int64)


def dec(points: NDArray[np.float32], k: int, seconds: float) -> NDArray[np.int64]:
    import torch
    from clustpy.deep import DEC

    torch.set_num_threads(1)

    def clusters(rows: NDArray[np.float32], pretraining: int, clustering: int) -> NDArray[np.int64]:
        method = DEC(
            k,
            pretrain_epochs=pretraining,
            clustering_epochs=clustering,
            random_state=np.random.RandomState(0),
        )
        with contextlib.redirect_stdout(sys.stderr):  # ClustPy speaks where the note belongs
            return method.fit(rows).labels_.astype(np.int64)

    tried = points[:: max(1, min(10, len(points) // LEAST_TRIED))]
    times = []
    for epochs in (1, 1, 3):  # the first has to prepare the layers; k-means is no epoch
        begin = time.process_time()
        clusters(tried, epochs, epochs)
        times.append(time.process_time() - begin)
    epoch = max(times[2] - times[1], 1e-3) / 4 * len(points) / len(tried)
    share = min(1.0, SPENT * seconds / (epoch * (PRETRAINING + CLUSTERING)))
    epochs = [max(1, int(share * default)) for default in (PRETRAINING, CLUSTERING)]
    if share < 1:
        print(f"{epochs[0]} + {epochs[1]} of {PRETRAINING} + {CLUSTERING} epochs", flush=True)
    end_after(seconds)
    return clusters(points, *epochs)


def end_after(seconds: float) -> None:
    """End the process when it has taken so many more seconds of the processor."""
    limit = int(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10))


def main() -> None:
    method, pixels, k, seconds, gibibytes, out = sys.argv[1:]
    memory = int(float(gibibytes) * (1 << 30))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    images = np.load(Path(pixels))
    points = images.reshape(len(images), -1).astype(np.float32) / 255
    rival = {"kmeans": kmeans, "spectral": spectral, "dec": dec}[method]
    np.save(Path(out), rival(points, int(k), float(seconds)))


if __name__ == "__main__":
    main()
