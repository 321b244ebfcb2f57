"""The page on which an owner looks after the documents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from ragvoice.datatypes import EVERYONE
from ragvoice.errors import RagVoiceError
from ragvoice.ui.job_view import kindly, latest, open_jobs, show_jobs, start
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
        _add(jobs, person, owner, state)
    with folders:
        _folders(jobs, person, owner, state)
    with left_out:
        _skipped(jobs, person, state)
    with upkeep:
        _upkeep(jobs, person, state)


def megabytes(size_bytes: float) -> str:
    """`0.4 MB`, `12 MB`, `1.3 GB`"""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes >= 1e7 else f"{size_bytes / 1e6:.1f} MB"


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
        with st.container(horizontal=True, gap="large"):  # wraps on a phone
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


def _add(jobs: Jobs, person: Person, owner: DocumentOwner, state: IndexState) -> None:
    from ingest.owner import uploads_folder
    from ingest.uploads import PREFIX
    from ragvoice.jobs.work import Ingest

    known = sorted(name for name in {*state.groups, *person.groups} if name and name != EVERYONE)
    with st.form("upload", clear_on_submit=True):
        st.markdown("##### Upload files")
        files = st.file_uploader(
            "Files",
            accept_multiple_files=True,
            max_upload_size=owner.largest_mib,
            help="PDF, Office, HTML, Markdown, e-mail, pictures, recordings, ...",
        )
        groups = st.multiselect(
            "Who may read them",
            known,
            placeholder="Everyone",
            accept_new_options=True,
            help="Groups of people; none chosen: everyone. A file of the same name is replaced, with its groups.",
        )
        sent = st.form_submit_button("Upload and ingest", type="primary", icon=":material/upload:")
    if sent and not files:
        st.warning("Choose at least one file.", icon=":material/warning:")
    if sent and files:
        refused = 0
        for file in files:
            try:
                owner.upload(file.name, file.getvalue(), groups)
            except RagVoiceError as error:
                refused += 1
                st.error(label(str(error), 600), icon=":material/error:")
        if refused < len(files):
            with kindly():
                jobs.start(person, Ingest((uploads_folder(),), prefix=PREFIX))
                if not refused:
                    st.rerun()
    with st.form("folders"):
        st.markdown("##### Or name folders on this machine")
        paths = st.text_area("Folders or files, one a line", placeholder="/srv/company/handbook", height=80)
        prefix = st.text_input("Put before their names", placeholder="optional", help="handbook/leave.pdf, ...")
        if st.form_submit_button("Ingest", icon=":material/play_arrow:"):
            named = tuple(Path(line.strip()).expanduser() for line in paths.splitlines() if line.strip())
            start(jobs, person, Ingest(named, prefix=prefix.strip()))


def _folders(jobs: Jobs, person: Person, owner: DocumentOwner, state: IndexState) -> None:
    from ragvoice.jobs.work import Ingest

    if not state.roots:
        st.caption("No folder has been ingested yet.")
        return
    for root in state.roots:
        with st.container(border=True):
            there = "" if root.there else " · :red[is not there now]"
            st.markdown(f"**{label(root.folder, 200)}**{there}")
            name = f" · as {label(root.prefix)}/" if root.prefix else ""
            st.caption(f"{root.files} files, {root.documents} documents, {root.chunks} passages{name}")
            again, forget = st.columns(2)
            if again.button(
                "Ingest again", key=f"again-{root.folder}", icon=":material/sync:", disabled=not root.there
            ):
                start(jobs, person, Ingest((Path(root.folder),), prefix=root.prefix))
            with forget.popover("Forget this folder", icon=":material/folder_off:"):
                st.write(f"Its {root.documents} documents leave the index. No file is deleted.")
                if st.button("Forget it", type="primary", key=f"forget-{root.folder}"):
                    with kindly():
                        owner.forget(Path(root.folder))
                        st.rerun()


def _skipped(jobs: Jobs, person: Person, state: IndexState) -> None:
    from ragvoice.jobs.work import Ingest

    if not state.skipped:
        st.caption("Everything that was found could be read.")
        return
    st.dataframe([{"Document": one.doc_id, "Why it was skipped": one.reason} for one in state.skipped], hide_index=True)
    if st.button("Try these again", icon=":material/refresh:"):
        start(jobs, person, Ingest(_there(state), retry_skipped=True))


def _upkeep(jobs: Jobs, person: Person, state: IndexState) -> None:
    from ragvoice.jobs.work import Ingest, Verify

    if state.manifest is None:
        st.caption("There is no index yet.")
        return
    verify, rebuild = st.columns(2)
    with verify.container(border=True):
        st.markdown("**Verify**")
        st.caption("Hashes every file, compares every part with the others and embeds some passages again.")
        if st.button("Verify the index", icon=":material/verified:"):
            start(jobs, person, Verify())
        _verified(jobs, person)
    with rebuild.container(border=True):
        st.markdown("**Rebuild**")
        st.caption("Reads and embeds everything again. People keep asking the old index until the new one is whole.")
        with st.popover("Rebuild the index", icon=":material/construction:", disabled=not _there(state)):
            gone = [root for root in state.roots if not root.there]
            if gone:
                st.warning(f"{len(gone)} folders are gone: a rebuild loses their documents.", icon=":material/warning:")
            st.write("This can take as long as the first ingest.")
            if st.button("Rebuild now", type="primary"):
                start(jobs, person, Ingest(_there(state), rebuild=True))
    left, right = st.columns(2)
    left.dataframe(
        [{"Part of the index": part, "Size": megabytes(size)} for part, size in sorted(state.bytes.items())],
        hide_index=True,
    )
    right.dataframe(
        [{"Readable by": name or "nobody", "Documents": count} for name, count in sorted(state.groups.items())],
        hide_index=True,
    )
    made = state.manifest.embedder
    st.caption(
        f"Embedded by {label(made.name)}, passages of at most {made.chunk_tokens} tokens; {label(state.index, 200)}"
    )


def _verified(jobs: Jobs, person: Person) -> None:
    found = latest(jobs, person, "verify")
    if found is None or not isinstance(found[1], dict):
        return
    job, said = found
    if job.state == "done":
        st.success(f"The index was whole: {said.get('files', 0)} files, {said.get('chunks', 0)} passages.")
    for problem in said.get("problems", []):
        st.error(label(problem, 600), icon=":material/error:")


def _there(state: IndexState) -> tuple[Path, ...]:
    return tuple(Path(root.folder) for root in state.roots if root.there)
