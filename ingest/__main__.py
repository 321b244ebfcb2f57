"""`python -m ingest PATH...` is `ragvoice ingest PATH...`."""

import sys

from ragvoice.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest", *sys.argv[1:]]))
