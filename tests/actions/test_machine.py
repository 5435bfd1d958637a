"""State machine of hypothesis that drives actions, matching and a model of Cloudflare, on the real database.

Each example runs in a savepoint of the test's transaction and is rolled back at its end.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta

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

from commands import clock
from commands.actions.listing import schedule
from commands.actions.upstream import clients
from commands.cloudflare.errors import CloudflareError
from commands.models import Account, AccountSync
from commands.rules.kinds import Kind
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
from tests.actions.portal import CLOCKS_OFF, TARGETS, Portal, twin
from tests.people import make_account, make_credential, make_person

FATES = [*Fate] + [Fate.ANSWERED] * 5 + [Fate.ANSWER_LOST] * 3 + [Fate.LANDED_LATE, Fate.REJECTED_BUT_LANDED]
MEANWHILE = ["nothing"] * 5 + [
    "worker dies",
    "a claim",
    "a delivery",
    "records",
    "worker is stopped",
    "worker dies later",
]
UNTIL_QUIET = [200] * 12 + [3600] * 4 + [90_000] * 3  # seconds between the last syncs, enough for every time-out
OFF = int(CLOCKS_OFF.total_seconds())
MOST_UNSENT = 6  # commands waiting to be sent, so that an example stays small

names = st.sampled_from(sorted(TARGETS))
targets = st.lists(names, min_size=1, max_size=3)
kind = st.sampled_from([Kind.PCAP, Kind.WARP_DIAG])
kinds = st.sets(kind, min_size=1)
skews = st.integers(-MOST_SKEW, MOST_SKEW)
clocks = st.sampled_from([0, 0, -OFF, OFF])  # seconds by which a worker's clock is wrong
which = st.integers(0, 3)
delays = st.sampled_from([0, 0, 10, 61, 400])  # seconds
posts = st.builds(
    Post,
    st.sampled_from(FATES),
    seconds=st.integers(0, 15),
    late=st.integers(1, LATEST),
    skew=skews,
    seed=st.integers(0, 99),
)
listings_ = st.builds(
    Listing,
    st.frozensets(st.sampled_from(FLAWS)),
    lag=st.sampled_from([0, 0, 20, 90, 900]),
    date_off=st.sampled_from([0] * 6 + [200, -200, 3600, -3600]),
    seed=st.integers(0, 99),
)


def _one_of[T](things: Sequence[T], which: int) -> T:
    return things[which % len(things)]


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
        account.dialect = Account.Dialect.LEGACY  # both kinds have a numeric option in it
        account.save(update_fields=["dialect"])
        self.portal = Portal(account, make_person("helpdesk", "helpdesk"), self.cloudflare)
        patch.setattr(clock, "database_now", lambda: self.clock.now)
        patch.setattr(clients, "client_for", self.cloudflare.client_for)
        patch.setattr(schedule, "next_due", self._mortal(schedule.next_due))

    def _mortal(self, next_due: Callable[..., datetime]) -> Callable[..., datetime]:
        """Let a worker die after it wrote the listing and before it releases the account."""

        def die_or_continue(account: Account, row: AccountSync, now: datetime) -> datetime:
            if self.portal.dies_before_hand_back:
                raise WorkerDied
            return next_due(account, row, now)

        return die_or_continue

    @initialize(seconds=st.sampled_from([0, 300, -300]))
    def cloudflares_clock_has_an_offset(self, seconds: int) -> None:
        self.cloudflare.offset = timedelta(seconds=seconds)

    # --- people ---

    @initialize(chosen=targets, kinds=kinds)
    def first_run_is_requested(self, chosen: list[str], kinds: set[Kind]) -> None:
        self.portal.submit(chosen, sorted(kinds), twice=False)

    @precondition(lambda self: self.portal.unsent < MOST_UNSENT)
    @rule(chosen=targets, kinds=kinds, twice=st.booleans())
    def run_is_requested(self, chosen: list[str], kinds: set[Kind], twice: bool) -> None:
        self.portal.submit(chosen, sorted(kinds), twice=twice)

    @rule(which=which, skew=skews)
    def command_is_started_elsewhere(self, which: int, skew: int) -> None:
        """Start the twin of a command of ours, on the same device."""
        self.cloudflare.land(twin(_one_of(self.portal.asked[::-1], which)), skew=skew, foreign=True)

    @rule(operation=st.sampled_from(["run again", "run again", "withdraw", "send now"]), which=which)
    def user_operates(self, operation: str, which: int) -> None:
        if operation == "withdraw":
            self.portal.withdraw_all()
        elif operation == "send now":
            self.portal.send_now()
        elif self.portal.ended and self.portal.unsent < MOST_UNSENT:
            self.portal.run_again(_one_of(self.portal.ended, which))

    # --- workers that deliver ---

    @rule(
        step=st.sampled_from(["claims", "posts", "posts", "records", "records again", "dies"]), which=which, how=posts
    )
    def worker_takes_one_step(self, step: str, which: int, how: Post) -> None:
        """Let a worker claim, post, record or die. Other rules run between these steps."""
        portal = self.portal
        if step == "posts" and portal.claimed:
            portal.post(_one_of(portal.claimed, which), how)
        elif step == "records" and portal.answers:
            portal.record(_one_of(portal.answers, which))
        elif step == "records again" and portal.recorded:
            portal.record(_one_of(portal.recorded, which))
        elif step == "dies" and (portal.answers or portal.claimed):
            del (portal.answers or portal.claimed)[0]
        else:
            portal.claim()

    @rule(how=posts)
    def worker_delivers(self, how: Post) -> None:
        self.cloudflare.post = how
        self.portal.deliver()
        self.cloudflare.post = Post()

    @rule(how=posts, before=delays, after=delays, lists=st.booleans(), repeats=st.booleans())
    def worker_is_delayed(self, how: Post, before: int, after: int, lists: bool, repeats: bool) -> None:
        """Delay a worker before or after its POST while others go on. It may record its response twice."""
        if not self.portal.claim():
            return
        self.time_passes(before, settles=True)
        self.portal.post(self.portal.claimed[-1], how)
        self.time_passes(after, settles=True)
        if lists:
            self._list(Listing(), complete=True)
        self.portal.check()
        answer = self.portal.answers[-1]
        self.portal.record(answer)
        if repeats:
            self.clock.forward(10)
            self.portal.claim()
            self.portal.record(answer)

    # --- workers that list ---

    @rule(
        complete=st.booleans(),
        how=listings_,
        clock_off=clocks,
        times=st.sampled_from([1, 1, 3]),
        meanwhile=st.sampled_from(MEANWHILE),
    )
    def worker_lists(self, complete: bool, how: Listing, clock_off: int, times: int, meanwhile: str) -> None:
        happens: dict[str, Callable[[], object]] = {
            "nothing": lambda: None,
            "worker dies": self._die,
            "a claim": self.portal.claim,
            "a delivery": self.portal.deliver,
            "records": self._record_all,
            "worker is stopped": self._another_worker_lists,
            "worker dies later": lambda: setattr(self.portal, "dies_before_hand_back", True),
        }
        for _ in range(times):
            self._list(replace(how, meanwhile=happens[meanwhile]), complete=complete, clock_off=clock_off)

    @rule(error=st.sampled_from(LIST_ERRORS))
    def listing_fails(self, error: CloudflareError) -> None:
        self._list(Listing(error=error), complete=True)

    def _list(self, how: Listing, *, complete: bool, clock_off: int = 0) -> None:
        self.cloudflare.listing = how
        self.portal.knows_the_time &= not how.date_off
        self.portal.sync(complete=complete, clock_off=clock_off)
        self.cloudflare.listing = Listing()

    def _die(self) -> None:
        raise WorkerDied

    def _record_all(self) -> None:
        for answer in list(self.portal.answers):
            self.portal.record(answer)

    def _another_worker_lists(self) -> None:
        """List with another worker while the first one is stopped for longer than its lease."""
        self.clock.forward(200)
        self.portal.settle()
        self._list(Listing(), complete=True)
        self.portal.check()

    # --- time, and an operator ---

    @rule(seconds=st.sampled_from([0, 5, 30, 61, 130, 200, 400, 1500, 4000, 7200, 90_000]), settles=st.booleans())
    def time_passes(self, seconds: int, settles: bool) -> None:
        self.clock.forward(seconds)
        if settles:
            self.portal.settle()

    @rule(restores=st.sampled_from([False, False, True]))
    def operator_backs_up_or_restores(self, restores: bool) -> None:
        if restores and self.portal.backup:
            self.portal.restore()
        elif not restores:
            self.portal.back_up()

    # --- invariants ---

    @invariant()
    def invariants_hold(self) -> None:
        self.portal.check()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self._finish()
        finally:
            self.stack.close()

    def _finish(self) -> None:
        """Heal Cloudflare, drop the earlier workers, and list until no command is open."""
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
        assert verdict.is_clean if self.portal.knows_the_time else not (verdict.doubled or verdict.stuck), verdict


@pytest.mark.django_db
def test_no_sequence_of_events_loses_doubles_or_blocks_a_command() -> None:
    bounds = settings(
        max_examples=50,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(Machine, settings=bounds)
