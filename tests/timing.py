"""A measure of the machine: bounds on CPU time hold on a slow one, and bite on a fast one."""

from __future__ import annotations

import ast
import gc
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def parsing() -> float:
    """CPU seconds that Python takes here to parse the package, the least of three times."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "iic").rglob("*.py"))]
    spent = []
    collecting = gc.isenabled()
    gc.disable()  # its cost is that of whatever else the tests keep
    try:
        for _ in range(3):
            start = time.process_time()
            for text in texts:
                ast.parse(text)
            spent.append(time.process_time() - start)
    finally:
        if collecting:
            gc.enable()
    return min(spent)
