"""Signed statements: who answers for which files of a scale's results, over which commit.

A statement is an in-toto Statement (v1): its subjects are the receipts, tables, figures and
weights that are here, by SHA-256; its predicate is what the audit said. It is signed by
``ssh-keygen -Y sign``, with the key that its owner signs commits with and that git hosts publish.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from iic.params.base import Model
from iic.params.errors import IICError
from iic.provenance.audit.report import AuditReport, Checked, Verdict
from iic.provenance.environment import environment
from iic.records import paths
from iic.records.files import dump_json, regular_file, sha256_bytes, write_bytes
from iic.records.receipt import SHA256, Code, Environment, InClone

NAMESPACE = "iic-results"
"""Of the signature: no signature of a commit or a mail is taken for one of results."""
SECONDS = 60
LARGEST = 2**26
"""Bytes of a statement; one of scale paper has a few hundred thousand."""


class SigningError(IICError):
    """Results cannot be signed, or a signature cannot be verified."""


class Digest(Model):
    """Hash of a subject."""

    sha256: str = Field(pattern=SHA256)


class Subject(Model):
    """A file that is signed."""

    name: InClone
    digest: Digest


class Predicate(Model):
    """What the signer saw."""

    scale: str
    at: AwareDatetime
    verdict: Verdict
    checked: Checked
    code: Code
    environment: Environment


class Statement(Model):
    """The whole file."""

    model_config = ConfigDict(populate_by_name=True)

    type: Literal["https://in-toto.io/Statement/v1"] = Field(
        "https://in-toto.io/Statement/v1", alias="_type"
    )
    subject: list[Subject]
    predicate_type: Literal["urn:iic:audit:1"] = Field("urn:iic:audit:1", alias="predicateType")
    predicate: Predicate

    @property
    def digests(self) -> dict[str, str]:
        """File -> SHA-256."""
        return {subject.name: subject.digest.sha256 for subject in self.subject}

    @property
    def content(self) -> bytes:
        """The bytes that are signed."""
        return dump_json(self.model_dump(mode="json", by_alias=True)).encode()


def statement(report: AuditReport, files: dict[str, str], root: Path = Path()) -> Statement:
    """What is to be signed.

    Args:
        report: The audit of the scale.
        files: File -> SHA-256.
        root: Root of the clone.

    Raises:
        SigningError: The audit failed, or there is nothing to sign.
    """
    if report.verdict not in ("verified", "drifted"):
        raise SigningError(
            f"scale {report.scale!r} is not signed, since the audit says {report.verdict!r}: "
            f"{report.sentence}\n  remedy: iic audit --scale {report.scale}"
        )
    if report.code.commit is None:
        raise SigningError("the code has no commit here, so that nobody could say what was signed")
    subjects = [
        Subject(name=name, digest=Digest(sha256=digest)) for name, digest in sorted(files.items())
    ]
    predicate = Predicate(
        scale=report.scale,
        at=report.at,
        verdict=report.verdict,
        checked=report.checked,
        code=report.code,
        environment=environment(1, root),
    )
    return Statement(subject=subjects, predicate=predicate)


def sign(what: Statement, key: Path, root: Path = Path()) -> Path:
    """Sign a statement and write both files.

    Args:
        what: The statement.
        key: A private key of SSH, or the public one where an agent has the private.
        root: Root of the clone.

    Returns:
        The statement's path, relative to `root`; the signature lies beside it.

    Raises:
        SigningError: There is no ssh-keygen, or it refuses.
        RecordError: The files cannot be written.
    """
    content = what.content
    path = paths.statement(what.predicate.scale, sha256_bytes(content)[:16])
    with tempfile.TemporaryDirectory(prefix="iic-sign-") as folder:
        file = Path(folder) / "statement"
        file.write_bytes(content)
        # it may ask for a passphrase, at the terminal
        _keygen(["sign", "-f", str(key), "-n", NAMESPACE, str(file)], b"", seconds=None)
        signature = file.with_name("statement.sig").read_bytes()
    write_bytes(root / paths.signature_of(path), signature)
    write_bytes(root / path, content)
    return path


class Verified(Model):
    """A statement, and who signed it."""

    path: str
    signer: str | None
    """As the file of signers names them; None where it has no such key."""
    statement: Statement


def verify(path: Path, signers: Path, root: Path = Path()) -> Verified:
    """Whose a statement is.

    Args:
        path: The statement, relative to `root`.
        signers: Whose keys count, as ``ssh-keygen`` has it (ALLOWED SIGNERS in its manual): a line
            each, ``alice ssh-ed25519 AAAA...``.
        root: Root of the clone.

    Raises:
        SigningError: The signature is none of this statement, or either is no such file.
    """
    try:
        content, signature = (_read(root / each) for each in (path, paths.signature_of(path)))
    except OSError as error:
        raise SigningError(f"{error.filename or path}: cannot be read: {error.strerror}") from None
    try:
        parsed = Statement.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise SigningError(f"{path}: {key}: {first['msg']}: no statement of results") from None
    with tempfile.TemporaryDirectory(prefix="iic-sign-") as folder:
        file = Path(folder) / "signature"
        file.write_bytes(signature)
        try:
            _keygen(["check-novalidate", "-n", NAMESPACE, "-s", str(file)], content)
        except SigningError as error:
            raise SigningError(f"{path}: not what was signed: {error}") from None
        try:
            named = _keygen(["find-principals", "-s", str(file), "-f", str(signers)], content)
            signer = named.splitlines()[0]
            _keygen(
                ["verify", "-f", str(signers), "-I", signer, "-n", NAMESPACE, "-s", str(file)],
                content,
            )
        except (SigningError, IndexError):
            return Verified(path=path.as_posix(), signer=None, statement=parsed)
    return Verified(path=path.as_posix(), signer=signer, statement=parsed)


def _read(path: Path) -> bytes:
    with regular_file(path) as file:
        return file.read(LARGEST)


def _keygen(arguments: list[str], given: bytes, seconds: int | None = SECONDS) -> str:
    try:
        done = subprocess.run(
            ["ssh-keygen", "-Y", *arguments],
            input=given,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SigningError(f"ssh-keygen cannot be asked: {error}; it comes with OpenSSH") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise SigningError(f"ssh-keygen: {said[-1] if said else done.returncode}")
    return done.stdout.decode(errors="replace")
