"""Write the generated parts of README.md and docs/: measured tables and the workflow's picture.

Run by ``make readme`` after ``make``. The tables are taken from results/mini and, in git,
results/laptop and results/laptop_cifar10, so that no number on these pages is typed;
tests/test_readme.py checks that those in git and the picture are today's.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from iic.publish.marked import PARTS, SCALE, replaced

PICTURE = Path("docs/architecture.md")


def workflow() -> str:
    """The rule graph as a mermaid block."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js", "--forceall"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # jobs by name and in alphabetical order, since Snakemake numbers them anew each time; no
    # colours, since those of mermaid's theme are legible in light and in dark mode
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", shown))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", shown)}
    edges = {edge for edge in edges if edge[0] != edge[1]}
    lines = [f"    {one} --> {other}" for one, other in sorted(edges) if other != "default"]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def main() -> None:
    """Rewrite the generated parts in place."""
    audit = json.loads(Path(f"results/{SCALE}/audit.json").read_text(encoding="utf-8"))
    if audit["exit_status"] not in (0, 3):
        sys.exit(f"results/{SCALE} is not verified by the audit; run make first")
    for name, part in PARTS.items():
        text = part.page.read_text(encoding="utf-8")
        part.page.write_text(replaced(text, name, part.write(Path())), encoding="utf-8")
    text = PICTURE.read_text(encoding="utf-8")
    PICTURE.write_text(replaced(text, "workflow", workflow()), encoding="utf-8")


if __name__ == "__main__":
    main()
