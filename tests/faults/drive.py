"""A whole fault run, from empty servers to the verdict. `scripts/chaos.py` and the tests start it.

A process of its own: it sets the environment of the portal that it starts, and sets Django up for itself after that.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

import django
from django.core.management import call_command

from dexportal.run.supervisor import say
from tests.faults.compare import Verdict, compare
from tests.faults.files import Mishaps
from tests.faults.person import Person
from tests.faults.player import Player
from tests.faults.schedule import Schedule, Step, cycles
from tests.faults.stage import FETCHERS, Stage, staged
from tests.servers import BUILD

if TYPE_CHECKING:
    from tests.faults.asking import Asker

TICK = 0.05
SPEED = 120.0
TELL_EVERY = 10.0
QUIET_WITHIN = 240.0  # after the last fault: longer than every deadline of the settings, one after another
ASKED_WITHIN = 600.0
FOUND_WITHIN = 60.0  # after the last ending: what the next complete listings may still find, merge, import
KILL_AT = (
    "before_post:0.01,after_post:0.01,inside_record:0.005,after_record:0.005,before_listing_is_applied:0.001,"
    "inside_listing:0.001,inside_settle:0.001,after_claim_of_file:0.002,between_spool_and_store:0.002,"
    "between_store_and_commit:0.002"
)


@dataclass(frozen=True)
class Order:
    """What is to be run. `steps`: those of a kept schedule; else cycles of `cycle` seconds from the seed, until all is
    sent or `time` is up."""

    commands: int
    accounts: int
    seed: int
    cycle: float = 120.0
    time: float = 3600.0
    least: float = 0.0  # seconds over which the asking is spread, and for which faults go on although all is sent
    steps: tuple[Step, ...] | None = None
    kill_at: str = KILL_AT

    def all_steps(self) -> Iterator[Step]:
        return iter(self.steps) if self.steps is not None else chain.from_iterable(cycles(self.seed, self.cycle))


@dataclass
class Outcome:
    verdict: Verdict
    schedule: Schedule
    told: list[str]


def run(order: Order) -> Outcome:
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{order.seed}-", dir=BUILD))
    say(f"logs in {folder}", "chaos")
    with staged(folder, accounts=order.accounts, speed=SPEED, kill_at=f"{order.kill_at},seed={order.seed}") as stage:
        stage.control.configure(**_roomy(stage))
        os.environ.update(stage.environment)
        django.setup()
        call_command("migrate", verbosity=0)
        return _Run(order, stage).play()


def _roomy(stage: Stage) -> dict[str, object]:
    """Quota and rate that are in nobody's way, and a few files that are shared."""
    accounts = [{**one, "quota": 10**6} for one in stage.control.config()["accounts"]]
    return {"accounts": accounts, "rate_limit": 10**6, "shared_artifacts": 3}


class _Run:
    def __init__(self, order: Order, stage: Stage) -> None:
        from tests.faults import asking

        self.order, self.stage = order, stage
        self.player = Player(stage, order.seed)
        self.told: list[str] = []
        self.asked_after: float | None = None  # seconds until all was asked
        accounts = stage.control.config()["accounts"]
        self.tokens = {one["account_id"]: one["token"] for one in accounts}
        asking.prepare(accounts)
        self.stage.start_portal()
        person = Person(stage.web_address, asking.ASKER, stage.environment["DEXPORTAL_DEMO_PASSWORD"])
        person.sign_in()
        self.asker: Asker = asking.Asker(person, order.commands, Random(f"people/{order.seed}"), order.least)
        able = [one for one in stage.control.devices() if one["eligible"]]  # the desk leaves the others out
        questions = asking.questions(order.seed, able)
        self.asking = Thread(target=self.asker.ask_all, args=(questions,), daemon=True)

    def play(self) -> Outcome:
        began = self.began = monotonic()
        self.asking.start()
        self._hurt(began)
        sent_after = monotonic() - began
        self.player.end_all()
        self._tell(f"faults over after {sent_after:.0f} s")
        pace = len(self.asker.asked) / (self.asked_after or sent_after)
        self._finish_asking()
        quiet = self._wait_until_quiet()
        self.asker.stop.set()  # until now it let go what was held
        self.asking.join()
        self._tell(
            f"{len(self.asker.asked)} asked, {pace:.1f} commands a second under faults; "
            f"{'quiet' if quiet else 'NOT QUIET'} {monotonic() - began - sent_after:.0f} s later; "
            f"{self.stage.deaths.total()} deaths of processes"
        )
        self._tell(self.asker.told())
        self._tell(f"{self._halted()}; {self._doubts()} times a command was in doubt")
        verdict = self._judge()
        steps = tuple(self.player.done)
        kept = Schedule(self.order.commands, self.order.accounts, self.order.seed, steps, self.order.kill_at)
        return Outcome(verdict, kept, self.told)

    # --- Faults ---

    def _hurt(self, began: float) -> None:
        steps, told = self.order.all_steps(), began
        step = next(steps, None)
        while (now := monotonic() - began) < self.order.time:
            while step is not None and step.at <= now:
                self.player.begin(step, now)
                step = next(steps, None)
            self.player.end_due(now)
            self.stage.look_after()
            if self.asked_after is None and self._all_asked():
                self.asked_after = now
            if monotonic() - told > TELL_EVERY:
                told = monotonic()
                self._tell_progress()
                if now > self.order.least and self._all_sent():
                    return
            Event().wait(TICK)

    def _all_asked(self) -> bool:
        return self.asker.is_done.is_set() or not self.asking.is_alive()

    def _all_sent(self) -> bool:
        return self._all_asked() and not self._open(("queued", "sending"))

    # --- Quiet ---

    def _finish_asking(self) -> None:
        """What the faults left no time for is asked without them."""
        until = monotonic() + ASKED_WITHIN
        while not self._all_asked() and monotonic() < until:
            self.player.restart_below_halted()
            self.stage.look_after()
            self.asking.join(TICK)

    def _wait_until_quiet(self) -> bool:
        """Until nothing is in flight and all is well, or for as long as every deadline together takes."""
        began = told = monotonic()
        rested: float | None = None
        while monotonic() < began + QUIET_WITHIN:
            self.player.restart_below_halted()
            self.stage.look_after()
            rested = (rested or monotonic()) if self._rests() else None
            findings = self._verdict().findings if rested else []
            if rested and (not findings or monotonic() > rested + FOUND_WITHIN):
                break
            if monotonic() - told > TELL_EVERY:
                told = monotonic()
                self._tell_progress()
                if findings:
                    self._tell(f"{len(findings)} not yet as they should be: {findings[0]}")
            Event().wait(1)
        return rested is not None

    def _rests(self) -> bool:
        from tests.faults import record

        return not self._open(("queued", "waiting_device", *_IN_FLIGHT)) and not record.files_under_way()

    def _verdict(self) -> Verdict:
        from django.conf import settings
        from django.utils import timezone

        from tests.faults import record

        age = max(settings.SETTLE_WINDOW, settings.ADOPT_BEFORE + settings.DISPATCH_LEASE)
        by = timezone.now() - age - 2 * settings.LISTING_INTERVAL_OPEN - settings.LISTING_INTERVAL_IDLE
        ledger = record.entries(self.stage.control.ledger())
        acts = self.asker.acts(Mishaps(self.stage.deaths_of(*FETCHERS), tuple(self.player.upsets)))
        return compare(self.asker.asked, record.record(), ledger, wanted=self.order.commands, imported_by=by, acts=acts)

    def _judge(self) -> Verdict:
        from tests.faults import record

        verdict = self._verdict()
        verdict.wrong += self.asker.wrong
        if self.player.wishes and not self.player.halted:
            verdict.wrong.append("the database was never restarted between a POST and its record")
        if not self._doubts():
            verdict.wrong.append("no command was ever in doubt: the faults met nothing, and the run proves nothing")
        if self.asker.problem is not None:
            verdict.wrong.append(f"asking ended: {self.asker.problem!r}")
        read, damaged = record.damaged_files(self.stage.control, self.tokens, one_in=20)
        verdict.wrong += damaged
        self._tell(f"{read} files read, {len(damaged)} damaged; {len(verdict.twins)} twins: {self._counts()}")
        return verdict

    # --- Telling ---

    def _halted(self) -> str:
        from commands.models import Dispatch

        unknown = (Dispatch.Outcome.OPEN, Dispatch.Outcome.UNKNOWN)
        recorded = Dispatch.objects.filter(id__in=self.player.halted).exclude(outcome__in=unknown).count()
        halted = len(self.player.halted)
        return f"PostgreSQL was restarted {halted} times between POST and record, of which {recorded} were recorded"

    @staticmethod
    def _doubts() -> int:
        """How often a command of ours became uncertain."""
        from commands.models import Event

        return Event.objects.filter(to_status="uncertain").count()

    def _counts(self) -> Counter[str] | None:
        """Commands of ours by status; None while the database is away."""
        from django.db import Error, connection

        from commands.models import Command

        try:
            return Counter(Command.objects.ours().values_list("status", flat=True))
        except Error:
            connection.close()
            return None

    def _open(self, statuses: tuple[str, ...]) -> list[str]:
        counts = self._counts()
        return ["?"] if counts is None else [status for status in statuses if counts[status]]

    def _tell_progress(self) -> None:
        self._tell(f"{len(self.asker.asked)} asked, {self._counts()}, {self.stage.deaths.total()} deaths")

    def _tell(self, words: str) -> None:
        self.told.append(words)
        say(f"{monotonic() - self.began:6.0f} s  {words}", "chaos")


_IN_FLIGHT = ("sending", "uncertain", "PENDING_EXEC", "PENDING_UPLOAD")
