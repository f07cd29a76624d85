"""Where everything lies, relative to the root of the clone.

The workflow's rules spell the same patterns; tests/workflow holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DATA = Path("data")
RAW = DATA / "raw"
PREPARED = DATA / "prepared"
RESULTS = Path("results")
SCRATCH = Path("scratch")
LOGS = Path("logs")
SIGNATURES = Path("signatures")


def raw_folder(dataset: str) -> Path:
    """Folder of a dataset's raw files."""
    return RAW / dataset


def raw_manifest(dataset: str) -> Path:
    """List of a dataset's raw files with their checksums."""
    return RAW / dataset / "files.json"


def prepared_manifest(dataset: str) -> Path:
    """Description of a dataset's prepared arrays."""
    return PREPARED / dataset / "data.json"


def prepared_arrays(dataset: str) -> tuple[Path, Path]:
    """Images of a prepared dataset, and their labels, which a dataset may lack."""
    folder = PREPARED / dataset
    return folder / "images.npy", folder / "labels.npy"


def receipt_of(output: Path) -> Path:
    """Receipt beside the output of any job other than train."""
    return output.with_suffix(".run.json")


def check_of(receipt: Path) -> Path:
    """What a later job found that came out as `receipt` says already; outside git."""
    return LOGS / "checks" / receipt


@dataclass(frozen=True)
class RunPaths:
    """The files of one training run.

    Args:
        scale: Name of the scale, e.g. ``mini``.
        run: ``<dataset>/<method>[-<variant>]``, e.g. ``digits/iic``.
        seed: Seed of the run.
    """

    scale: str
    run: str
    seed: int

    @property
    def _tail(self) -> Path:
        return Path(self.run) / f"seed{self.seed}"

    @property
    def folder(self) -> Path:
        """Small files, in git at measured scales."""
        return RESULTS / self.scale / "runs" / self._tail

    @property
    def artifacts(self) -> Path:
        """Large files, versioned by DVC."""
        return RESULTS / self.scale / "artifacts" / self._tail

    @property
    def scratch(self) -> Path:
        """Checkpoints of an unfinished run; never an output, since Snakemake deletes those."""
        return SCRATCH / self.scale / self._tail

    @property
    def log(self) -> Path:
        """The training job's log, where the workflow runs it."""
        return LOGS / self.scale / "train" / self._tail.with_suffix(".log")

    @property
    def evaluation_log(self) -> Path:
        """The log of the job that scores it."""
        return LOGS / self.scale / "evaluate" / self._tail.with_suffix(".log")

    @property
    def receipt(self) -> Path:
        """The training job's receipt."""
        return self.folder / "run.json"

    @property
    def history(self) -> Path:
        """One line an epoch."""
        return self.folder / "history.jsonl"

    @property
    def assignments(self) -> Path:
        """Cluster of every image, by checkpoint and sub-head."""
        return self.folder / "assignments.parquet"

    @property
    def evaluation(self) -> Path:
        """Metrics and selections."""
        return self.folder / "evaluation.json"

    @property
    def weights(self) -> Path:
        """Network weights of each checkpoint."""
        return self.artifacts / "weights.safetensors"

    @property
    def excerpt(self) -> Path:
        """The part of the weights that predictions come from, where somebody put it into git."""
        return self.folder / "excerpt.safetensors"

    @property
    def probabilities(self) -> Path:
        """Cluster probabilities of every image at the last checkpoint."""
        return self.artifacts / "probabilities.parquet"

    @property
    def snapshots(self) -> Path:
        """Cluster probabilities of every image at chosen steps, where a figure needs them."""
        return self.artifacts / "snapshots.parquet"


def table(scale: str, name: str) -> Path:
    """Tidy csv of a table; md, tex, sources and receipt lie beside it."""
    return RESULTS / scale / "tables" / f"{name}.csv"


def partial_table(scale: str, name: str) -> Path:
    """Tidy csv of a table that could not be finished; md, tex and sources lie beside it.

    No part of the results: nothing is made from it, and it goes when the table itself is made.
    """
    return RESULTS / scale / "partial" / f"{name}.csv"


def table_files(csv: Path) -> tuple[Path, Path, Path, Path]:
    """The csv of a table with its other forms: md, tex and the list of sources."""
    return csv, csv.with_suffix(".md"), csv.with_suffix(".tex"), sources_of(csv)


def data_log(rule: str, dataset: str) -> Path:
    """Log of ``download`` or ``prepare`` of a dataset, where the workflow runs it."""
    return LOGS / rule / f"{dataset}.log"


def figure(scale: str, name: str) -> Path:
    """Vector form of a figure; png, sources and receipt lie beside it."""
    return RESULTS / scale / "figures" / f"{name}.svg"


def sources_of(output: Path) -> Path:
    """Map from the cells of a table, or the series of a figure, to receipts."""
    return output.with_suffix(".sources.json")


def audit_report(scale: str) -> Path:
    """Result of the last audit."""
    return RESULTS / scale / "audit.json"


def own_audit_report(scale: str) -> Path:
    """Result of the last audit that somebody made for himself, beside results that git keeps."""
    return LOGS / scale / "audit.json"


def audit_page(scale: str) -> Path:
    """The same for a reader."""
    return audit_report(scale).with_suffix(".html")


def report_page(scale: str) -> Path:
    """Everything that a scale shows, in one page; its receipt lies beside it."""
    return RESULTS / scale / "report.html"


def statement(scale: str, name: str) -> Path:
    """What somebody signed of a scale; `name` is the start of its hash."""
    return SIGNATURES / scale / f"{name}.json"


def signature_of(statement: Path) -> Path:
    """The signature of a statement."""
    return statement.with_name(f"{statement.name}.sig")
