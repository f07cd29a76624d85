"""Own images: `iic fit` against k-means, spectral clustering and DEC, on one folder, in one time.

Each method has one thread, a process of its own, and the same minutes of processor time: others may
use the machine, and by the clock the minutes of one method would be worth more than another's.
`iic fit` turns its minutes into epochs by a measured step; here the clock of that measurement is
the processor's. Reading files and the answers for all images come on top of its minutes; a rival
begins with the pixels that `iic fit` has read, at its working size. A rival that is not done in
time is ended, and its row says so. Labels are the names of the subfolders, and only score.

Folders of real images are written first, a png for each image in a subfolder for each label: all of
MNIST, CIFAR10 (2,000, drawn once), scikit-learn's digits. They come from data that are prepared in
this clone (`iic download`, `iic prepare`).

ClustPy is no dependency of this project. benchmarks/clustpy_crosscheck.py says how it is installed.

Run: OMP_NUM_THREADS=1 python -m benchmarks.own_images --data mnist [--minutes 5] [--methods ...]
     [--clustpy PYTHON] [--work DIR]
  or the same with --folder DIR [--k N]
     python -m benchmarks.own_images --page
Results are added to benchmarks/own_images.json, a method of a folder in place of its last one.
`--page` writes them into docs/own_images.md. In a folder `--work` a fit that was stopped goes on.
"""

from __future__ import annotations

import argparse
import datetime
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.own_results import DATA, METHODS, row, write_page, written
from iic.data.load import load
from iic.own.choice import Wishes, working_side
from iic.own.explain import read_assignments
from iic.own.findings import stable
from iic.own.fit import fit
from iic.own.labels import Labels, Scores, scores
from iic.own.model import FitRequest, OwnModel
from iic.own.reading import Images, collect, scan
from iic.own.sources import listing
from iic.provenance.environment import environment
from iic.records.files import write_text

PHOTOGRAPHS = 2000
SPENT = "seconds.txt"
"""File of a fit's processor seconds, beside its model."""
GIBIBYTES = 10
"""Memory that a rival may have."""


class Outcome(NamedTuple):
    """What a method gave.

    Args:
        clusters: Of each image, in the order of the pixels; None where there are none.
        note: Why there are none, or what is to be known.
        seconds: Of the processor.
    """

    clusters: NDArray[np.int64] | None
    note: str
    seconds: float


def write_folder(folder: Path, name: str, root: Path) -> None:
    """A png for each image of a prepared dataset, in a subfolder for each label."""
    data = load(name, root)
    numbers = np.arange(len(data.images))
    if name == "cifar10":
        numbers = np.sort(np.random.default_rng(0).choice(numbers, PHOTOGRAPHS, replace=False))
    assert data.labels is not None
    for number in numbers:
        pixels = np.moveaxis(data.images[number], 0, 2)
        path = folder / data.manifest.classes[data.labels[number]] / f"{number:05d}.png"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path)


def read(folder: Path, work: Path) -> Images:
    """All images as `iic fit` reads them, their pixels in `work`."""
    scanned = scan(listing(folder))
    channels = 3 if scanned.has_colour() else 1
    side = working_side(scanned.side, channels, Wishes())
    return collect(scanned, side, channels, work / "pixels.npy")


def fitted(folder: Path, names: list[str], work: Path, k: int, minutes: float) -> Outcome:
    """Clusters by `iic fit`, in a process of its own."""
    out = work / "model"
    command = [sys.executable, "-m", "benchmarks.own_images", "--folder", str(folder.resolve())]
    command += ["--k", str(k), "--minutes", str(minutes), "--fit-into", str(out)]
    subprocess.run(command, check=True)
    model = OwnModel(out)
    agreed = model.receipt.stability.ari
    steps = " + ".join(f"{seed.steps:,}" for seed in model.receipt.seeds)
    note = f"{steps} steps; seeds agree by {agreed:.2f}"
    if not stable(model.receipt.stability):
        note += "; says: no stable clustering"
    table = read_assignments(model).set_index("path")
    seconds = float((work / SPENT).read_text())
    return Outcome(table["cluster"].loc[names].to_numpy(), note, seconds)


def fit_by_processor_time(source: Path, k: int, minutes: float, out: Path) -> None:
    """`iic fit` on one thread; its seconds are added to those of earlier calls."""
    wishes = Wishes(threads=1)
    request = FitRequest(source=str(source), k=k, minutes=minutes, wishes=wishes)
    try:
        fit(request, out, clock=time.process_time)
    finally:
        spent = out.with_name(SPENT)
        before = float(spent.read_text()) if spent.exists() else 0.0
        write_text(spent, f"{before + time.process_time():.1f}\n")


def rival(method: str, python: str, work: Path, k: int, minutes: float) -> Outcome:
    """Clusters by a method in a process of its own."""
    out = work / f"{method}.npy"
    script = str(Path(__file__).with_name("own_rivals.py"))
    command = [python if method == "dec" else sys.executable, script, method]
    command += [str(work / "pixels.npy"), str(k), str(60 * minutes), str(GIBIBYTES), str(out)]
    before = _children()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return Outcome(None, f"ClustPy is not installed: no {python}", 0.0)
    seconds = _children() - before
    if not done.returncode:
        return Outcome(np.load(out), done.stdout.strip(), seconds)
    last = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
    note = f"failed: {last[0]}"
    if done.returncode == -signal.SIGXCPU:
        note = f"not done after {minutes:g} min"
    elif "MemoryError" in done.stderr or "bad_alloc" in done.stderr:
        note = f"needs more than {GIBIBYTES} GiB of memory"
    return Outcome(None, note, seconds)


def compared(
    name: str,
    folder: Path,
    methods: list[str],
    k: int | None,
    minutes: float,
    python: str,
    work: Path,
) -> Iterator[dict[str, Any]]:
    """A line of the results for each method; pixels and models lie in `work`."""
    work.mkdir(parents=True, exist_ok=True)
    images = read(folder, work)
    classes, indices = np.unique([str(one) for one in images.labels], return_inverse=True)
    labels = Labels(np.arange(len(indices)), list(classes), indices, 0)
    count = k or len(classes)
    for method in methods:
        if method == "iic":
            outcome = fitted(folder, images.names, work, count, minutes)
        else:
            outcome = rival(method, python, work, count, minutes)
        line: dict[str, Any] = {
            "data": name,
            "images": len(images.names),
            "k": count,
            "method": method,
            "budget_minutes": minutes,
            "cpu_minutes": round(outcome.seconds / 60, 2),
            "load": round(os.getloadavg()[0], 1),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "note": outcome.note,
            "scores": None,
        }
        if outcome.clusters is not None:
            said: Scores = scores(method, outcome.clusters, labels, count)
            line["scores"] = {
                key: round(float(value), 2)
                for key, value in said._asdict().items()
                if key != "name"
            }
        yield line | machine()


def machine() -> dict[str, Any]:
    """What a line says of hardware and versions."""
    here = environment(1)
    versions = {name: here.packages[name] for name in ("torch", "scikit-learn", "numpy")}
    return {"processor": here.cpu, "threads": 1, "python": here.python, "versions": versions}


def _children() -> float:
    """Processor seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=[])
    parser.add_argument("--folder", type=Path, help="of one's own, with a subfolder a label")
    parser.add_argument("--k", type=int, help="clusters; as many as subfolders if not given")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--clustpy", default="scratch/clustpy/bin/python", metavar="PYTHON")
    parser.add_argument("--root", type=Path, default=Path(), help="clone with prepared data")
    parser.add_argument("--work", type=Path, help="keeps folders, pixels and models")
    parser.add_argument("--page", action="store_true", help="write the table of the docs")
    parser.add_argument("--fit-into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit_into:
        fit_by_processor_time(options.folder, options.k, options.minutes, options.fit_into)
        return
    if not (options.data or options.folder or options.page):
        parser.error("--data, --folder or --page is needed")
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        folders = {name: work / "images" / name for name in options.data}
        for name, folder in folders.items():
            write_folder(folder, name, options.root)
        if options.folder:
            folders[options.folder.name] = options.folder
        for name, folder in folders.items():
            lines = compared(
                name,
                folder,
                options.methods,
                options.k,
                options.minutes,
                options.clustpy,
                work / name,
            )
            for line in lines:
                written(line)
                print(row(line), flush=True)
    if options.page:
        write_page()


if __name__ == "__main__":
    main()
