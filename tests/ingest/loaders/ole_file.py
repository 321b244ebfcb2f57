"""Writes the OLE containers that tests need: [MS-CFB] version 3 with every stream in sectors of its own."""

from __future__ import annotations

import struct

SECTOR = 512
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
Tree = dict[str, "bytes | Tree"]


def ole(tree: Tree) -> bytes:
    """:param tree: Streams and, as dicts, storages by name. Streams are filled up with zeros to 4 KiB."""
    entries: list[dict[str, int | str]] = []
    sectors: list[bytes] = []
    chains: list[list[int]] = []

    def add(name: str, kind: int) -> int:
        entries.append({"name": name, "kind": kind, "right": _FREE, "child": _FREE, "start": _END, "size": 0})
        return len(entries) - 1

    def fill(parent: int, children: Tree) -> None:
        previous = -1
        for name, content in children.items():
            entry = add(name, 1 if isinstance(content, dict) else 2)
            entries[parent if previous < 0 else previous]["child" if previous < 0 else "right"] = entry
            previous = entry
            if isinstance(content, dict):
                fill(entry, content)
            else:
                data = content.ljust(4096, b"\0")
                data += b"\0" * (-len(data) % SECTOR)
                chain = list(range(len(sectors), len(sectors) + len(data) // SECTOR))
                sectors.extend(data[offset : offset + SECTOR] for offset in range(0, len(data), SECTOR))
                chains.append(chain)
                entries[entry].update(start=chain[0], size=max(len(content), 4096))

    fill(add("Root Entry", 5), tree)
    directory = b"".join(map(_entry, entries))
    directory += b"\0" * (-len(directory) % SECTOR)
    chains.append(list(range(len(sectors), len(sectors) + len(directory) // SECTOR)))
    sectors += [directory[offset : offset + SECTOR] for offset in range(0, len(directory), SECTOR)]
    tables = -(-(len(sectors) + 1) // (SECTOR // 4 - 1))
    fat = [_FREE] * (tables * SECTOR // 4)
    for chain in chains:
        for here, there in zip(chain, [*chain[1:], _END], strict=True):
            fat[here] = there
    first = len(sectors)
    fat[first : first + tables] = [_FAT] * tables
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack(
        "<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, tables, chains[-1][0], 0, 4096, _END, 0, _END, 0
    )
    header += struct.pack("<109I", *[*range(first, first + tables), *[_FREE] * (109 - tables)])
    return header + b"".join(sectors) + struct.pack(f"<{len(fat)}I", *fat)


def _entry(entry: dict[str, int | str]) -> bytes:
    name = str(entry["name"]).encode("utf-16-le")
    return (
        name.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(name) + 2, entry["kind"], 1, _FREE, entry["right"], entry["child"])
        + bytes(36)
        + struct.pack("<IQ", entry["start"], entry["size"])
    )
