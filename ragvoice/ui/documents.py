"""The page on which an owner looks after the documents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from ragvoice.errors import RagVoiceError
from ragvoice.files import megabytes
from ragvoice.ui import document_upkeep
from ragvoice.ui.job_view import kindly, latest, open_jobs, show_jobs
from ragvoice.ui.wording import label

if TYPE_CHECKING:
    from ingest.owner import DocumentOwner
    from ingest.state import IndexState
    from ragvoice.desk import Desk
    from ragvoice.jobs.jobs import Jobs
    from ragvoice.people.person import Person
    from ragvoice.retrieval.index import IndexedDocument

_CHUNKS_A_PAGE = 10
_KINDS = ("ingest", "verify")


def render(desk: Desk, person: Person, jobs: Jobs | None = None) -> None:
    """:raises AccessError: when the person may not look after the documents."""
    from ingest.owner import DocumentOwner

    owner = DocumentOwner(person, desk.settings)
    jobs = jobs or open_jobs(desk.settings)
    st.title("Documents", anchor=False)
    state = owner.state()
    _summary(state)
    show_jobs(jobs, person, *_KINDS)
    _last_ingest(jobs, person)
    skipped = f"Skipped ({len(state.skipped)})" if state.skipped else "Skipped"
    browse, add, folders, left_out, upkeep = st.tabs(["Browse", "Add", "Folders", skipped, "Upkeep"])
    with browse:
        _browse(desk, person, owner, state)
    with add:
        document_upkeep.add(jobs, person, owner, state)
    with folders:
        document_upkeep.folders(jobs, person, owner, state)
    with left_out:
        document_upkeep.skipped(jobs, person, state)
    with upkeep:
        document_upkeep.upkeep(jobs, person, state)


def matching(documents: Sequence[IndexedDocument], text: str, group: str | None) -> list[IndexedDocument]:
    """Those whose title or id holds every word of the text, and that the group may read; None is any group."""
    words = text.casefold().split()
    return [
        document
        for document in documents
        if all(word in f"{document.title} {document.doc_id}".casefold() for word in words)
        and (group is None or group in document.allowed_groups)
    ]


def _summary(state: IndexState) -> None:
    if state.problem:
        st.error(label(state.problem, 600), icon=":material/error:")
    if state.manifest is None:
        if not state.problem:
            st.info(
                "Nothing has been ingested yet. **Add** files or name a folder on this machine, and people can ask.",
                icon=":material/upload_file:",
            )
    else:
        published = state.manifest.published
        with st.container(horizontal=True, gap="medium"):  # wraps on a phone
            st.metric("Documents", f"{state.manifest.documents:,}", width="content")
            st.metric("Passages", f"{state.manifest.chunks:,}", width="content")
            st.metric("Size", megabytes(sum(state.bytes.values())), width="content")
            at = f"At {published[11:16]} UTC" if published else None
            st.metric("Published", published[:10] or "-", width="content", help=at)
    if state.running is None and state.unfinished:
        st.info(
            f"A job was stopped after it had read {state.unfinished['files_read']} files. The next one goes on there.",
            icon=":material/info:",
        )


def _last_ingest(jobs: Jobs, person: Person) -> None:
    found = latest(jobs, person, "ingest")
    if found is None:
        return
    job, said = found
    if job.state != "done" or not isinstance(said, dict):
        return
    counts = ", ".join(f"{said.get(name, 0)} {name}" for name in ("added", "changed", "removed", "unchanged"))
    st.caption(
        f"Last complete ingest: {counts}, {len(said.get('skipped', []))} skipped, in {said.get('seconds', 0):.0f} s."
    )
    for warning in said.get("warnings", []):
        st.warning(label(warning, 600), icon=":material/warning:")


def _browse(desk: Desk, person: Person, owner: DocumentOwner, state: IndexState) -> None:
    if state.manifest is None:
        st.caption("No documents yet.")
        return
    try:
        with st.spinner("Opening the index"):
            documents = desk.documents(person)
    except RagVoiceError as error:
        st.error(label(str(error), 600), icon=":material/error:")
        return
    query = st.text_input(
        "Search in the documents",
        placeholder="parental leave",
        icon=":material/search:",
        help="The passages that an answer would rest on",
    )
    if query.strip():
        with kindly():
            _hits(desk, person, query)
    left, right = st.columns([3, 1])
    text = left.text_input("Filter the list", placeholder="part of a title or a name", icon=":material/filter_list:")
    groups = sorted({group for document in documents for group in document.allowed_groups})
    group = right.selectbox("Readable by", groups, index=None, placeholder="anyone", key="documents-group")
    shown = matching(documents, text, group)
    st.dataframe(
        [
            {
                "Title": document.title,
                "Document": document.doc_id,
                "Readable by": ", ".join(document.allowed_groups) or "nobody",
                "Owner": str(document.metadata.get("owner", "")),
                "Changed": str(document.metadata.get("modified", ""))[:10],
            }
            for document in shown
        ],
        hide_index=True,
        height=min(38 + 35 * max(1, len(shown)), 360),
    )
    st.caption(f"{len(shown)} of {len(documents)} documents")
    titles = {document.doc_id: document.title for document in shown}
    chosen = st.selectbox(
        "Look at a document",
        list(titles),
        index=None,
        format_func=lambda doc_id: f"{titles[doc_id]} ({doc_id})",
        placeholder="Choose one to see how it was read",
        key="documents-open",
    )
    if chosen:
        with kindly():
            _preview(desk, person, owner, chosen)


def _hits(desk: Desk, person: Person, query: str) -> None:
    hits = desk.search(person, query, 5)
    if not hits:
        st.caption("Nothing found.")
    for hit in hits:
        with st.container(border=True):
            page = f", page {hit.page}" if hit.page else ""
            st.markdown(f"**{label(hit.title)}** · {label(hit.section or 'top', 120)}{page}")
            st.text(hit.text)


def _preview(desk: Desk, person: Person, owner: DocumentOwner, doc_id: str) -> None:
    document, spans = desk.document(person, doc_id), desk.chunks(person, doc_id)
    with st.container(border=True):
        st.markdown(f"#### {label(document.title, 200)}")
        readers = ", ".join(document.allowed_groups) or "nobody"
        st.caption(f"{label(document.source, 200)} · readable by {label(readers)} · {len(spans)} passages")
        pages = math.ceil(len(spans) / _CHUNKS_A_PAGE)
        number = 1
        if pages > 1:
            number = st.number_input("Part", 1, pages, key=f"part-{doc_id}", help=f"{_CHUNKS_A_PAGE} passages each")
        for span in spans[(number - 1) * _CHUNKS_A_PAGE : number * _CHUNKS_A_PAGE]:
            page = f"page {span.page} · " if span.page else ""
            st.caption(f"{page}{label(span.section or 'top', 200)}")
            st.text(document.text[span.start_index : span.end_index])
        with st.popover("Remove this document", icon=":material/delete:"):
            uploaded = owner.file_of(doc_id) is not None
            st.write(
                "Its uploaded file is deleted, too. This cannot be undone."
                if uploaded
                else "It leaves the index. Its file stays: unless you delete that as well, the next ingest brings it "
                "back."
            )
            if st.button("Remove it", type="primary", key=f"remove-{doc_id}"):
                owner.remove(doc_id)
                st.rerun()
