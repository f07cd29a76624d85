"""Entry point of ``python -m iic``."""

from __future__ import annotations

import os
import sys

REMEDY = "run `make setup`, then `source .venv/bin/activate`, or use .venv/bin/python"

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 (run by hand, with whatever Python there is)
        sys.exit(f"iic: needs Python 3.11 or later, and {sys.executable} is older: {REMEDY}")
    from iic.cli import served

    if served.VARIABLE in os.environ:
        status = served.ask(os.environ[served.VARIABLE])
        if status is not None:
            sys.exit(status)
    elif sys.argv[1:2] == ["audit"]:
        from iic.provenance import isolated

        isolated.restart()
    try:
        from iic.cli.app import main
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "iic":
            raise
        sys.exit(f"iic: {sys.executable} lacks the package {error.name}: {REMEDY}")
    main()
