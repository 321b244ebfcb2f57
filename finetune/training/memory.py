"""Memory that is freed goes back to the system, where the C library would keep it."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""
_LARGE = 8 * 2**20
_KEPT = 64 * 2**20


def return_freed_memory() -> None:
    """Large tensors of rows of ever other lengths leave holes in the heap of a training on a CPU; mapped ones do not.

    Setting the thresholds also ends glibc's moving of them, which is what keeps such blocks in the heap. Nothing
    happens where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((_M_MMAP_THRESHOLD, _LARGE), (_M_TRIM_THRESHOLD, _KEPT)):
            mallopt(parameter, value)
