"""Entry point of ``python -m iic``."""

from iic.cli.app import main

if __name__ == "__main__":
    main()
