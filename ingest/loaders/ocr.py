"""Text of pages and pictures that have none: RapidOCR, whose models come inside its wheel.

Legend: `h` rows and `w` columns of pixels, `b` boxes.
"""

from __future__ import annotations

import logging
import os
import re
import statistics
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ingest.loaders.page_layout import Box, text_of
from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument
    from rapidocr import RapidOCR

DOTS_PER_INCH = 150
LONGEST_SIDE = 2400
"""Pixels; a larger page or picture is made smaller, so that a page of a square mile costs no more than a letter."""
_UPRIGHT = 0.8
"""Mean confidence below which the page may stand on its head; upright ones of real scans have .95."""
_LONG = 4
"""Heights from which on the edge of a line says how the page lies."""
_READABLE = 0.5
"""Lowest confidence of a line that is kept."""


class PageReader:
    """Pages of one PDF, drawn and read."""

    def __init__(self, document: PdfDocument):
        self._document = document

    def text(self, number: int) -> str:
        """:param number: Of the page, from 1; one that is too damaged to be drawn has no text."""
        import pypdfium2

        try:
            page = self._document[number - 1]
            scale = min(DOTS_PER_INCH / 72, LONGEST_SIDE / max(*page.get_size(), 1))
            image_hwc = page.render(scale=scale).to_numpy()
        except (pypdfium2.PdfiumError, ValueError):
            return ""
        return read(image_hwc)


def read(image_hwc: NDArray[np.uint8]) -> str:
    """Lines in reading order, paragraphs apart; a page that lies on its side or head is turned."""
    boxes = _boxes(image_hwc)
    if boxes:
        on_its_side = statistics.median((box.right - box.left) / max(box.height, 1) for box in boxes) < 1
        turns = (1, 3) if on_its_side else (2,) if _surely_read(boxes) < _UPRIGHT else ()
        turned = [_boxes(np.ascontiguousarray(np.rot90(image_hwc, turn))) for turn in turns]
        # Tall boxes are turned one by one before they are read, so the page as it lies may score well in a wrong order.
        boxes = max(
            turned if on_its_side else [boxes, *turned],
            key=lambda found: sum(box.score * len(box.text) for box in found),
        )
    return text_of([box for box in boxes if box.score >= _READABLE])


def _surely_read(boxes: list[Box]) -> float:
    """Mean confidence of the characters."""
    return sum(box.score * len(box.text) for box in boxes) / sum(len(box.text) for box in boxes)


def _boxes(image_hwc: NDArray[np.uint8]) -> list[Box]:
    try:
        # The classifier would turn single lines, and leave the page upside down.
        found: Any = _engine()(image_hwc, use_cls=False)
    except Exception as error:  # the runtime's own kind, with the whole trace of its calls as its words
        if re.search(r"bad_alloc|allocate memory", str(error)):
            raise MemoryError("recognition of a picture") from error
        raise DocumentError("a picture that cannot be recognised") from error
    if found.txts is None:
        return []
    corners_b42 = _straightened(np.asarray(found.boxes, dtype=np.float64))
    middle_b = corners_b42[:, :, 1].mean(axis=1)
    # The left edge's length: a bent line's upright box would be as high as several lines.
    half_b = np.linalg.norm(corners_b42[:, 3] - corners_b42[:, 0], axis=1) / 2
    left_b, right_b = corners_b42[:, :, 0].min(axis=1), corners_b42[:, :, 0].max(axis=1)
    edges_b4 = np.stack([left_b, middle_b - half_b, right_b, middle_b + half_b], axis=1).tolist()
    return [
        Box(left, top, right, bottom, text, float(score))
        for (left, top, right, bottom), text, score in zip(edges_b4, found.txts, found.scores, strict=True)
        if text.strip()
    ]


def _straightened(corners_b42: NDArray[np.float64]) -> NDArray[np.float64]:
    """The boxes of a page that was scanned askew, as they would lie on a straight one: lines of equal height."""
    along_b2 = corners_b42[:, 1] - corners_b42[:, 0]
    long_b = np.linalg.norm(along_b2, axis=1) > _LONG * np.linalg.norm(corners_b42[:, 3] - corners_b42[:, 0], axis=1)
    if not long_b.any():
        return corners_b42
    angle = float(np.median(np.arctan2(along_b2[long_b, 1], along_b2[long_b, 0])))
    turn_22 = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    straight_b42: NDArray[np.float64] = corners_b42 @ turn_22
    return straight_b42


@lru_cache(maxsize=1)
def _engine() -> RapidOCR:
    """One for all pages: opening its three models takes seconds. An empty page is no warning worth showing."""
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    from rapidocr import RapidOCR

    # It takes every core, however many processes read files at the same time.
    threads = int(os.environ.get("OMP_NUM_THREADS") or -1)
    return RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": threads})
