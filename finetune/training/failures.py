"""What goes wrong in a training run, said in one sentence: what happened, what is kept, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ragvoice.errors import TrainingError

LESS_MEMORY = (
    "Lower row_tokens, fill_tokens or row_examples, set gradient_checkpointing = true, or use fewer processes; then "
    "go on with --resume."
)
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "std::bad_alloc")
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")
_WRITING = (*_FULL, "I/O error", "PytorchStreamWriter", "inline_container.cc")
"""How safetensors and torch, which raise no OSError, say that a file could not be written."""


@contextmanager
def said_plainly(run: str) -> Iterator[None]:
    """:raises TrainingError: in place of an error of the disk or the memory; every other one passes."""
    from safetensors import SafetensorError

    try:
        yield
    except MemoryError as error:
        raise _memory() from error
    except (OSError, RuntimeError, SafetensorError) as error:
        if not isinstance(error, OSError) and any(words in str(error) for words in _OUT_OF_MEMORY):
            raise _memory() from error
        if why := not_written(error):
            raise _writing(run, why) from error
        raise


def not_written(error: Exception) -> str | None:
    """Why a file could not be written; None for an error of another kind."""
    if isinstance(error, OSError):
        return str(error.strerror or error)
    if any(words in str(error) for words in _WRITING):
        return next((words for words in _FULL if words in str(error)), "A file was cut off")
    return None


def _memory() -> TrainingError:
    return TrainingError(f"There is not enough memory for a row. {LESS_MEMORY}")


def _writing(run: str, what: str) -> TrainingError:
    return TrainingError(
        f"{what} while writing to the folder of the run {run}. The last complete checkpoint is kept: free some space "
        "and go on with --resume."
    )
