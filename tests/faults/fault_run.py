"""Fault run from empty servers to the verdict. `scripts/chaos.py` and the tests start it.

It needs its own process: it sets the environment of the portal that it starts, and only then sets up Django for itself.
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

import django
from django.core.management import call_command

from dexportal.run.supervisor import print_lines
from tests.faults.compare import Verdict, compare
from tests.faults.compare_files import UnloggedFailures
from tests.faults.desk_client import DeskClient
from tests.faults.fault_injector import FaultInjector
from tests.faults.schedule import Schedule, Step, cycles
from tests.faults.testbed import FETCHERS, Testbed, running_testbed
from tests.servers import BUILD

TICK = 0.05
SPEED = 120.0
LOG_INTERVAL = 10.0
IDLE_WITHIN = 240.0  # after the last fault; longer than all deadlines of the settings together
REQUEST_WITHIN = 600.0
IMPORT_WITHIN = 60.0  # after the last command is final; the next complete listings can still adopt, merge or import
KILL_AT = (
    "before_post:0.01,after_post:0.01,inside_record:0.005,after_record:0.005,before_listing_is_applied:0.001,"
    "inside_listing:0.001,inside_settle:0.001,after_claim_of_file:0.002,between_spool_and_store:0.002,"
    "between_store_and_commit:0.002"
)


@dataclass(frozen=True)
class RunConfig:
    """Parameters of a run.

    `steps` are the steps of a saved schedule. Without them, the seed makes cycles of `cycle` seconds until everything
    is sent or `max_time` is over.
    """

    commands: int
    accounts: int
    seed: int
    cycle: float = 120.0
    max_time: float = 3600.0
    min_time: float = 0.0  # seconds over which requests are spread; faults last at least as long
    steps: tuple[Step, ...] | None = None
    kill_at: str = KILL_AT

    def all_steps(self) -> Iterator[Step]:
        return iter(self.steps) if self.steps is not None else chain.from_iterable(cycles(self.seed, self.cycle))


@dataclass
class RunResult:
    verdict: Verdict
    schedule: Schedule
    log_lines: list[str]


def run(config: RunConfig) -> RunResult:
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{config.seed}-", dir=BUILD))
    print_lines(f"logs in {folder}", "chaos")
    with running_testbed(
        folder, accounts=config.accounts, speed=SPEED, kill_at=f"{config.kill_at},seed={config.seed}"
    ) as testbed:
        testbed.control.configure(**_without_limits(testbed))
        os.environ.update(testbed.environment)
        django.setup()
        call_command("migrate", verbosity=0)
        return _FaultRun(config, testbed).execute()


def _without_limits(testbed: Testbed) -> dict[str, object]:
    """Return a configuration with unlimited quota and rate, and with a few shared files."""
    accounts = [{**account, "quota": 10**6} for account in testbed.control.config()["accounts"]]
    return {"accounts": accounts, "rate_limit": 10**6, "shared_artifacts": 3}


class _FaultRun:
    def __init__(self, config: RunConfig, testbed: Testbed) -> None:
        from tests.faults import workload

        self.config, self.testbed = config, testbed
        self.injector = FaultInjector(testbed, config.seed)
        self.log_lines: list[str] = []
        self.requested_after: float | None = None  # seconds until all commands were requested
        accounts = testbed.control.config()["accounts"]
        self.tokens = {account["account_id"]: account["token"] for account in accounts}
        workload.prepare(accounts)
        self.testbed.start_portal()
        client = DeskClient(testbed.web_address, workload.REQUESTER, testbed.environment["DEXPORTAL_DEMO_PASSWORD"])
        self.workload = workload.Workload(client, config.commands, Random(f"people/{config.seed}"), config.min_time)
        eligible = [device for device in testbed.control.devices() if device["eligible"]]  # the desk skips all others
        run_requests = workload.run_requests(config.seed, eligible)
        self.thread = Thread(target=self.workload.run, args=(run_requests,), daemon=True)

    def execute(self) -> RunResult:
        started = self.started = monotonic()
        self.thread.start()
        self._inject_faults(started)
        faults_ended_after = monotonic() - started
        self.injector.end_all()
        self._log(f"faults ended after {faults_ended_after:.0f} s")
        rate = len(self.workload.requested) / (self.requested_after or faults_ended_after)
        self._finish_requests()
        is_idle = self._wait_until_idle()
        self.workload.stop.set()  # it released held commands until now
        self.thread.join()
        self._log(
            f"{len(self.workload.requested)} requested, {rate:.1f} commands per second under faults; "
            f"{'idle' if is_idle else 'NOT IDLE'} {monotonic() - started - faults_ended_after:.0f} s later; "
            f"{self.testbed.deaths.total()} processes died"
        )
        self._log(self.workload.summary())
        self._log(f"{self._restart_summary()}; {self._count_uncertain()} commands became uncertain")
        verdict = self._final_verdict()
        steps = tuple(self.injector.started_steps)
        schedule = Schedule(self.config.commands, self.config.accounts, self.config.seed, steps, self.config.kill_at)
        return RunResult(verdict, schedule, self.log_lines)

    # --- Faults ---

    def _inject_faults(self, started: float) -> None:
        steps, logged_at = self.config.all_steps(), started
        step = next(steps, None)
        while (now := monotonic() - started) < self.config.max_time:
            while step is not None and step.at <= now:
                self.injector.begin(step, now)
                step = next(steps, None)
            self.injector.end_due(now)
            self.testbed.restart_dead()
            if self.requested_after is None and self._all_requested():
                self.requested_after = now
            if monotonic() - logged_at > LOG_INTERVAL:
                logged_at = monotonic()
                self._log_progress()
                if now > self.config.min_time and self._all_sent():
                    return
            Event().wait(TICK)

    def _all_requested(self) -> bool:
        return self.workload.is_done.is_set() or not self.thread.is_alive()

    def _all_sent(self) -> bool:
        return self._all_requested() and not self._open_statuses(("queued", "sending"))

    # --- Waiting for the end ---

    def _finish_requests(self) -> None:
        """Wait for the requests that are still missing, now without faults."""
        deadline = monotonic() + REQUEST_WITHIN
        while not self._all_requested() and monotonic() < deadline:
            self.injector.restart_database_under_halted()
            self.testbed.restart_dead()
            self.thread.join(TICK)

    def _wait_until_idle(self) -> bool:
        """Wait until no command is in flight and there are no findings, at most for all deadlines together."""
        started = logged_at = monotonic()
        idle_since: float | None = None
        while monotonic() < started + IDLE_WITHIN:
            self.injector.restart_database_under_halted()
            self.testbed.restart_dead()
            idle_since = (idle_since or monotonic()) if self._is_idle() else None
            findings = self._verdict().findings if idle_since else []
            if idle_since and (not findings or monotonic() > idle_since + IMPORT_WITHIN):
                break
            if monotonic() - logged_at > LOG_INTERVAL:
                logged_at = monotonic()
                self._log_progress()
                if findings:
                    self._log(f"{len(findings)} findings left: {findings[0]}")
            Event().wait(1)
        return idle_since is not None

    def _is_idle(self) -> bool:
        from tests.faults import snapshot

        return (
            not self._open_statuses(("queued", "waiting_device", *_IN_FLIGHT)) and not snapshot.count_unfinished_files()
        )

    def _verdict(self) -> Verdict:
        from django.conf import settings
        from django.utils import timezone

        from tests.faults import snapshot

        age = max(settings.SETTLE_WINDOW, settings.ADOPT_BEFORE + settings.DISPATCH_LEASE)
        imports_due = timezone.now() - age - 2 * settings.LISTING_INTERVAL_OPEN - settings.LISTING_INTERVAL_IDLE
        ledger = snapshot.ledger_entries(self.testbed.control.ledger())
        user_actions = self.workload.user_actions(
            UnloggedFailures(self.testbed.deaths_of(*FETCHERS), tuple(self.injector.outages))
        )
        return compare(
            self.workload.requested,
            snapshot.recorded_commands(),
            ledger,
            expected=self.config.commands,
            imports_due=imports_due,
            user_actions=user_actions,
        )

    def _final_verdict(self) -> Verdict:
        from tests.faults import snapshot

        verdict = self._verdict()
        verdict.wrong += self.workload.wrong
        if self.injector.restart_requests and not self.injector.halted_dispatches:
            verdict.wrong.append("the database was never restarted between a POST and its record")
        if not self._count_uncertain():
            verdict.wrong.append("no command became uncertain, so the faults had no effect and the run proves nothing")
        if self.workload.error is not None:
            verdict.wrong.append(f"the workload ended early: {self.workload.error!r}")
        read, damaged = snapshot.damaged_files(self.testbed.control, self.tokens, one_in=20)
        verdict.wrong += damaged
        self._log(f"{read} files read, {len(damaged)} damaged; {len(verdict.twins)} twins: {self._count_by_status()}")
        return verdict

    # --- Progress ---

    def _restart_summary(self) -> str:
        from commands.models import Dispatch

        unknown = (Dispatch.Outcome.OPEN, Dispatch.Outcome.UNKNOWN)
        recorded = Dispatch.objects.filter(id__in=self.injector.halted_dispatches).exclude(outcome__in=unknown).count()
        restarts = len(self.injector.halted_dispatches)
        return f"PostgreSQL was restarted between {restarts} POSTs and their records, {recorded} of which were recorded"

    @staticmethod
    def _count_uncertain() -> int:
        """Count how often a command of ours became uncertain."""
        from commands.models import Event

        return Event.objects.filter(to_status="uncertain").count()

    def _count_by_status(self) -> Counter[str] | None:
        """Count our commands by status, or return None while the database is down."""
        from django.db import Error, connection

        from commands.models import Command

        try:
            return Counter(Command.objects.ours().values_list("status", flat=True))
        except Error:
            connection.close()
            return None

    def _open_statuses(self, statuses: tuple[str, ...]) -> list[str]:
        counts = self._count_by_status()
        return ["?"] if counts is None else [status for status in statuses if counts[status]]

    def _log_progress(self) -> None:
        requested, deaths = len(self.workload.requested), self.testbed.deaths.total()
        self._log(f"{requested} requested, {self._count_by_status()}, {deaths} processes died")

    def _log(self, message: str) -> None:
        self.log_lines.append(message)
        print_lines(f"{monotonic() - self.started:6.0f} s  {message}", "chaos")


_IN_FLIGHT = ("sending", "uncertain", "PENDING_EXEC", "PENDING_UPLOAD")
