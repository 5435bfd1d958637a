"""Asks the commands of a fault run, through the verb that the pages use, and remembers what it asked.

It insists, as a person does who sends a form again: with the same key, until there is an answer. Each command's options
are its own (`compare.Tag`). Imported only where Django is set up.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from threading import Event
from typing import Any
from uuid import UUID

from django.db import Error, connection
from django.utils import timezone

from commands.actions import accounts, run
from commands.kinds import Kind, Options
from commands.models import Account, Command, Credential, User
from commands.states import Status
from tests.faults.compare import Tag

SIZES = (1, 1, 2, 3, 5, 10, 20, 40)
WAITING_AT_MOST = 200  # commands that are not sent yet: more would expire before their turn
REFUSED_MACHINES = 2  # that are asked though Cloudflare refuses them, and with them whoever travels in the same POST
AGAIN_AFTER = 0.3  # seconds
UNSENT_YET = (Status.QUEUED, Status.SENDING, Status.UNCERTAIN)

type Device = Mapping[str, Any]


def options_text(options: Mapping[str, Any]) -> str:
    return json.dumps({key: str(value).lower() for key, value in sorted(options.items())})


def prepare(configured: Sequence[Mapping[str, Any]]) -> User:
    """An account with a token of its own for each of the simulator's, and the person who asks."""
    for number, one in enumerate(configured):
        name = f"Account {number}"
        credential = accounts.add_credential(Credential(name=name, scheme="token"), value=one["token"])
        account = Account(cloudflare_id=one["account_id"], name=name, credential=credential)
        account.dialect = dialect_of(account.cloudflare_id)
        accounts.add_account(account, now=timezone.now())
    person = User(username="chaos", email="chaos@example.com", date_joined=timezone.now())
    person.set_unusable_password()
    person.save(force_insert=True)
    return person


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


def questions(seed: int, commands: int, devices: Sequence[Device]) -> Iterator[Question]:
    """As many as it takes for so many commands, the last one cut to fit."""
    rng = Random(f"questions/{seed}")
    machines: dict[str, dict[str, Device]] = {}
    refused = REFUSED_MACHINES
    for device in sorted(devices, key=lambda one: str(one["registration_id"])):
        refused -= not device["eligible"]
        if device["eligible"] or refused >= 0:
            machines.setdefault(device["account_id"], {}).setdefault(device["device_id"], device)
    options = {account: _Options(dialect_of(account)) for account in machines}
    left = commands
    while left > 0:
        account = rng.choice(sorted(machines))
        chosen = options[account].next(rng)
        names = sorted(machines[account])
        size = max(1, min(rng.choice(SIZES), len(names), left // len(chosen)))
        targets = tuple(machines[account][name] for name in rng.sample(names, size))
        yield Question(account, UUID(int=rng.getrandbits(128), version=4), chosen, targets)
        left -= size * len(chosen)


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
    """Runs in a thread of its own until all is asked or `stop` is set. `problem`: what ended it too early."""

    person: User
    stop: Event = field(default_factory=Event)
    asked: list[Tag] = field(default_factory=list)
    problem: Exception | None = None

    def ask_all(self, all_questions: Iterator[Question]) -> None:
        try:
            for question in all_questions:
                self._insist(question)
                if self.stop.is_set():
                    return
                self.asked += question.tags()
        except Exception as problem:
            self.problem = problem
        finally:
            connection.close()

    def _insist(self, question: Question) -> None:
        while not self.stop.is_set():
            try:
                if Command.objects.filter(status__in=UNSENT_YET).count() < WAITING_AT_MOST:
                    self._ask(question)
                    return
            except Error:
                connection.close()
            self.stop.wait(AGAIN_AFTER)

    def _ask(self, question: Question) -> None:
        run.ask(
            account=Account.objects.get(cloudflare_id=question.account),
            by=self.person,
            now=timezone.now(),
            form_key=question.key,
            options=question.options,
            targets=[
                run.Target(
                    device_id=device["device_id"],
                    email=device["person_email"],
                    registration_id=device["registration_id"],
                    name=device["device_name"],
                    platform=device["platform"],
                    listed=True,
                )
                for device in question.devices
            ],
        )
