"""Asks the commands of a fault run at the desk, as people do, and remembers what it asked.

Each command's options are its own (`compare.Tag`), but for what is run again. Imported only where Django is set up:
accounts are made, and what can be taken back, let go or run again is found, in the database; all that a person does
goes through the web (`person.py`).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from threading import Event
from time import monotonic
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, connection
from django.db.models import Q
from django.utils import timezone

from commands.actions.administration import accounts, demo
from commands.actions.upstream import directory
from commands.models import Account, Command, Credential, Run
from commands.rules.kinds import Kind, Options
from commands.rules.states import DONE, UNSENT, Status
from tests.faults.compare import Acts, Tag
from tests.faults.files import Mishaps
from tests.faults.person import GaveUp, Person

ASKER = "helpdesk"
SIZES = (1, 1, 2, 3, 5, 10, 20, 40)
WAITING_AT_MOST = 200  # commands that are not sent yet: more would expire before their turn
REFUSED_MACHINES = 2  # that are asked though Cloudflare refuses them, and with them whoever travels in the same POST
AGAIN_AFTER = 0.3  # seconds
LOOKED_EVERY = 0.5  # seconds, once all is asked: for what is held
UNSENT_YET = (Status.QUEUED, Status.SENDING, Status.UNCERTAIN)
TWICE, TAKEN_BACK, RUN_AGAIN = 0.1, 0.2, 0.2  # shares of the questions after which somebody does that
TAKEN_BACK_DEVICES = 5  # of a run at most: what is taken back tries nothing else
RUN_AGAIN_AFTER = timedelta(seconds=10)  # since the last POST: its entry, however late, is older than the new command

type Device = Mapping[str, Any]


def options_text(options: Mapping[str, Any]) -> str:
    return json.dumps({key: str(value).lower() for key, value in sorted(options.items())})


def tag_of(command: Command) -> Tag:
    return Tag(command.account.cloudflare_id, command.device_id, command.kind, options_text(command.options))


def prepare(configured: Sequence[Mapping[str, Any]]) -> None:
    """An account with a token and the devices of its own for each of the simulator's, and the person who asks."""
    for number, one in enumerate(configured):
        name = f"Account {number}"
        credential = accounts.add_credential(Credential(name=name, scheme="token"), value=one["token"])
        account = Account(cloudflare_id=one["account_id"], name=name, credential=credential)
        account.dialect = dialect_of(account.cloudflare_id)
        accounts.add_account(account, now=timezone.now())
        directory.refresh(account, now=timezone.now())
    demo.ensure_demo_people(now=timezone.now())


@dataclass(frozen=True)
class Question:
    account: str
    key: UUID
    options: Mapping[Kind, Options]
    devices: tuple[Device, ...]

    def tags(self) -> Iterator[Tag]:
        for device in self.devices:
            for kind, options in self.options.items():
                yield Tag(self.account, device["device_id"], kind, options_text(options))

    def cut(self, commands: int) -> "Question":
        """So that it asks no more than that many."""
        kinds = dict(list(self.options.items())[:commands])
        return replace(self, options=kinds, devices=self.devices[: max(1, commands // len(kinds))])

    def form(self, account_id: UUID) -> dict[str, str | Sequence[str]]:
        """The desk's, filled in."""
        lines = [f"{one['device_id']}, {one['person_email']}, {one['registration_id']}" for one in self.devices]
        fields: dict[str, str | Sequence[str]] = {
            "account": str(account_id),
            "key": str(self.key),
            "kinds": [kind.value for kind in self.options],
            "targets": "\n".join(lines),
            "reason": "A fault run",
        }
        for kind, options in self.options.items():
            fields |= {f"{kind}-{name}": _typed(value) for name, value in options.items() if value is not False}
        return fields


def _typed(value: object) -> str | Sequence[str]:
    """As a browser sends it: a switch that is on is "on", one that is off is not sent."""
    if value is True:
        return "on"
    return value if isinstance(value, list) else str(value)


def questions(seed: int, devices: Sequence[Device]) -> Iterator[Question]:
    """Without an end."""
    rng = Random(f"questions/{seed}")
    machines: dict[str, dict[str, Device]] = {}
    refused = REFUSED_MACHINES
    for device in sorted(devices, key=lambda one: str(one["registration_id"])):
        refused -= not device["eligible"]
        if device["eligible"] or refused >= 0:
            machines.setdefault(device["account_id"], {}).setdefault(device["device_id"], device)
    options = {account: _Options(dialect_of(account)) for account in machines}
    while True:
        account = rng.choice(sorted(machines))
        chosen = options[account].next(rng)
        names = sorted(machines[account])
        targets = tuple(machines[account][name] for name in rng.sample(names, min(rng.choice(SIZES), len(names))))
        yield Question(account, UUID(int=rng.getrandbits(128), version=4), chosen, targets)


def dialect_of(account: str) -> str:
    """Half of the accounts speak the one, half the other, for good; only the older sends a diag's largest size."""
    return Account.Dialect.LEGACY if int(account[-1], 16) % 2 else Account.Dialect.CURRENT


class _Options:
    """Of one account: another set for every question that goes to the wire in its dialect."""

    def __init__(self, dialect: str) -> None:
        self._is_legacy = dialect == Account.Dialect.LEGACY
        rest: list[tuple[Kind, Options]] = [
            (Kind.SPEED_TEST, {"interfaces": chosen}) for chosen in (["default"], ["tunnel"], ["default", "tunnel"])
        ]
        rest += [(Kind.WARP_DIAG, {"test-all-routes": chosen}) for chosen in (True, False)]
        if self._is_legacy:
            rest = [
                (Kind.WARP_DIAG, {"test-all-routes": size % 2 == 0, "max-file-size-mb": size}) for size in range(20, 51)
            ]
        self._rest = rest
        self._captures = 0

    def next(self, rng: Random) -> dict[Kind, Options]:
        rest = [self._rest.pop()] if self._rest and rng.random() < 0.4 else []
        if rest and rng.random() < 0.5:
            return dict(rest)
        number, self._captures = self._captures, self._captures + 1
        capture: Options = {
            "time-limit-min": 1 + number % 2,
            "max-file-size-mb": 40 + number // 2800 % 10,
            "packet-size-bytes": 100 + number // 2 % 1400,
        }
        return {**dict(rest), Kind.PCAP: capture}


@dataclass
class Asker:
    """Runs in a thread of its own: asks for `commands`, then goes on to let go what is held, until `stop` is set.

    `lasting`: seconds over which they are spread, so that each fault meets some; 0: as fast as it can.
    `problem`: what ended it too early; `wrong`: what people saw that must not be.
    """

    person: Person
    commands: int
    rng: Random
    lasting: float
    asked: list[Tag] = field(default_factory=list)
    is_done: Event = field(default_factory=Event)
    wrong: list[str] = field(default_factory=list)
    problem: BaseException | None = None
    taken_back: set[str] = field(default_factory=set)  # runs
    to_go: set[str] = field(default_factory=set)  # commands of which somebody said "send now"
    let_go: set[str] = field(default_factory=set)  # and was answered
    run_again: set[Tag] = field(default_factory=set)

    @property
    def stop(self) -> Event:
        return self.person.stop

    def acts(self, mishaps: Mishaps) -> Acts:
        return Acts(frozenset(self.taken_back), frozenset(self.to_go), frozenset(self.let_go), mishaps)

    def told(self) -> str:
        return (
            f"{self.person.posts} forms posted, and {self.person.again} times once more for want of an answer; "
            f"{len(self.taken_back)} runs withdrawn, {len(self.let_go)} commands let go, "
            f"{len(self.run_again)} run again"
        )

    def ask_all(self, all_questions: Iterator[Question]) -> None:
        began = monotonic()
        try:
            while len(self.asked) < self.commands and not self.stop.is_set():
                turn = began + self.lasting * len(self.asked) / self.commands
                self.stop.wait(max(0.0, turn - monotonic()))
                self._insist_on(next(all_questions).cut(self.commands - len(self.asked)))
            self.is_done.set()
            while not self.stop.wait(LOOKED_EVERY):
                self._look(self._let_go)
        except GaveUp:
            pass
        except Exception as problem:
            self.problem = problem
        finally:
            connection.close()

    def _insist_on(self, question: Question) -> None:
        account = self._look(lambda: Account.objects.get(cloudflare_id=question.account))
        while self._look(lambda: Command.objects.filter(status__in=UNSENT_YET).count()) >= WAITING_AT_MOST:
            self.stop.wait(AGAIN_AFTER)
        self._post("/", question.form(account.id))
        self.asked += question.tags()
        self._look(self._let_go)
        if self.rng.random() < TAKEN_BACK and len(question.devices) <= TAKEN_BACK_DEVICES:
            self._take_back(question)
        if self.rng.random() < RUN_AGAIN and len(self.asked) < self.commands:
            self._run_again()

    def _post(self, path: str, fields: Mapping[str, str | Sequence[str]]) -> str:
        """Now and then twice, as an impatient hand does: that leads to where it led before."""
        answer = self.person.post(path, fields)
        if self.rng.random() < TWICE and (once_more := self.person.post(path, fields)) != answer:
            self.wrong.append(f"POST {path} led to {answer}, and sent again to {once_more}")
        return answer

    def _look[Found](self, look: Callable[[], Found]) -> Found:
        """Into the database, as soon as it answers."""
        while not self.stop.is_set():
            try:
                return look()
            except Error:
                connection.close()
            self.stop.wait(AGAIN_AFTER)
        raise GaveUp

    # --- What else people do ---

    def _take_back(self, question: Question) -> None:
        """What was unsent before, and is untouched after the answer, was forgotten."""
        run = self._look(lambda: Run.objects.get(requested_by__username=ASKER, form_key=question.key))
        unsent = Command.objects.filter(run=run, status__in=UNSENT)
        before = self._look(lambda: set(unsent.values_list("id", "version")))
        self.taken_back.add(str(run.id))
        self.person.post(f"/runs/{run.id}/withdraw", {})
        after = self._look(lambda: set(unsent.values_list("id", "version")))
        self.wrong += [f"{id_} is still to be sent, though its run was withdrawn" for id_, _ in before & after]

    def _let_go(self) -> None:
        held = Command.objects.filter(status=Status.QUEUED, held_at__isnull=False).exclude(id__in=self.to_go)
        for id_ in list(held.values_list("id", flat=True)[:5]):
            self.to_go.add(str(id_))
            self.person.post(f"/commands/{id_}/send-now", {})
            self.let_go.add(str(id_))

    def _run_again(self) -> None:
        command = self._look(self._fit_to_run_again)
        if command is None:
            return
        tag = tag_of(command)
        self.run_again.add(tag)
        self._post(f"/commands/{command.id}/run-again", {"key": str(UUID(int=self.rng.getrandbits(128), version=4))})
        self.asked.append(tag)

    def _fit_to_run_again(self) -> Command | None:
        """One that has ended and was not run again before, nor is so young that dates could not tell the two apart."""
        before = timezone.now() - max(RUN_AGAIN_AFTER, settings.ADOPT_BEFORE)
        sent = Q(dispatch=None) | Q(dispatch__claimed_at__lt=before)
        ended = Command.objects.ours().filter(sent, status__in=sorted(DONE), requested_at__lt=before)
        for command in ended.select_related("account").order_by("-id")[:40]:
            if tag_of(command) not in self.run_again:
                return command
        return None
