"""Own images: `iic fit` against k-means, spectral clustering and DEC, on one folder, in one time.

Each method gets the same minutes and the same threads, in a process of its own; one that is not
done then is ended, and its row says so. The rivals cluster the pixels that `iic fit` reads, at its
working size. Labels are the names of the subfolders, and only score.

- IIC: `iic fit` as it comes, the minutes for all of its seeds.
- k-means: scikit-learn, 10 restarts.
- spectral clustering: scikit-learn, affinity by 10 nearest neighbours.
- DEC: ClustPy's, as it comes, where ClustPy is installed (it is no dependency of this project).

Run: python -m benchmarks.own_images --folder DIR [--minutes 5] [--k N] [--methods ...] [--out FILE]
     [--idx IMAGES LABELS | --digits]
With `--idx` (MNIST's files, gzipped or not) or `--digits` (scikit-learn's) DIR is written first, a
png for each image in a subfolder for each label; what is there already is left as it is.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from iic.own.choice import Wishes, working_side
from iic.own.explain import read_assignments
from iic.own.fit import fit
from iic.own.labels import Labels, Scores, scores
from iic.own.model import FitRequest
from iic.own.reading import Images, collect, scan
from iic.own.sources import listing

METHODS = ("iic", "kmeans", "spectral", "dec")
HEADER = """| method | ACC one-to-one | purity | NMI | ARI | seconds |
|---|---:|---:|---:|---:|---:|"""


def idx_array(path: Path) -> NDArray[np.uint8]:
    content = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, 4).tolist()
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def written(folder: Path, images: NDArray[np.uint8], labels: NDArray[Any], first: int = 0) -> None:
    """A png for each image, in a subfolder for each label."""
    for index, (image, label) in enumerate(zip(images, labels, strict=True), start=first):
        path = folder / str(label) / f"{index:05d}.png"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)


def digits(folder: Path) -> None:
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.rint(data.images * (255 / 16)).astype(np.uint8).repeat(2, 1).repeat(2, 2)
    written(folder, images, data.target)


def rival(method: str, points: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    if method == "kmeans":
        from sklearn.cluster import KMeans

        return KMeans(k, n_init=10, random_state=0).fit_predict(points).astype(np.int64)
    if method == "spectral":
        from sklearn.cluster import SpectralClustering

        own = SpectralClustering(
            k, affinity="nearest_neighbors", n_neighbors=10, random_state=0, n_jobs=-1
        )
        return own.fit_predict(points).astype(np.int64)
    from clustpy.deep import DEC

    return DEC(k, random_state=np.random.RandomState(0)).fit(points).labels_.astype(np.int64)


def worker(method: str, pixels: Path, k: int, out: Path) -> None:
    images = np.load(pixels)
    np.save(out, rival(method, images.reshape(len(images), -1).astype(np.float32) / 255, k))


def read(folder: Path, work: Path) -> Images:
    """All images as `iic fit` reads them."""
    scanned = scan(listing(folder))
    channels = 3 if scanned.has_colour() else 1
    side = working_side(scanned.side, channels, Wishes())
    return collect(scanned, side, channels, work / "pixels.npy")


def own_clusters(folder: Path, names: list[str], work: Path, k: int, minutes: float) -> Any:
    request = FitRequest(source=str(folder.resolve()), k=k, minutes=minutes)
    table = read_assignments(fit(request, work / "model")).set_index("path")
    return table["cluster"].loc[names].to_numpy()


def rival_clusters(method: str, work: Path, k: int, minutes: float) -> Any:
    """Clusters by a method in a process of its own, or why there are none."""
    if method == "dec" and find_spec("clustpy") is None:
        return "ClustPy is not installed"
    out = work / f"{method}.npy"
    command = [sys.executable, "-m", "benchmarks.own_images", "--worker", method]
    command += ["--pixels", str(work / "pixels.npy"), "--k", str(k), "--out", str(out)]
    try:
        subprocess.run(command, check=True, timeout=60 * minutes)
    except subprocess.TimeoutExpired:
        return f"not done after {minutes:g} minutes"
    except subprocess.CalledProcessError as error:
        return f"failed with status {error.returncode}"
    return np.load(out)


def compared(
    folder: Path, methods: Sequence[str], k: int | None, minutes: float
) -> Iterator[tuple[str, Scores | str, float]]:
    """For each method its scores, or why there are none, and its seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        images = read(folder, work)
        classes, indices = np.unique([str(one) for one in images.labels], return_inverse=True)
        labels = Labels(np.arange(len(indices)), list(classes), indices, 0)
        count = k or len(classes)
        for method in methods:
            begin = time.monotonic()
            if method == "iic":
                said = own_clusters(folder, images.names, work, count, minutes)
            else:
                said = rival_clusters(method, work, count, minutes)
            seconds = time.monotonic() - begin
            if not isinstance(said, str):
                said = scores(method, said, labels, count)
            yield method, said, seconds


def row(method: str, said: Scores | str, seconds: float) -> str:
    if isinstance(said, str):
        return f"| {method} | {said} | | | | |"
    numbers = (said.one_to_one, said.many_to_one, said.nmi, said.ari)
    return f"| {said.name} | {' | '.join(f'{one:.2f}' for one in numbers)} | {seconds:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--k", type=int, help="clusters; as many as subfolders if not given")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--idx", nargs=2, type=Path, action="append", default=[])
    parser.add_argument("--digits", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON lines of the same, added to the end")
    parser.add_argument("--worker", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--pixels", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.pixels, options.k, options.out)
        return
    if options.folder is None:
        parser.error("--folder is needed")
    first = 0
    for images, labels in options.idx:
        pixels = idx_array(images)
        written(options.folder, pixels, idx_array(labels), first)
        first += len(pixels)
    if options.digits:
        digits(options.folder)
    print(HEADER)
    compare = compared(options.folder, options.methods, options.k, options.minutes)
    for method, said, seconds in compare:
        print(row(method, said, seconds), flush=True)
        if options.out:
            own = said if isinstance(said, str) else said._asdict()
            line = {"folder": str(options.folder), "minutes": options.minutes, "method": method}
            line |= {"said": own, "seconds": round(seconds, 1)}
            with options.out.open("a") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
