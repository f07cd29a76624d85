"""What `iic restore` asks of DVC: to bring back what dvc.lock names, and to say plainly why not."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from iic.params.errors import IICError, nearest
from iic.params.runs import Plan

log = logging.getLogger(__name__)

LOCK = "dvc.lock"
PARTIAL = re.compile(r"failed to transfer|files? failed to download")
"""What DVC says where the remote answers, and lacks some of the files."""
LACKING = "Some of the cache files do not exist"
"""What DVC says where not even the lists of files are there."""


class RestoreError(IICError):
    """The results cannot be restored."""


@dataclass(frozen=True)
class Pulled:
    """What came of a look at the remote."""

    from_remote: str | None
    """Its name; None where there was none to look at."""
    reason: str = ""
    """Why nothing, or not everything, could be brought; empty where all came."""


def pull(plan: Plan, root: Path = Path(), remote: str | None = None) -> Pulled:
    """``dvc pull`` of the scale's stages and its data, where DVC is in use.

    What was never pushed is no error: tables can be verified without artifacts, and data can be
    obtained again.

    Args:
        plan: What the scale holds.
        root: Root of the clone.
        remote: Name of the remote; DVC's default, or the only one there is, when None.

    Raises:
        RestoreError: `remote` was named and cannot be used; several remotes and no default;
            dvc.lock is damaged; or DVC failed.
    """
    reason = _unusable(root)
    if reason is None:
        chosen, reason = _choose(root, remote)
    if reason is not None:
        if remote is not None:
            raise RestoreError(f"--remote {remote}: {reason}")
        log.info("nothing is pulled, since %s", reason)
        return Pulled(None, reason)
    stages = _stages(plan, root)
    if not stages:
        reason = f"{LOCK} names no stage of scale {plan.scale.name!r}"
        log.info("nothing is pulled, since %s", reason)
        return Pulled(None, reason)
    done = call_dvc(root, "pull", "--allow-missing", "--remote", chosen, *stages)
    said = done.stdout + done.stderr
    if done.returncode:
        if not PARTIAL.search(said):
            raise RestoreError(
                f"dvc pull from remote {chosen!r} failed:\n{said.strip()[-3000:]}\n"
                "  remedy: mend that, or verify what is here with: iic restore --no-pull"
            )
        # DVC has fetched what there is, and put nothing in its place
        placed = call_dvc(root, "checkout", "--allow-missing", *stages)
        if placed.returncode:
            raise RestoreError(f"dvc checkout failed:\n{placed.stdout}{placed.stderr}")
    if done.returncode or LACKING in said:
        reason = (
            f"remote {chosen!r} lacks some of what {LOCK} names; whoever has the files can give "
            f"them with: dvc --wait-for-lock push --remote {chosen}"
        )
        log.warning("%s", reason)
        return Pulled(chosen, reason)
    return Pulled(chosen)


def call_dvc(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run DVC, which waits for its turn where another DVC holds the clone (trap H8)."""
    return call([sys.executable, "-m", "dvc", "--wait-for-lock", *arguments], root)


def call(
    command: Sequence[str], root: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command at the root of the clone, with this very Python in front.

    Args:
        command: Program and arguments.
        root: Root of the clone.
        environment: Variables beside those of this process.

    Raises:
        RestoreError: It cannot be started.
    """
    # the rules call `python -m iic`, also where the environment is not activated
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        return subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "PATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise RestoreError(f"{command[0]} cannot be started: {error}") from error


def _unusable(root: Path) -> str | None:
    """Why DVC has nothing to say here; None where it may have."""
    if not (root / ".dvc").is_dir():
        return "DVC is not in use here: there is no .dvc/"
    if not (root / LOCK).is_file():
        return f"there is no {LOCK}: no results have been committed with DVC"
    if importlib.util.find_spec("dvc") is None:
        return "dvc is not installed here: run `make setup`, and activate .venv"
    return None


def _choose(root: Path, asked: str | None) -> tuple[str, str | None]:
    """Name of the remote to pull from; or why there is none."""
    # `dvc remote list` breaks its lines to fit the terminal; this does not
    listed = call_dvc(root, "config", "--list")
    if listed.returncode:
        raise RestoreError(f"dvc config --list failed:\n{listed.stdout}{listed.stderr}")
    names = list(dict.fromkeys(re.findall(r"^remote\.(.+)\.url=", listed.stdout, re.MULTILINE)))
    default = re.findall(r"^core\.remote=(.+)$", listed.stdout, re.MULTILINE)
    configured = f"known here: {', '.join(names)}" if names else "none is configured here"
    if asked is not None and asked not in names:
        hint = nearest(asked, names)
        return "", (
            f"there is no remote of that name; {configured}"
            + (f"\n  did you mean: {hint}?" if hint else "")
            + f"\n  remedy: dvc remote add {asked} FOLDER_OR_URL (see docs/dvc.md)"
        )
    if asked is not None:
        return asked, None
    if not names:
        return "", "no DVC remote is configured (dvc remote add --default NAME FOLDER_OR_URL)"
    if not default and len(names) > 1:
        raise RestoreError(
            f"several DVC remotes and no default: choose one with --remote; {configured}"
        )
    return (default or names)[-1], None


def _stages(plan: Plan, root: Path) -> list[str]:
    """Stages of the scale, and of its data, that dvc.lock knows.

    Raises:
        RestoreError: dvc.lock cannot be read, as after a merge with conflicts.
    """
    try:
        content: Any = yaml.safe_load((root / LOCK).read_text(encoding="utf-8"))
        locked = list(content["stages"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else "not a lock file"
        raise RestoreError(
            f"{LOCK}: cannot be read: {first}\n"
            "  after a merge with conflicts: see docs/dvc.md, Merging two people's runs"
        ) from None
    of_datasets = {f"data@{dataset}" for dataset in plan.datasets}
    kinds = {f"{kind}@{plan.scale.name}" for kind in ("runs", "tables", "figures", "audit")}
    return [stage for stage in locked if stage in of_datasets | kinds]
