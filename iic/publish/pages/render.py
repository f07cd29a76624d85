"""HTML pages that are one file each: style, script and images inside, nothing loaded.

What the pages show comes from receipts, settings and messages, which may hold any text. So every
value is escaped, and a content security policy in the page itself lets nothing run or load but
the one style and the one script that it was written with.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from iic.params.escaping import visible
from iic.records.sizes import size

TEMPLATES = Path(__file__).with_name("templates")
LONGEST = 20_000
"""Characters of one text that a page shows."""


def render(template: str, **context: Any) -> bytes:
    """A page as bytes; the same context gives the same bytes.

    Args:
        template: Name of a file in `TEMPLATES`.
        **context: What the template shows. Text is escaped, unless it is `Markup`.

    Raises:
        jinja2.UndefinedError: The template shows something that is not in `context`.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        # every template is HTML, whatever its name ends in
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"size": size, "moment": moment, "duration": duration, "kind": kind}
    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")
    )
    page = environment.get_template(template).render(
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        **context,
    )
    return page.encode()


def data_uri(content: bytes, media_type: str) -> Markup:
    """`content` as an address that holds it, e.g. for an image."""
    return Markup(f"data:{media_type};base64,{base64.b64encode(content).decode()}")


def moment(time: datetime) -> str:
    """A time to the minute, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def duration(seconds: float) -> str:
    """Seconds as ``2 h 28 min``, ``3 min 5 s`` or ``0.49 s``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def kind(value: Any) -> str:
    """How a template shows a JSON value: ``mapping``, ``table``, ``list`` or ``text``."""
    if isinstance(value, Mapping):
        return "mapping"
    if isinstance(value, list | tuple):
        return "table" if value and all(isinstance(part, Mapping) for part in value) else "list"
    return "text"


def _shown(value: Any) -> Any:
    """A text that no browser chokes on, and of which nothing is obeyed or hidden.

    So a change of the direction of writing is a visible escape. What this package wrote itself,
    as `Markup`, stays as it is.
    """
    if type(value) is not str:
        return value
    if len(value) > LONGEST:
        value = f"{value[:LONGEST]} ... ({len(value):,} characters)"
    return visible(value)


def _policy(style: str, script: str) -> str:
    allowed = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _hashed(style),
        "script-src": _hashed(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{what} {where}" for what, where in allowed.items())


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
