"""Write the README's generated parts: the measured table and the picture of the workflow.

Run by ``make readme`` after ``make``. The table is taken from results/mini, so that no number in
the README is typed; tests/test_readme.py checks that the picture is what Snakemake draws today.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from iic.params.runs import plan
from iic.records.files import read_record
from iic.records.paths import RunPaths, table
from iic.records.receipt import Receipt
from iic.records.table import TableRow, read_table

SCALE = "mini"
README = Path("README.md")


def workflow_picture() -> str:
    """The rule graph as a mermaid block."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js", "--forceall"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # jobs by name and in alphabetical order, since Snakemake numbers them anew each time; no
    # colours, since those of mermaid's theme are legible in light and in dark mode
    names = {
        # one job a dataset, all of one form
        node: "evaluate" if name.startswith("evaluate_") else name
        for node, name in re.findall(r"(id\d+)\[(\w+)\]", shown)
    }
    edges = {(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", shown)}
    edges = {edge for edge in edges if edge[0] != edge[1]}
    lines = [f"    {one} --> {other}" for one, other in sorted(edges) if other != "default"]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def measured() -> str:
    """Table 1 at scale mini, measured rows only, with machine, date and time."""
    rows = [row for row in read_table(table(SCALE, "table_1")) if row.status == "measured"]
    receipts = [
        read_record(RunPaths(SCALE, run.id, seed).receipt, Receipt)
        for run in plan(SCALE).runs.values()
        for seed in run.seeds
    ]
    last = max(receipts, key=lambda receipt: receipt.timing.end)
    seconds = sum(receipt.timing.seconds for receipt in receipts)
    lines = [
        f"Table 1 at scale `{SCALE}`: accuracy in percent on scikit-learn's 1,797 handwritten "
        "digits (real data, but not the paper's: its MNIST column is another dataset).",
        "",
        "| method | how the model is picked | settings | accuracy | over sub-heads | seeds |",
        "|---|---|---|---:|---:|---:|",
        *(_line(row) for row in rows),
        "",
        f"Measured on {last.timing.end:%Y-%m-%d}, {last.environment.cpu}, "
        f"{last.environment.cpu_count} cores, torch {last.environment.packages['torch']}; "
        f"{len(receipts)} trainings of {seconds:.0f} s together. ± is over seeds (ddof 1).",
    ]
    return "\n".join(lines)


def _line(row: TableRow) -> str:
    value = f"**{row.ours_mean}**" + (f" ± {row.ours_std}" if row.ours_std is not None else "")
    heads = "" if row.ours_std_heads is None else f"± {row.ours_std_heads}"
    return (
        f"| {row.row} | `{row.selection}` | `{row.fidelity}` | {value} | {heads} | {row.n_seeds} |"
    )


def replaced(text: str, part: str, content: str) -> str:
    """`text` with what stands between the marks of `part` replaced."""
    pattern = re.compile(rf"(<!-- {part}: begin[^>]*-->\n).*?(<!-- {part}: end -->)", re.DOTALL)
    return pattern.sub(lambda found: found[1] + content + "\n" + found[2], text)


def main() -> None:
    """Rewrite README.md in place."""
    text = README.read_text(encoding="utf-8")
    text = replaced(text, "workflow", workflow_picture())
    audit = json.loads(Path(f"results/{SCALE}/audit.json").read_text(encoding="utf-8"))
    if audit["exit_status"] not in (0, 3):
        sys.exit(f"results/{SCALE} is not verified by the audit; run make first")
    README.write_text(replaced(text, "measured", measured()), encoding="utf-8")


if __name__ == "__main__":
    main()
