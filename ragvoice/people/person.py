"""Who uses the application, and what they may do. Which documents somebody may read is decided by the groups alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ragvoice.errors import AccessError

Role = Literal["asker", "owner", "admin"]
Right = Literal["ask", "documents", "quality", "finetuning", "settings", "people"]

_OWNERS: frozenset[Right] = frozenset({"ask", "documents", "quality", "finetuning"})
RIGHTS: dict[Role, frozenset[Right]] = {
    "asker": frozenset({"ask"}),
    "owner": _OWNERS,
    "admin": _OWNERS | {"settings", "people"},
}
_DEEDS: dict[Right, str] = {
    "ask": "ask questions",
    "documents": "look after the documents",
    "quality": "run evaluations and read their reports",
    "finetuning": "fine-tune models",
    "settings": "change the settings",
    "people": "look after people and their accounts",
}


@dataclass(frozen=True)
class Person:
    name: str
    """Under which turns are logged; empty where nobody signs in."""
    role: Role = "asker"
    groups: tuple[str, ...] = ()
    """Whose documents they may read, besides those for everyone."""

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self.role]

    def require(self, right: Right) -> None:
        """:raises AccessError: naming the roles that have this right."""
        if not self.may(right):
            roles = " or ".join(role for role, rights in RIGHTS.items() if right in rights)
            raise AccessError(
                f"{self.name or 'You'} may not {_DEEDS[right]}: that takes the role {roles}, and this is the role "
                f"{self.role}. An administrator can change it."
            )
