"""Text as LaTeX prints it, by whichever engine: ASCII alone, with nothing left that it obeys."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "÷": r"$\div$",
    "−": "$-$",
    "·": r"$\cdot$",
    "°": r"$^\circ$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "‘": r"\textquoteleft{}",
    "’": "'",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "§": r"\S{}",
    "©": r"\copyright{}",
    "µ": r"$\mu$",
    # marks code in our captions
    "`": "",
}
ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
DOTLESS = {"i": r"\i", "j": r"\j"}
GREEK = {
    sign: f"$\\{name}$"
    for signs, names in (
        ("αβγδεζηθικλμ", "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu"),
        ("νξπρστυφχψω", "nu xi pi rho sigma tau upsilon phi chi psi omega"),
        ("ΓΔΘΛΞΠΣΥΦΨΩ", "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"),
    )
    for sign, name in zip(signs, names.split(), strict=True)
}
LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))
"""Greek letters that look like Latin ones, for which LaTeX has no command."""
LIKE_PLAIN = ("<compat>", "<wide>", "<narrow>", "<font>", "<noBreak>")
RAISED = {"<super>": "^", "<sub>": "_"}


def escape(text: str) -> str:
    """Text as LaTeX prints it; a sign that it has no name for as its number in Unicode."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    # two hyphens in a row would become a dash
    return "".join("{}-" if pair == "--" else _sign(pair[-1]) for pair in _pairs(plain))


def row_start(tex: str) -> str:
    """What follows a line's end: a star or bracket there would belong to that end."""
    return re.sub(r"^\s*([*\[])", r"{\1}", tex)


def _pairs(text: str) -> Iterator[str]:
    """Each sign with the one before it."""
    return (text[max(index - 1, 0) : index + 1] for index in range(len(text)))


def _sign(sign: str) -> str:
    if sign in SIGNS:
        return SIGNS[sign]
    if " " <= sign <= "~":
        return sign
    if sign in GREEK or sign in LATIN:
        return GREEK.get(sign) or LATIN[sign]
    base, *marks = list(unicodedata.normalize("NFD", sign))
    if len(marks) == 1 and marks[0] in ACCENTS and base.isascii() and base.isalpha():
        # an accent stands in place of the dot
        return f"\\{ACCENTS[marks[0]]}{{{DOTLESS.get(base, base)}}}"
    kind, _, _ = unicodedata.decomposition(sign).partition(" ")
    like = unicodedata.normalize("NFKC", sign)
    if kind in RAISED and like.isascii() and like.isalnum():
        return f"${RAISED[kind]}{{{like}}}$"
    if kind in LIKE_PLAIN and like != sign:
        return "".join(map(_sign, like))
    return f"\\texttt{{U+{ord(sign):04X}}}"
