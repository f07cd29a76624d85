"""A fingerprint from its parts, and the hash over them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from iic.provenance.code.identity import Identity
from iic.provenance.lock_file import lock_hash
from iic.records.files import sha256_json
from iic.records.receipt import Fingerprint

NAMING_CODE = ("method", "module")
"""Keys of params/ whose values are dotted paths of modules."""
STRICT_VARIABLE = "IIC_STRICT_ENV"
"""Set to 1, it makes the lock file a part of every fingerprint."""


def without_code_names(settings: Any) -> Any:
    """Settings without the modules that they name, at any depth.

    What ``method: iic.methods.dec.method`` or ``module: iic.data.mnist`` stands for counts as code,
    which knows no names: a method that moves to another file is the same method.
    """
    if isinstance(settings, Mapping):
        return {
            key: without_code_names(content)
            for key, content in settings.items()
            if not (key in NAMING_CODE and isinstance(content, str) and "." in content)
        }
    if isinstance(settings, list | tuple):
        return [without_code_names(content) for content in settings]
    return settings


def value_of(
    rule: str,
    code: str | Mapping[str, str],
    settings: Mapping[str, Any],
    data: Mapping[str, str],
    environment: str | None,
) -> str:
    """SHA-256 over all parts of a fingerprint.

    Args:
        rule: The verb.
        code: `Identity.value`; of a receipt from before there was one, module -> hash.
        settings: Resolved settings; names of code in them do not count beside an identity.
        data: File -> checksum.
        environment: Hash of the lock file; None where it does not count.
    """
    if isinstance(code, str):
        settings = without_code_names(settings)
    parts = {"rule": rule, "code": code, "settings": settings, "data": data}
    return sha256_json(parts if environment is None else {**parts, "environment": environment})


def make(
    rule: str,
    code: Identity,
    settings: Mapping[str, Any],
    data: Mapping[str, str],
    strict_env: bool | None,
) -> Fingerprint:
    """A fingerprint; the lock file counts where `strict_env`, or else `STRICT_VARIABLE`, says so.

    Args:
        rule: The verb.
        code: Of the job.
        settings: Resolved settings.
        data: File -> checksum.
        strict_env: Whether the lock file counts; None for what the environment says.
    """
    # through JSON and back: tuples become lists here as they do in a receipt that is read again
    plain = json.loads(json.dumps(settings))
    if strict_env is None:
        strict_env = os.environ.get(STRICT_VARIABLE) == "1"
    environment = lock_hash() if strict_env else None
    return Fingerprint(
        value=value_of(rule, code.value or {}, plain, data, environment),
        identity=code.value,
        code=code.definitions,
        settings=plain,
        data=dict(data),
        environment=environment,
    )
