from __future__ import annotations

import pytest

from ragvoice.errors import AccessError
from ragvoice.people.person import Person
from ragvoice.server.tickets import Admitted, Tickets

ADA = Person("ada", "owner", ("hr", "board"))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_ticket_says_who_in_which_conversation_and_by_which_sign_in():
    tickets = Tickets()

    assert tickets.redeem(tickets.issue(ADA, "c1", "s1")) == Admitted(ADA, "c1", "s1", by_page=True)
    assert tickets.redeem(tickets.issue(Person("bo"))) == Admitted(Person("bo"), by_page=True)


def test_a_ticket_is_good_for_one_connection():
    tickets = Tickets()
    ticket = tickets.issue(ADA)
    tickets.redeem(ticket)

    with pytest.raises(AccessError, match="used already"):
        tickets.redeem(ticket)


def test_a_ticket_expires_after_its_lifetime():
    clock = Clock()
    tickets = Tickets(lifetime_s=60, clock=clock)
    late, in_time = tickets.issue(ADA), tickets.issue(ADA)
    clock.now += 59.9
    tickets.redeem(in_time)
    clock.now += 0.1

    with pytest.raises(AccessError, match="older than 60 s"):
        tickets.redeem(late)


def test_used_tickets_are_remembered_no_longer_than_they_would_be_valid():
    clock = Clock()
    tickets = Tickets(lifetime_s=60, clock=clock)
    tickets.redeem(tickets.issue(ADA))
    clock.now += 61
    tickets.redeem(tickets.issue(ADA))

    assert len(tickets._used) == 1


@pytest.mark.parametrize(
    "change", [lambda t: t[:-9] + t[-9].swapcase() + t[-8:] + "x", lambda t: "x" + t, lambda t: ""]
)
def test_a_changed_ticket_is_refused(change):
    tickets = Tickets()

    with pytest.raises(AccessError, match="not issued by this server"):
        tickets.redeem(change(tickets.issue(ADA)))


def test_a_ticket_of_another_process_is_refused():
    with pytest.raises(AccessError, match="not issued by this server"):
        Tickets(secret="b").redeem(Tickets(secret="a").issue(ADA))


def test_a_ticket_may_stand_in_a_subprotocol():
    """RFC 7230, 3.2.6: what a token is made of."""
    token = set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

    assert set(Tickets().issue(Person("Zoë Šimić", "asker", ("a b", "ü")), "c/1")) <= token
