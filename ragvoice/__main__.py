"""`python -m ragvoice` is `ragvoice`."""

import sys

from ragvoice.cli import main

if __name__ == "__main__":
    sys.exit(main())
