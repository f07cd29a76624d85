"""What a server's answer means: the file, to be asked again, or nothing to be had from it.

Whatever is said in an answer was said by somebody else. It is read as strictly as it is defined.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from iic.data.files import SourceFailure, discard, wrong_size
from iic.params.datasets import KnownFile
from iic.params.escaping import quoted


class Session(requests.Session):
    """Follows an answer to another address, but never to a less safe one.

    Args:
        redirects: Addresses in a row that answers may send one to.
    """

    def __init__(self, redirects: int) -> None:
        super().__init__()
        self.max_redirects = redirects
        # a server that compresses on the way would make sizes and ranges meaningless
        self.headers["Accept-Encoding"] = "identity"

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where an answer sends one; None where it sends one nowhere.

        Raises:
            SourceFailure: To a place that is refused.
        """
        target: str | None = super().get_redirect_target(resp)
        if target is None:
            return None
        try:
            scheme = urlsplit(urljoin(resp.url, target)).scheme
        except ValueError as error:
            raise SourceFailure(f"sends one on to {quoted(target)}: {error}") from error
        if scheme not in ("http", "https"):
            raise SourceFailure(f"sends one on to {quoted(target)}, which is no web server")
        if scheme == "http" and urlsplit(resp.url).scheme == "https":
            raise SourceFailure(f"sends one on to {quoted(target)}, from https to plain http")
        return target


def length(response: requests.Response) -> int | None:
    """Bytes that an answer announces; None where it announces no number of them."""
    announced = response.headers.get("Content-Length", "")
    return int(announced) if re.fullmatch("[0-9]{1,18}", announced) else None


class BrokenOff(Exception):
    """An attempt ended early for a reason that may pass."""


def accepted_offset(
    response: requests.Response, offset: int, expected: KnownFile, part: Path
) -> int:
    """Where the bytes of this answer belong: at `offset` when the range was granted, else at 0."""
    status = response.status_code
    if status == 200:
        return 0
    if status == 206 and offset:
        granted = response.headers.get("Content-Range", "")
        if re.fullmatch(rf"bytes {offset}-\d+/({expected.size}|\*)", granted.strip()):
            return offset
        # the file there has another length, or the server miscounts: nothing to append
        discard(part)
        raise BrokenOff(f"grants another range than asked for ({quoted(granted) or 'none named'})")
    if status == 416 and offset:
        discard(part)
        raise BrokenOff("refuses to go on from where the transfer broke off")
    raise refusal(response)


def refusal(response: requests.Response) -> Exception:
    """What an answer without the file means: to be asked again, or nothing to be had."""
    text = f"HTTP {response.status_code} {quoted(response.reason or '')}".strip()
    if response.status_code in {408, 425, 429} or response.status_code >= 500:
        return BrokenOff(text)
    return SourceFailure(text)


def refuse_other_content(response: requests.Response, first: bytes, expected: KnownFile) -> None:
    """Refuse a page, or a file of another length, before it replaces what has arrived."""
    if page := html_page(first):
        raise SourceFailure(f"{page} with status 200 in place of the file")
    announced = length(response)
    if announced is not None and announced != expected.size:
        raise SourceFailure(wrong_size(announced, expected))


def html_page(first: bytes) -> str | None:
    """What to call an HTML page that begins with `first`; None where it is something else."""
    start = first.lstrip(b"\xef\xbb\xbf \t\r\n")[:1024]
    if not re.match(rb"<(!doctype html|html|head|body)\b", start, re.IGNORECASE):
        return None
    title = re.search(rb"<title[^>]*>(.*?)</title>", first, re.IGNORECASE | re.DOTALL)
    named = f" ({quoted(title[1].decode(errors='replace').strip(), 80)!r})" if title else ""
    return f"an HTML page{named}"
