"""The workflow's configuration: ``snakemake --config scale=... mirror=... strict_env=...``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iic.params.base import Model
from iic.params.errors import SettingsError
from iic.params.loading import validate
from iic.params.runs import PARAMS, scale_names

PLACE = "--config"
WORDS = {"true": True, "false": False}
"""What Snakemake hands on as text: of these it knows only True and False."""


class Config(Model):
    """Everything that can be said on the command line; all else stands in ``params/``."""

    scale: str = "mini"
    """One of the files in ``params/scales/``."""
    mirror: str | None = None
    """Folder or URL that is asked first for raw files; never part of a fingerprint."""
    strict_env: bool = False
    """Whether the lock file is part of every fingerprint, so that an upgrade reruns everything."""


def read_config(values: Mapping[str, Any], params: Path = PARAMS) -> Config:
    """The configuration, checked.

    Raises:
        SettingsError: An unknown key, a wrong type, or a scale that has no file.
    """
    given = dict(values)
    if isinstance(strict := given.get("strict_env"), str):
        given["strict_env"] = WORDS.get(strict, strict)
    config = validate(Config, given, PLACE)
    names = scale_names(params)
    if config.scale not in names:
        raise SettingsError(
            PLACE,
            "scale",
            f"{config.scale!r} is no scale",
            allowed=", ".join(names),
            candidates=names,
            given=config.scale,
        )
    return config


def check_mirror(config: Config) -> None:
    """Check that a mirror of one's own is there, before anything is planned with it.

    Raises:
        SettingsError: It is neither a URL nor a folder.
    """
    mirror = config.mirror
    if mirror is None or mirror.startswith(("http://", "https://")):
        return
    if not Path(mirror.removeprefix("file://")).expanduser().is_dir():
        raise SettingsError(
            PLACE,
            "mirror",
            f"{mirror!r} is no folder",
            allowed="a folder that holds DATASET/FILE, or a URL (http://, https://)",
        )
