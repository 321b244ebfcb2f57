"""`python -m finetune ...` is `ragvoice finetune ...`."""

import sys

from ragvoice.cli import main

if __name__ == "__main__":
    sys.exit(main(["finetune", *sys.argv[1:]]))
