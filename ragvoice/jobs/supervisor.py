"""`python -m ragvoice.jobs.supervisor FOLDER LOCK`: runs the command of one job and writes down how it ended.

It outlives the page's process. Standard library only: it stays in memory for as long as the command runs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ragvoice.files import write_json

_NICE = 10
"""Who asks comes before what can wait."""
_NOT_STARTED = 127


def supervise(folder: Path, lock: int) -> None:
    """:param lock: Descriptor of the locked file that says that the job runs; the command holds it, too."""
    # Ctrl-C is for the command. A handler rather than SIG_IGN, which the command would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)
    if (folder / "cancelled").exists():  # before anything was there that Ctrl-C could end
        return
    os.nice(_NICE)
    command = json.loads((folder / "job.json").read_text(encoding="utf-8"))["command"]
    with (folder / "output.txt").open("wb") as output, (folder / "log.txt").open("wb") as log:
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=log, pass_fds=(lock,))
            code = child.wait()
        except OSError as error:
            log.write(f"ragvoice: {error}\n".encode())
            code = _NOT_STARTED
    write_json(folder / "end.json", {"exit_code": code, "ended": time.time()})


if __name__ == "__main__":
    supervise(Path(sys.argv[1]), int(sys.argv[2]))
