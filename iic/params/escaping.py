"""Text from outside, as it may be shown: nothing in it is obeyed by who shows it.

Such text is a server's answer, a name in an archive, a string in a record, a file's name. A
terminal obeys control characters, and a reader is misled by marks that turn the direction of
writing. A spreadsheet computes cells that begin like formulas. HTML and LaTeX have signs of their
own: pages escape them by Jinja, tables by `iic.publish.latex_text.escape`.
"""

from __future__ import annotations

import unicodedata

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode: control, format (directions, joiners, tags), surrogates, separators."""
FORMULA = ("=", "+", "-", "@", "\t")
"""How a cell begins that a spreadsheet computes."""
LONGEST = 500
"""Characters of a name or reason that are quoted."""


def visible(text: str) -> str:
    """`text` with escapes for all that is obeyed or not seen; line ends and tabs stay."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(_visible(sign) for sign in text)


def quoted(text: object, longest: int = LONGEST) -> str:
    """Text from outside within a message: on one line, cut where it is long."""
    line = str(text)[: longest + 1]
    if len(line) > longest:
        line = line[: longest - 3] + "..."
    return visible(line).replace("\n", r"\n").replace("\t", r"\t")


def cell(text: str) -> str:
    """Text as a cell of a csv file: with an apostrophe before what would be computed.

    Programs that show tables take such a cell as text, and hide the apostrophe. A carriage return,
    which for some of them begins another line, is written as two letters.
    """
    text = text.replace("\r", r"\r")
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def of_cell(text: str) -> str:
    """The text that `cell` was given, but for carriage returns."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text


def _visible(sign: str) -> str:
    if sign in "\n\t" or unicodedata.category(sign) not in HIDDEN:
        return sign
    number = ord(sign)
    # four digits, as JSON has them: what is printed as JSON stays JSON
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
