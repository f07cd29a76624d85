"""Who answers for the results by a signature, and what nobody answers for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iic.params.errors import IICError
from iic.provenance.audit.excerpts import paths_of
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.signing import SigningError, Verified, verify
from iic.records import paths

NAMED = 4
"""Files that a message names one by one."""


@dataclass(frozen=True)
class Signers:
    """Whose signatures count.

    Args:
        file: Their keys, as ``ssh-keygen`` reads them.
        required: Whether it is a failure that a result has no signature.
    """

    file: Path
    required: bool = False


def signers_of(file: Path | None, required: bool) -> Signers | None:
    """What the command line asks for; None where it does not ask.

    Raises:
        IICError: Signatures are required, and of nobody.
    """
    if file is None and required:
        raise IICError("--require-signed: say whose signatures count, with --signers FILE")
    return None if file is None else Signers(file, required)


def signed_files(tree: Tree) -> dict[str, str]:
    """What a statement of this tree is about: files of the results that are here -> SHA-256."""
    names = [
        str(path)
        for job, _ in tree.present
        if job.rule not in ("download", "prepare")
        for path in (job.receipt, *job.outputs)
    ]
    names += [str(own.excerpt) for _, _, own in paths_of(tree)]
    digests = {name: tree.sha256(name) for name in names}
    return {name: digest for name, digest in digests.items() if digest is not None}


def check(tree: Tree, signers: Signers) -> Iterator[Finding]:
    """What is signed, by whom and over which commit; what is not, or is something else now."""
    files, by = signed_files(tree), dict[str, list[Verified]]()
    for path in sorted((tree.root / paths.SIGNATURES / tree.scale).glob("*.json")):
        name = path.relative_to(tree.root)
        try:
            seen = verify(name, signers.file, tree.root)
        except SigningError as error:
            yield _finding("failure", name, str(error), "take it from git again, or delete it")
            continue
        if seen.statement.predicate.scale != tree.scale:
            yield _finding("failure", name, "it is about another scale", "delete it")
        elif seen.signer is None:
            yield _finding("note", name, f"signed with a key that {signers.file} does not have")
        else:
            yield _said(files, seen)
            for file, digest in seen.statement.digests.items():
                if files.get(file) == digest:
                    by.setdefault(file, []).append(seen)
    unsigned = [file for file in files if file not in by]
    level = "failure" if signers.required else "note"
    if unsigned:
        yield _finding(
            level,
            Path(paths.RESULTS / tree.scale),
            f"{len(unsigned)} of {len(files)} files have no signature of {signers.file}: "
            + _some(unsigned),
            f"iic sign --scale {tree.scale} --key FILE, by who answers for them",
        )


def _said(files: dict[str, str], seen: Verified) -> Finding:
    predicate, digests = seen.statement.predicate, seen.statement.digests
    same = [file for file, digest in digests.items() if files.get(file) == digest]
    other = [file for file in digests if file in files and file not in same]
    tables = [Path(file).stem for file in same if "/tables/" in file and file.endswith(".csv")]
    words = (
        f"{seen.signer} signed {len(same)} of the {len(files)} files that are here, over commit "
        f"{(predicate.code.commit or 'none')[:12]}{' with changes' if predicate.code.dirty else ''}"
        f", on {predicate.at:%Y-%m-%d}, when the audit said {predicate.verdict!r}"
    )
    if tables:
        words += f"; tables: {', '.join(sorted(tables))}"
    if other:
        words += f"; {len(other)} are others now: {_some(other)}"
    return _finding("note", Path(seen.path), words)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _finding(level: str, path: Path, message: str, remedy: str | None = None) -> Finding:
    return Finding.model_validate(
        {"level": level, "kind": "signature", "path": str(path), "message": message,
         "remedy": remedy}
    )  # fmt: skip
