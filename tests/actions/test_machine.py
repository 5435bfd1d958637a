"""Verbs, matching and a model of Cloudflare driven by hypothesis, in one process and on the real database.

Each example lives in a savepoint of the test's own transaction, and is rolled back at its end.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from commands.actions import claims, listings, upstream
from commands.kinds import Kind
from commands.models import Account, AccountSync
from tests.actions.model import (
    FLAWS,
    LATEST,
    LIST_ERRORS,
    MOST_SKEW,
    Clock,
    Cloudflare,
    Fate,
    Listing,
    Post,
    WorkerDied,
)
from tests.actions.portal import CLOCKS_OFF, TARGETS, Portal, foreign_item
from tests.people import make_account, make_credential, make_person

UNTIL_QUIET = [200] * 12 + [3600] * 4 + [90_000] * 3  # seconds between the last syncs: all windows, all expiries
OFF = int(CLOCKS_OFF.total_seconds())
MOST_UNSENT = 6  # and nobody asks for more

names = st.sampled_from(sorted(TARGETS))
kinds = st.sampled_from([Kind.PCAP, Kind.WARP_DIAG])
skews = st.integers(-MOST_SKEW, MOST_SKEW)
clocks = st.sampled_from([0, 0, -OFF, OFF])  # how much a worker's own is off
which = st.integers(0, 3)
posts = st.builds(
    Post,
    st.sampled_from(Fate),
    seconds=st.integers(0, 15),
    late=st.integers(1, LATEST),
    skew=skews,
    seed=st.integers(0, 99),
)
flawed = st.builds(
    Listing,
    st.frozensets(st.sampled_from(FLAWS)),
    lag=st.sampled_from([0, 0, 20, 90, 900]),
    seed=st.integers(0, 99),
)


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(transaction.atomic())
        self.stack.callback(transaction.set_rollback, True)
        self.stack.enter_context(override_settings(PAGE_SIZE=4))
        patch = self.stack.enter_context(pytest.MonkeyPatch.context())
        self.clock = Clock()
        self.cloudflare = Cloudflare(self.clock, timedelta())
        account = make_account(credential=make_credential())
        account.dialect = Account.Dialect.LEGACY  # the one in which both kinds have a number among their options
        account.save(update_fields=["dialect"])
        self.portal = Portal(account, make_person("helpdesk", "helpdesk"), self.cloudflare)
        patch.setattr(claims, "database_now", lambda: self.clock.now)
        patch.setattr(upstream, "client_for", self.cloudflare.client_for)
        patch.setattr(listings, "next_due", self._mortal(listings.next_due))

    def _mortal(self, next_due: Callable[..., datetime]) -> Callable[..., datetime]:
        """A worker may die when what it heard is written, before it hands the account back."""

        def dies_or_not(account: Account, row: AccountSync, now: datetime) -> datetime:
            if self.portal.dies_before_hand_back:
                raise WorkerDied
            return next_due(account, row, now)

        return dies_or_not

    @initialize(seconds=st.sampled_from([0, 300, -300]))
    def cloudflares_clock_is_another(self, seconds: int) -> None:
        self.cloudflare.offset = timedelta(seconds=seconds)

    # --- people ---

    @precondition(lambda self: self.portal.unsent < MOST_UNSENT)
    @rule(chosen=st.lists(names, min_size=1, max_size=3), kinds=st.sets(kinds, min_size=1), twice=st.booleans())
    def somebody_asks(self, chosen: list[str], kinds: set[Kind], twice: bool) -> None:
        self.portal.ask(chosen, sorted(kinds), twice=twice)

    @rule(name=names, kind=kinds, skew=skews)
    def somebody_starts_one_elsewhere(self, name: str, kind: Kind, skew: int) -> None:
        self.cloudflare.land(foreign_item(name, kind), skew=skew, foreign=True)

    @rule(send=st.booleans())
    def somebody_withdraws_or_sends_now(self, send: bool) -> None:
        if send:
            self.portal.send_now()
        else:
            self.portal.withdraw_all()

    @precondition(lambda self: self.portal.ended and self.portal.unsent < MOST_UNSENT)
    @rule(which=which)
    def somebody_runs_one_again(self, which: int) -> None:
        ended = self.portal.ended
        self.portal.run_again(ended[which % len(ended)])

    # --- a worker that delivers ---

    @rule()
    def a_worker_claims(self) -> None:
        self.portal.claim()

    @precondition(lambda self: self.portal.claimed)
    @rule(which=which, how=posts)
    def it_posts(self, which: int, how: Post) -> None:
        self.portal.post(self.portal.claimed[which % len(self.portal.claimed)], how)

    @precondition(lambda self: self.portal.answers)
    @rule(which=which)
    def it_records(self, which: int) -> None:
        self.portal.record(self.portal.answers[which % len(self.portal.answers)])

    @precondition(lambda self: self.portal.recorded)
    @rule(which=which)
    def it_records_again(self, which: int) -> None:
        self.portal.record(self.portal.recorded[which % len(self.portal.recorded)])

    @precondition(lambda self: self.portal.claimed or self.portal.answers)
    @rule(which=which)
    def it_dies(self, which: int) -> None:
        held: list[Any] = self.portal.answers or self.portal.claimed
        del held[which % len(held)]

    @rule(how=posts)
    def a_worker_delivers(self, how: Post) -> None:
        self.cloudflare.post = how
        self.portal.deliver()
        self.cloudflare.post = Post()

    # --- a worker that lists ---

    @rule(complete=st.booleans(), how=flawed, clock_off=clocks)
    def a_worker_lists(self, complete: bool, how: Listing, clock_off: int) -> None:
        self._list(how, complete=complete, clock_off=clock_off)

    @rule(how=flawed, meanwhile=st.sampled_from(["dies", "claim", "deliver", "record", "settle", "stopped"]))
    def a_worker_lists_and_meanwhile(self, how: Listing, meanwhile: str) -> None:
        happens = {
            "dies": self._die,
            "claim": self.portal.claim,
            "deliver": self.portal.deliver,
            "record": self._record_all,
            "settle": self.portal.settle,
            "stopped": self._another_worker_lists,
        }[meanwhile]
        self._list(Listing(how.flaws, how.lag, how.seed, meanwhile=lambda: (happens(), None)[1]), complete=True)

    @rule(error=st.sampled_from(LIST_ERRORS))
    def a_listing_fails(self, error: Any) -> None:
        self._list(Listing(error=error), complete=True)

    @rule(how=flawed)
    def a_worker_lists_and_dies_before_it_hands_back(self, how: Listing) -> None:
        self.portal.dies_before_hand_back = True
        self._list(how, complete=True)

    def _list(self, how: Listing, *, complete: bool, clock_off: int = 0) -> None:
        self.cloudflare.listing = how
        self.portal.sync(complete=complete, clock_off=clock_off)
        self.cloudflare.listing = Listing()

    def _die(self) -> None:
        raise WorkerDied

    def _record_all(self) -> None:
        for answer in list(self.portal.answers):
            self.portal.record(answer)

    def _another_worker_lists(self) -> None:
        """This one is stopped for longer than its lease."""
        self.clock.forward(200)
        self.portal.settle()
        self._list(Listing(), complete=True)

    # --- time, and an operator ---

    @rule()
    def a_worker_settles(self) -> None:
        self.portal.settle()

    @rule(seconds=st.sampled_from([5, 30, 61, 130, 200, 400, 1500, 4000, 7200, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.clock.forward(seconds)

    @precondition(lambda self: self.portal.backup is None)
    @rule()
    def an_operator_backs_up(self) -> None:
        self.portal.back_up()

    @precondition(lambda self: self.portal.backup is not None)
    @rule()
    def an_operator_restores(self) -> None:
        self.portal.restore()

    # --- what must hold ---

    @invariant()
    def nothing_is_doubled_or_out_of_order(self) -> None:
        self.portal.check()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self._come_to_rest()
        finally:
            self.stack.close()

    def _come_to_rest(self) -> None:
        """The workers of before are gone; all goes well from now on, and is listed until nothing is open."""
        self.cloudflare.heal()
        for seconds in UNTIL_QUIET:
            if self.portal.is_quiet():
                break
            self.clock.forward(seconds)
            self.portal.settle()
            self.portal.sync(complete=True)
            for _ in range(5):
                if not self.portal.deliver():
                    break
            self.portal.check()
        verdict = self.portal.verdict()
        assert verdict.is_clean, verdict


@pytest.mark.django_db
def test_whatever_happens_nothing_is_lost_doubled_or_stuck() -> None:
    bounds = settings(
        max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    run_state_machine_as_test(Machine, settings=bounds)
