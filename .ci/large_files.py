"""Fail when a file given on the command line is over 2 MB: such a file belongs to DVC."""

import sys
from pathlib import Path

LIMIT = 2_000_000
large = [path for path in map(Path, sys.argv[1:]) if path.stat().st_size > LIMIT]
for path in large:
    print(f"{path}: {path.stat().st_size} bytes, over {LIMIT}: version it with DVC")
sys.exit(bool(large))
