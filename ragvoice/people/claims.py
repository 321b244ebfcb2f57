"""Who somebody is by the claims of their company's sign-in (OpenID Connect). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ragvoice.errors import AccessError
from ragvoice.people.person import Person, Role

GROUP = "group:"


@dataclass(frozen=True)
class ClaimRules:
    name: str = "email"
    """The claim that names people; it must not be one that they can choose themselves."""
    groups: str = "groups"
    """The claim with their groups; dots lead into it: `realm_access.roles`."""
    owners: tuple[str, ...] = ()
    """Names, and groups as `group:NAME`."""
    admins: tuple[str, ...] = ()
    """The same."""
    sends_verified: bool = True
    """Whether the provider says of each address that it is verified; without, only one said not to be is refused."""


def person_of_claims(claims: Mapping[str, Any], rules: ClaimRules) -> Person:
    """:raises AccessError: when the claims name nobody, or by an address that they do not call verified."""
    name = _claim(claims, rules.name)
    if not isinstance(name, str) or not name.strip():
        raise AccessError(
            f"Your company's sign-in does not say who you are: it sends no {rules.name!r}. An administrator can name "
            "another claim in the setting oidc_name, or ask for more in the scope."
        )
    verified = claims.get("email_verified")
    if rules.name == "email" and verified is None and rules.sends_verified:
        raise AccessError(
            f"Your company's sign-in does not say whether the address {name} is verified: it sends no email_verified. "
            "If it never does, an administrator can set oidc_sends_verified = false."
        )
    if rules.name == "email" and verified not in (None, True, "true"):
        raise AccessError(f"The address {name} is not verified yet. Verify it where you sign in, then come back.")
    found = _claim(claims, rules.groups)
    listed = [found] if isinstance(found, str) else found if isinstance(found, list | tuple) else []
    groups = tuple(str(group) for group in listed if str(group).strip())
    role: Role = "asker"
    if _named(name, groups, rules.owners):
        role = "owner"
    if _named(name, groups, rules.admins):
        role = "admin"
    return Person(name, role, groups)


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    if path in claims:
        return claims[path]
    value: Any = claims
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _named(name: str, groups: Iterable[str], entries: Iterable[str]) -> bool:
    named = set(entries)
    people = {entry for entry in named if not entry.startswith(GROUP)}
    return name in people or any(GROUP + group in named for group in groups)
