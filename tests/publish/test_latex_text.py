"""All text of a LaTeX table goes through one escaping, which loses nothing and breaks nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iic.publish.latex import grids_to_latex
from iic.publish.latex_text import GREEK, SIGNS, escape, row_start
from iic.publish.wording import Grid

ENGINES = [name for name in ("tectonic", "pdflatex") if shutil.which(name)]
TOKEN = re.compile(
    r"""
    \\text(?:quoteleft|quotedblleft|quotedblright|backslash|asciitilde|asciicircum|less|greater|bar|dagger|daggerdbl)\{\}
    | \\(?:ss|ae|AE|oe|OE|o|O|l|L|i|S|copyright|dots)\{\}
    | \\['`^~=.ruHvc"]\{(?:[A-Za-z]|\\[ij])\}      # accents
    | \\[{}&%$\#_]                                  # signs that TeX would obey
    | \$(?:\\[A-Za-z]+|-|\^\\circ|[\^_]\{\w+\})\$   # mathematics
    | \\texttt\{U\+[0-9A-F]{4,6}\}
    | -?\{\}-
    | [A-Za-z0-9\ .,;:!?'"()\[\]*/=+@`-]
    """,
    re.VERBOSE,
)
HOSTILE = [
    "[12] X", "* X", "λ-VAE", "a & b % c", r"\input{secret}", "50 % of {x}_1^2 ~ #3 $", "<k>|",
    "Zürich, Łódź, naïve, façade", "10² ≤ k ≤ 10³ → ∞", "α β Γ Ω Α", "数字", "a--b---c", "é\u0301",
    "line\n\nline\ttab", "ﬁne", "\x00\x1b[1m", "‘a’ “b” … — –", "½", "]", "[*]",
]  # fmt: skip


@given(st.text(max_size=30) | st.sampled_from(HOSTILE))
def test_escaped_text_is_ascii_and_holds_nothing_that_tex_obeys(text: str) -> None:
    escaped = escape(text)
    assert escaped.isascii() and "\n" not in escaped
    position = 0
    while position < len(escaped):
        token = TOKEN.match(escaped, position)
        assert token, (escaped, escaped[position:])
        position = token.end()
    assert not row_start(escaped).lstrip().startswith(("*", "["))


@given(st.text(alphabet=[chr(code) for code in range(33, 127) if chr(code) != "`"], max_size=30))
def test_ascii_comes_back_sign_by_sign(text: str) -> None:
    back = {value: key for key, value in SIGNS.items() if key.isascii() and value}
    back |= {"{}-": "-"}
    read = [token[0] for token in TOKEN.finditer(escape(text))]
    joined = "".join("--" if sign == "-{}-" else back.get(sign, sign) for sign in read)
    assert joined == text


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("IIC*", "IIC*"),
        ("λ-VAE", r"$\lambda$-VAE"),
        ("é ï ł", r"\'{e} \"{\i} \l{}"),
        ("10²", r"10$^{2}$"),
        ("a--b", "a-{}-b"),
        ("1–2", "1--2"),
        ("数", r"\texttt{U+6570}"),
    ],
)
def test_signs(text: str, tex: str) -> None:
    assert escape(text) == tex


def test_a_cell_is_no_part_of_the_row_before() -> None:
    grid = Grid(["[h]", "x"], [["a", "b"], ["[12] X", "*"], ["* X", ""]], words=2)
    text = grids_to_latex("t", "[a]", [grid], [])
    rows = text.decode().splitlines()
    for before, row in pairwise(rows):
        assert not (before.endswith(r"\\") and row.startswith(("[", "*"))), row


@pytest.mark.skipif(not ENGINES, reason="neither tectonic nor pdflatex is installed")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_of_hostile_text_compiles(engine: str, tmp_path: Path) -> None:
    rows = [[text, text] for text in [*HOSTILE, *GREEK, *SIGNS]]
    grid = Grid(HOSTILE[:2], rows, words=2)
    table = grids_to_latex("t", " ".join(HOSTILE), [grid], []).decode()
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        f"{table}\\end{{document}}\n"
    )
    flags = [] if engine == "tectonic" else ["-halt-on-error", "-interaction=nonstopmode"]
    done = subprocess.run(
        [engine, *flags, "t.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    if engine == "pdflatex":
        assert "Missing character" not in (tmp_path / "t.log").read_text()
