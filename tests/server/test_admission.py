from __future__ import annotations

import pytest

from ragvoice.errors import AccessError, UsageError
from ragvoice.people.person import Person
from ragvoice.server.admission import authenticator, check_bind, check_origin, ticket_of
from ragvoice.server.tickets import Admitted, Tickets

ANYONE, ADA = Person("", "admin"), Person("ada")


def test_other_machines_are_served_only_with_accounts():
    check_bind("127.0.0.1", accounts=False)
    check_bind("0.0.0.0", accounts=True)
    for host in ("0.0.0.0", "", "10.0.0.7"):
        with pytest.raises(UsageError, match="ragvoice people add"):
            check_bind(host, accounts=False)


def test_origin_is_the_host_or_there_is_none():
    check_origin("http://bot.example:8501", "bot.example:8501")
    check_origin("https://Bot.example", "bot.example")
    check_origin(None, "bot.example")
    for origin in ("http://evil.example", "http://bot.example:1", "null", "http://bot.example:8501.evil.example"):
        with pytest.raises(AccessError, match="may not connect"):
            check_origin(origin, "bot.example:8501")


def test_where_a_ticket_stands():
    assert ticket_of("Bearer abc", []) == "abc"
    assert ticket_of(None, ["realtime", "openai-insecure-api-key.a.b-c"]) == "a.b-c"
    assert ticket_of("Basic abc", ["realtime"]) is None


def test_with_accounts_only_a_ticket_opens():
    tickets = Tickets()
    authenticate = authenticator(tickets, lambda: True, ANYONE)

    assert authenticate(tickets.issue(ADA, "c"), False) == Admitted(ADA, "c", by_page=True)
    for ticket in (None, "sk-anything"):
        with pytest.raises(AccessError):
            authenticate(ticket, True)


def test_without_accounts_this_machine_needs_no_ticket_and_others_get_nothing():
    tickets = Tickets()
    authenticate = authenticator(tickets, lambda: False, ANYONE)

    assert authenticate(None, True) == Admitted(ANYONE)
    assert authenticate("sk-what-a-client-has-to-send", True) == Admitted(ANYONE)
    assert authenticate(tickets.issue(ANYONE, "c"), True) == Admitted(ANYONE, "c", by_page=True)
    with pytest.raises(AccessError, match="this machine only"):
        authenticate(None, False)
