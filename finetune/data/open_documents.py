"""What may be learned from: documents that everyone may read, and those of groups that are asked for.

A model shows what it learned to whoever asks it, so a restricted document goes into the training only by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from finetune.data.candidates import Candidate
from ragvoice.datatypes import EVERYONE, Passage
from ragvoice.retrieval.index import DocumentIndex


def open_to(index: DocumentIndex, groups: Iterable[str] = ()) -> list[Passage]:
    """Every chunk that somebody of these groups may read, by the filter of the search; documents in their order.

    :param groups: Besides everyone.
    """
    rows = np.flatnonzero(index.allowed(groups)).tolist()
    nothing = [0.0] * len(rows)
    return index.passages(rows, nothing, nothing)


def only_open(
    candidates: Sequence[Candidate], index: DocumentIndex, groups: Iterable[str] = ()
) -> tuple[list[Candidate], Counter[str]]:
    """Those whose gold documents these groups may read, asked as one of these groups; and why others are left out.

    A gold page, as question sets may name it, becomes the doc_id of its file: the right passage of it is found later.
    What was said before may rest on any document that the asker could read, so a follow-up of somebody who can read
    more than these groups is left out as well.
    """
    asker = {*groups, EVERYONE}
    documents = index.documents()
    readable = {document.doc_id for document in documents if asker & set(document.allowed_groups)}
    files = {PurePosixPath(document.doc_id).stem: document.doc_id for document in documents}
    kept, dropped = list[Candidate](), Counter[str]()
    for candidate in candidates:
        beyond = set(candidate.groups) - asker
        golds = tuple(dict.fromkeys(_document(gold, files) for gold in candidate.gold_doc_ids))
        if not set(golds) <= readable:
            dropped["restricted or missing document"] += 1
        elif candidate.history and beyond:
            dropped["history of a restricted group"] += 1
        else:
            groups_left = tuple(group for group in candidate.groups if group in asker)
            kept.append(replace(candidate, gold_doc_ids=golds, groups=groups_left))
    return kept, dropped


def _document(gold: str, files: Mapping[str, str]) -> str:
    """:param gold: A doc_id, or `FILE#pN`. :param files: Names of files without their endings -> doc_ids."""
    file, page, number = gold.rpartition("#p")
    return files.get(file, gold) if page and number.isdecimal() else gold
