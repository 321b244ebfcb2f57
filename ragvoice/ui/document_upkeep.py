"""The page Documents, where something is changed: files and folders come in, folders go, the index is looked after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from ragvoice.datatypes import EVERYONE
from ragvoice.errors import RagVoiceError
from ragvoice.files import megabytes
from ragvoice.ui.job_view import kindly, latest, start
from ragvoice.ui.wording import label

if TYPE_CHECKING:
    from ingest.owner import DocumentOwner
    from ingest.state import IndexState
    from ragvoice.jobs.jobs import Jobs
    from ragvoice.people.person import Person


def add(jobs: Jobs, person: Person, owner: DocumentOwner, state: IndexState) -> None:
    from ingest.owner import uploads_folder
    from ingest.uploads import PREFIX
    from ragvoice.jobs.work import Ingest

    known = sorted(name for name in {*state.groups, *person.groups} if name and name != EVERYONE)
    with st.form("upload", clear_on_submit=True):
        st.markdown("##### Upload files")
        st.caption(f"Up to {owner.largest_mib} MB each. For larger files, name their folder below.")
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
                owner.upload(file.name, file, groups)
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
        if (folders := jobs.folders(person)) is not None:
            names = ", ".join(f"**{label(str(folder), 200)}**" for folder in folders)
            st.caption(
                f"{names}, or what lies below."
                if names
                else "An administrator can list folders for you in the setting document_folders."
            )
        paths = st.text_area("Folders or files, one a line", placeholder="/srv/company/handbook", height=80)
        prefix = st.text_input("Put before their names", placeholder="optional", help="handbook/leave.pdf, ...")
        if st.form_submit_button("Ingest", icon=":material/play_arrow:"):
            named = tuple(Path(line.strip()).expanduser() for line in paths.splitlines() if line.strip())
            start(jobs, person, Ingest(named, prefix=prefix.strip()))


def folders(jobs: Jobs, person: Person, owner: DocumentOwner, state: IndexState) -> None:
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


def skipped(jobs: Jobs, person: Person, state: IndexState) -> None:
    from ragvoice.jobs.work import Ingest

    if not state.skipped:
        st.caption("Everything that was found could be read.")
        return
    st.dataframe([{"Document": one.doc_id, "Why it was skipped": one.reason} for one in state.skipped], hide_index=True)
    if st.button("Try these again", icon=":material/refresh:"):
        start(jobs, person, Ingest(_there(state), retry_skipped=True))


def upkeep(jobs: Jobs, person: Person, state: IndexState) -> None:
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
