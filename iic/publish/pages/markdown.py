"""Markdown of this project's own files as HTML that can stand inside a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

KEPT = re.compile(r"</?su[bp]>")
"""The only tags that the files use."""


Link = Callable[[str], str | None]
"""Target of a link in a file -> target in the page; None shows its text without a link."""


def no_link(target: str) -> None:
    """Links of a file that has no place beside the page."""


def to_html(text: str, level: int, link: Link = no_link) -> Markup:
    """HTML of a text.

    Args:
        text: Markdown with GitHub's tables.
        level: Rank of its highest heading in the page, 1 to 6.
        link: Where links lead.
    """
    parser = MarkdownIt("commonmark").enable("table")
    parser.add_render_rule("html_inline", _tag)
    parser.add_render_rule("html_block", _tag)
    tokens = parser.parse(text)
    ranks = [int(heading.tag[1]) for heading in tokens if heading.type == "heading_open"]
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) - min(ranks) + level, 6)}"
        elif token.type == "th_open":
            token.attrSet("scope", "col")
        if token.type in ("th_open", "td_open"):
            _aligned(token)
        if token.children:
            token.children = _linked(token.children, link)
    return Markup(parser.renderer.render(tokens, parser.options, {}))


def _tag(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    text = tokens[index].content
    return text if KEPT.fullmatch(text) else str(escape(text))


def _aligned(token: Token) -> None:
    """A class in place of a style, which the page's policy forbids."""
    style = str(token.attrs.pop("style", ""))
    if style.endswith(("right", "center")):
        token.attrSet("class", style.rsplit(":", 1)[1])


def _linked(children: list[Token], link: Link) -> list[Token]:
    kept, open_links = [], []
    for child in children:
        if child.type == "image":
            continue
        if child.type == "link_open":
            target = link(str(child.attrs.get("href", "")))
            open_links.append(target is not None)
            if target is None:
                continue
            child.attrSet("href", target)
        elif child.type == "link_close" and not open_links.pop():
            continue
        kept.append(child)
    return kept
