"""One training in several processes of this machine, through torch's elastic launcher."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Any

from finetune.training.failures import LESS_MEMORY
from ragvoice.errors import RagVoiceError, TrainingError, UsageError

_WRONG_USE = 2


def launch(arguments: Sequence[str], processes: int) -> None:
    """Run `python ARGUMENTS` in so many processes, which share the cores of a CPU, and wait for all of them.

    :raises UsageError, TrainingError: with the words of the process that failed first.
    :raises KeyboardInterrupt: when this process is told to end; the others have ended by then.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in list(logging.Logger.manager.loggerDict):  # what failed is said once, by us
        if name.startswith("torch.distributed.elastic"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // processes)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        shutdown_timeout=10,
    )
    try:
        elastic_launch(config, sys.executable)(*arguments)
    except ChildFailedError as error:
        raise _said(error.get_first_failure()[1]) from None
    except SignalException:
        raise KeyboardInterrupt from None


def _said(failure: Any) -> RagVoiceError:
    """:param failure: torch's `ProcessFailure`."""
    if failure.exitcode == -SIGKILL:
        return TrainingError(
            "A process was killed, as the system does when memory runs out. The last complete checkpoint is kept. "
            f"{LESS_MEMORY}"
        )
    if failure.exitcode < 0:
        return TrainingError(f"A process ended by the signal {failure.signal_name()}. Go on with --resume.")
    if not Path(failure.error_file).is_file():
        return TrainingError("A process ended with the error above. Go on with --resume when its cause is gone.")
    return (UsageError if failure.exitcode == _WRONG_USE else TrainingError)(failure.message)


@contextmanager
def errors_told() -> Iterator[None]:
    """In a launched process, its error goes to the launching one, which says it once; elsewhere nothing changes."""
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    try:
        yield
    except KeyboardInterrupt:
        if file is None:
            raise
        raise SystemExit(1) from None
    except RagVoiceError as error:
        if file is None:
            raise
        told = {"message": str(error), "timestamp": int(time.time())}
        Path(file).write_text(json.dumps(told), encoding="utf-8")
        raise SystemExit(_WRONG_USE if isinstance(error, UsageError) else 1) from error
