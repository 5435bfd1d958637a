"""Actions of the portal on the real database, one at a time, with the invariants that `test_machine.py` checks.

A worker is represented by its unfinished work: a claim that was not sent yet, or a response that was not recorded yet.
It can therefore die or be late between claim, POST and record.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from commands.actions import settle as reconcile
from commands.actions.administration import restore
from commands.actions.listing import schedule, sync
from commands.actions.sending import claim as queue
from commands.actions.sending import deliver, holds, rerun, withdraw
from commands.actions.sending.claim import Claimed
from commands.actions.sending.deliver import Failure
from commands.actions.sending.submit import Submitted, submit_run
from commands.cloudflare.types import CreateResult, NewCommand
from commands.models import Account, AccountSync, Command, Dispatch, User
from commands.rules.events import EventType
from commands.rules.kinds import CAPTURES, Kind, Options
from commands.rules.states import DONE, IN_FLIGHT, OPEN, UNSENT, ArtifactStatus, Status
from commands.rules.targeting import Target
from tests.actions.model import Cloudflare, Entry, Post, WorkerDied
from tests.faults import compare
from tests.faults.compare import RecordedCommand, Tag, Verdict
from tests.faults.snapshot import recorded_commands
from tests.faults.workload import options_text

TARGETS: Mapping[str, Target] = {
    "laptop": Target("d-laptop", "ann@example.com", "reg-ann", "laptop", "mac", listed=True),
    "desktop": Target("d-desktop", "bob@example.com", "reg-bob", "desktop", "windows", listed=True),
    "shared, by eve": Target("d-shared", "eve@example.com", "reg-eve", "shared", "windows", listed=True),
    "shared, by tom": Target("d-shared", "tom@example.com", "reg-tom", "shared", "windows", listed=True),
    "typed": Target("d-typed", "kim@example.com"),
}
CLOCKS_OFF = timedelta(seconds=40)  # largest difference between a worker's clock and the database's
WINDOWS = {target.device_id for target in TARGETS.values() if target.platform == "windows"}


@dataclass(frozen=True)
class Answer:
    claimed: Claimed
    answer: CreateResult | Failure


@dataclass(frozen=True)
class Backup:
    savepoint: str
    asked: tuple[Tag, ...]


@dataclass
class Portal:
    account: Account
    person: User
    cloudflare: Cloudflare
    asked: list[Tag] = field(default_factory=list)
    claimed: list[Claimed] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    recorded: list[Answer] = field(default_factory=list)
    ids: dict[UUID, str] = field(default_factory=dict)  # the first remote id of each command
    complete_at: datetime | None = None
    backup: Backup | None = None
    dies_before_hand_back: bool = False
    knows_the_time: bool = True  # without it our rows may be imported as foreign, but nothing is ever doubled
    unsent: int = 0  # our unsent commands at the last check
    ended: list[UUID] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)  # runs
    to_go: set[str] = field(default_factory=set)
    _sets: int = 0

    @property
    def now(self) -> datetime:
        return self.cloudflare.clock.now

    # --- a person ---

    def _options(self, kind: Kind) -> Options:
        """Return options that no other command has. Limits of the dialects are tested elsewhere."""
        self._sets += 1
        if kind is Kind.PCAP:
            return {"time-limit-min": 1, "packet-size-bytes": self._sets}
        return {"test-all-routes": False, "max-file-size-mb": self._sets}

    def submit(self, names: Sequence[str], kinds: Sequence[Kind], *, twice: bool) -> None:
        targets = {TARGETS[name].device_id: TARGETS[name] for name in names}
        options = {kind: self._options(kind) for kind in kinds}
        key = uuid4()
        for _ in range(2 if twice else 1):
            result = submit_run(
                account=self.account,
                by=self.person,
                now=self.now,
                key=key,
                kinds=options,
                targets=list(targets.values()),
            )
            assert isinstance(result, Submitted), result
        self.asked += [
            Tag(self.account.cloudflare_id, device_id, kind, options_text(chosen))
            for device_id in targets
            for kind, chosen in options.items()
        ]

    def withdraw_all(self) -> None:
        unsent = Command.objects.ours().filter(status__in=UNSENT)
        self.withdrawn.update(str(run_id) for run_id in unsent.values_list("run_id", flat=True))
        ids = list(Command.objects.ours().values_list("id", flat=True))
        withdraw.withdraw(account=self.account, ids=ids, by=self.person, now=self.now)

    def send_now(self) -> None:
        ids = list(Command.objects.ours().values_list("id", flat=True))
        self.to_go.update(map(str, holds.release(commands=ids, by=self.person, now=self.now)))

    def run_again(self, id_: UUID) -> None:
        """Run a command again, with options that no other command has."""
        command = Command.objects.select_related("account", "run", "dispatch").get(id=id_)
        kind = Kind(command.kind)
        command.options = dict(self._options(kind))
        result = rerun.run_again(commands=[command], by=self.person, key=uuid4(), now=self.now)
        assert not result.refused, result
        tag = Tag(self.account.cloudflare_id, command.device_id, kind, options_text(command.options))
        self.asked.append(tag)

    # --- workers ---

    def claim(self) -> bool:
        in_flight = Command.objects.shown().in_flight()
        busy = set(in_flight.filter(started_elsewhere=True).values_list("device_id", "kind"))
        claimed = queue.claim(self._fresh_account(), now=self.now)
        if claimed is None:
            return False
        assert busy.isdisjoint((command.device_id, command.kind) for command in claimed.commands), (
            "nothing is sent to a device that is busy"
        )
        self.claimed.append(claimed)
        return True

    def post(self, claimed: Claimed, how: Post) -> None:
        self.claimed.remove(claimed)
        self.cloudflare.post = how
        self.answers.append(Answer(claimed, deliver.post(claimed)))
        self.cloudflare.post = Post()  # the lease may have ended before the POST began

    def record(self, answer: Answer) -> None:
        deliver.record(answer.claimed, answer.answer, now=self.now)
        if answer not in self.answers:
            return
        self.answers.remove(answer)
        self.recorded.append(answer)
        if isinstance(answer.answer, CreateResult):
            named = {created.id: (created.device_id, created.kind) for created in answer.answer.created}
            waiting = Command.objects.filter(dispatch=answer.claimed.dispatch, remote_id="")
            waits = set(waiting.values_list("device_id", "kind"))
            owned = set(Command.objects.filter(remote_id__in=list(named)).values_list("remote_id", flat=True))
            refused = [id_ for id_, place in named.items() if place in waits and id_ not in owned]
            assert not refused, "a response counts, however late it comes"

    def deliver(self) -> bool:
        return deliver.deliver(self._fresh_account(), now=self.now)

    def sync(self, *, complete: bool, clock_off: int = 0) -> None:
        now = self.now + timedelta(seconds=clock_off)
        if complete:
            AccountSync.objects.filter(account=self.account).update(complete_due_at=now)
        schedule.schedule_listing_by(self.account.id, at=now)
        try:
            sync.sync(self._fresh_account(), now=now)
        except WorkerDied:
            pass
        finally:
            self.dies_before_hand_back = False

    def settle(self) -> None:
        refused = Q(dispatch__outcome=Dispatch.Outcome.REJECTED)  # goes back to the queue after a complete listing
        looked_for = Command.objects.filter(~refused, status=Status.UNCERTAIN).values_list(
            "id", "dispatch__lease_until", "missed_listings"
        )
        early = {
            id_
            for id_, lease_until, missed_listings in looked_for
            if self.now < lease_until + settings.SETTLE_WINDOW_MAX
            and (self.now < lease_until + settings.SETTLE_WINDOW or missed_listings < settings.SETTLE_LISTINGS)
        }
        reconcile.settle(now=self.now)
        given_up = Command.objects.filter(id__in=early).exclude(status=Status.UNCERTAIN)
        assert not given_up.exists(), "no command is unconfirmed before its settle window ends"

    def _fresh_account(self) -> Account:
        return Account.objects.select_related("credential").get(id=self.account.id)

    # --- an operator ---

    def back_up(self) -> None:
        self.backup = Backup(transaction.savepoint_create(), tuple(self.asked))

    def restore(self) -> None:
        """Stop all workers and restore the backup. Requests made since the backup are forgotten."""
        assert self.backup is not None
        transaction.savepoint_rollback(self.backup.savepoint)
        self.claimed, self.answers, self.recorded, self.ids = [], [], [], {}
        self.complete_at = None
        self.asked, self.backup = list(self.backup.asked), None
        self._forget()
        restore.after_restore(now=self.now)

    def _forget(self) -> None:
        """Mark the entries that the restored portal can't recognize as its own.

        These are commands requested since the backup, and commands of a device and kind for which several were waiting.
        Of several, the portal can't know which one was sent.
        """
        owned = set(Command.objects.exclude(remote_id="").values_list("remote_id", flat=True))
        open_ = Command.objects.ours().filter(status__in=OPEN, remote_id="")
        waiting = Counter(open_.values_list("device_id", "kind"))
        for entry in self.cloudflare.ledger:
            is_shared = waiting[entry.item.device_id, entry.item.kind] > 1
            if entry.id not in owned and (is_shared or self.tag(entry) not in self.asked):
                entry.is_forgotten = True

    # --- invariants ---

    def tag(self, entry: Entry) -> Tag:
        item = entry.item
        return Tag(self.account.cloudflare_id, item.device_id, item.kind, options_text(item.options))

    def check(self) -> None:
        """Check the invariants that hold after every step."""
        rows = recorded_commands()
        ours = [row for row in rows if not row.started_elsewhere]
        self.unsent = sum(row.status in UNSENT for row in ours)
        self.ended = [UUID(row.id) for row in ours if row.status in DONE]
        entries = Counter(
            self.tag(entry) for entry in self.cloudflare.ledger if not entry.foreign
        )  # forgotten ones too
        assert entries.total() == len(entries), "no command is created twice"
        assert [fault for row in rows for fault in compare.history_errors(row)] == []
        owners = Counter(row.remote_id for row in rows if row.remote_id)
        assert owners.total() == len(owners), "a remote id belongs to one command"
        for row in rows:
            known = self.ids.setdefault(UUID(row.id), row.remote_id) or row.remote_id
            assert row.remote_id == known or row.is_merged, "a command keeps its remote id"
            self.ids[UUID(row.id)] = known
        adopted = [line for row in rows for line in row.history if line.event == EventType.ADOPTED]
        assert all(line.from_status != Status.SENDING for line in adopted), (
            "a command that is being sent is not adopted"
        )
        self._check_machines(rows)
        if self.knows_the_time:
            self._check_imports(rows)
        complete_at = AccountSync.objects.values_list("complete_at", flat=True).get(account=self.account)
        if self.complete_at is not None:
            assert complete_at is not None
            assert complete_at >= self.complete_at - 2 * CLOCKS_OFF, "a worker that lost its lease writes nothing"
        self.complete_at = complete_at

    def _check_machines(self, rows: Sequence[RecordedCommand]) -> None:
        ours = [row.tag for row in rows if row.status in IN_FLIGHT and not row.started_elsewhere]
        places = Counter((tag.device_id, tag.kind) for tag in ours)
        places += Counter(
            (tag.device_id, "capture") for tag in ours if tag.device_id in WINDOWS and Kind(tag.kind) in CAPTURES
        )
        assert all(number == 1 for number in places.values()), "a device runs one command of a kind at a time"

    def _check_imports(self, rows: Sequence[RecordedCommand]) -> None:
        imported = {row.remote_id for row in rows if row.started_elsewhere and row.remote_id}
        owners = {row.tag: row for row in rows if not row.started_elsewhere}
        for entry in self.cloudflare.ledger:
            if entry.id not in imported:
                continue
            age = self.now + self.cloudflare.offset - entry.created_at
            assert age > settings.SETTLE_WINDOW, "a row younger than the settle window is not imported"
            if entry.foreign or entry.is_forgotten:
                continue
            owner = owners[self.tag(entry)]
            waits = owner.status is Status.QUEUED and owner.created_from is not None  # in the queue, after a restore
            assert owner.remote_id or waits, "our command is not imported as a foreign one"

    def is_quiet(self) -> bool:
        """Return whether every command has ended and every entry of the ledger is recorded."""
        rows = recorded_commands()
        owners = {row.remote_id: row for row in rows if row.remote_id}
        return all(row.status not in OPEN for row in rows if not row.started_elsewhere) and all(
            entry.id in owners and owners[entry.id].status == entry.final for entry in self.cloudflare.ledger
        )

    def verdict(self) -> Verdict:
        ledger = [
            compare.LedgerEntry(
                entry.id,
                self.tag(entry),
                entry.created_at - self.cloudflare.offset,
                entry.foreign or entry.is_forgotten,
                entry.final,
            )
            for entry in self.cloudflare.ledger
        ]
        acts = compare.UserActions(withdrawn_runs=frozenset(self.withdrawn), release_requested=frozenset(self.to_go))
        rows = [_without_times_and_downloads(row) for row in recorded_commands()]
        return compare.compare(
            self.asked, rows, ledger, expected=len(self.asked), imports_due=self.now, user_actions=acts
        )


def _without_times_and_downloads(row: RecordedCommand) -> RecordedCommand:
    """Adjust a row for the comparison.

    No worker downloads files, so a wanted file counts as stored. Clocks are wrong on purpose, so claim times are
    removed. `check` tests after every step that a device runs one command at a time.
    """
    file = replace(row.file, status=ArtifactStatus.STORED, is_stored=True) if row.file else None
    return replace(row, file=file, claimed_at=None)


def twin(tag: Tag) -> NewCommand:
    """Return a command started in Cloudflare's dashboard, of the same device and kind."""
    target = next(target for target in TARGETS.values() if target.device_id == tag.device_id)
    return NewCommand(target.device_id, tag.kind, target.email, target.registration_id)
