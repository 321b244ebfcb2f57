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
_WRITING = ("I/O error", "PytorchStreamWriter", "inline_container.cc", "No space left", "File too large")
"""How safetensors and torch, which raise no OSError, say that a file could not be written."""


@contextmanager
def said_plainly(run: str) -> Iterator[None]:
    """:raises TrainingError: in place of an error of the disk or the memory; every other one passes."""
    from safetensors import SafetensorError

    try:
        yield
    except MemoryError as error:
        raise _memory() from error
    except OSError as error:
        raise _writing(run, str(error.strerror or error)) from error
    except (RuntimeError, SafetensorError) as error:
        said = str(error)
        if any(words in said for words in _OUT_OF_MEMORY):
            raise _memory() from error
        if any(words in said for words in _WRITING):
            raise _writing(run, said.splitlines()[0]) from error
        raise


def _memory() -> TrainingError:
    return TrainingError(f"There is not enough memory for a row. {LESS_MEMORY}")


def _writing(run: str, what: str) -> TrainingError:
    return TrainingError(
        f"{what} while writing to the folder of the run {run}. The last complete checkpoint is kept: free some space "
        "and go on with --resume."
    )
