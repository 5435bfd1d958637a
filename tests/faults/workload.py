"""Workload of a fault run: run requests posted at the desk, as people do, with a record of all requested commands.

Each command has its own options (`compare.Tag`), except commands that ran again. Import this module only after Django's
setup: it creates accounts, and finds commands to withdraw, release or run again in the database. All operations of
people go through the web (`desk_client.py`).
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
from tests.faults.compare import Tag, UserActions
from tests.faults.compare_files import UnloggedFailures
from tests.faults.desk_client import DeskClient, RunEnded

REQUESTER = "helpdesk"
SIZES = (1, 1, 2, 3, 5, 10, 20, 40)
MAX_UNSENT = 200  # commands; more of them would expire in the queue
REFUSED_DEVICES = 2  # in runs although Cloudflare refuses them, with all other commands of the same POST
RETRY_DELAY = 0.3  # seconds
RELEASE_INTERVAL = 0.5  # seconds, once everything is requested
NOT_YET_SENT = (Status.QUEUED, Status.SENDING, Status.UNCERTAIN)
DOUBLE_POST_SHARE, WITHDRAW_SHARE, RERUN_SHARE = 0.1, 0.2, 0.2  # shares of the requests that are followed by this
WITHDRAW_MAX_DEVICES = 5  # in a withdrawn run; withdrawn commands do not test anything else
RERUN_AFTER = timedelta(seconds=10)  # the last POST; even its latest ledger entry is older than the new command

type Device = Mapping[str, Any]


def options_text(options: Mapping[str, Any]) -> str:
    return json.dumps({key: str(value).lower() for key, value in sorted(options.items())})


def tag_of(command: Command) -> Tag:
    return Tag(command.account.cloudflare_id, command.device_id, command.kind, options_text(command.options))


def prepare(configured: Sequence[Mapping[str, Any]]) -> None:
    """Create the person who requests, and an account with a token and devices for each one of the simulator."""
    for number, config in enumerate(configured):
        name = f"Account {number}"
        credential = accounts.add_credential(Credential(name=name, scheme="token"), value=config["token"])
        account = Account(cloudflare_id=config["account_id"], name=name, credential=credential)
        account.dialect = dialect_of(account.cloudflare_id)
        accounts.add_account(account, now=timezone.now())
        directory.refresh(account, now=timezone.now())
    demo.ensure_demo_people(now=timezone.now())


@dataclass(frozen=True)
class RunRequest:
    account: str
    key: UUID
    options: Mapping[Kind, Options]
    devices: tuple[Device, ...]

    def tags(self) -> Iterator[Tag]:
        for device in self.devices:
            for kind, options in self.options.items():
                yield Tag(self.account, device["device_id"], kind, options_text(options))

    def limit(self, commands: int) -> "RunRequest":
        """Return the request reduced to at most `commands` commands."""
        kinds = dict(list(self.options.items())[:commands])
        return replace(self, options=kinds, devices=self.devices[: max(1, commands // len(kinds))])

    def form(self, account_id: UUID) -> dict[str, str | Sequence[str]]:
        """Fill in the desk's form."""
        lines = [
            f"{device['device_id']}, {device['person_email']}, {device['registration_id']}" for device in self.devices
        ]
        fields: dict[str, str | Sequence[str]] = {
            "account": str(account_id),
            "key": str(self.key),
            "kinds": [kind.value for kind in self.options],
            "targets": "\n".join(lines),
            "reason": "A fault run",
        }
        for kind, options in self.options.items():
            fields |= {f"{kind}-{name}": _form_value(value) for name, value in options.items() if value is not False}
        return fields


def _form_value(value: object) -> str | Sequence[str]:
    """Encode a value like a browser: an active switch is "on", and an inactive one is not sent at all."""
    if value is True:
        return "on"
    return value if isinstance(value, list) else str(value)


def run_requests(seed: int, devices: Sequence[Device]) -> Iterator[RunRequest]:
    """Yield requests without end."""
    rng = Random(f"questions/{seed}")
    devices_by_account: dict[str, dict[str, Device]] = {}
    refused_left = REFUSED_DEVICES
    for device in sorted(devices, key=lambda device: str(device["registration_id"])):
        refused_left -= not device["eligible"]
        if device["eligible"] or refused_left >= 0:
            devices_by_account.setdefault(device["account_id"], {}).setdefault(device["device_id"], device)
    options = {account: _OptionSets(dialect_of(account)) for account in devices_by_account}
    while True:
        account = rng.choice(sorted(devices_by_account))
        chosen = options[account].next(rng)
        names = sorted(devices_by_account[account])
        targets = tuple(
            devices_by_account[account][name] for name in rng.sample(names, min(rng.choice(SIZES), len(names)))
        )
        yield RunRequest(account, UUID(int=rng.getrandbits(128), version=4), chosen, targets)


def dialect_of(account: str) -> str:
    """Give half of the accounts the older dialect. Only that one sends the largest size of a diag."""
    return Account.Dialect.LEGACY if int(account[-1], 16) % 2 else Account.Dialect.CURRENT


class _OptionSets:
    """Options of one account, different on the wire for each request."""

    def __init__(self, dialect: str) -> None:
        self._is_legacy = dialect == Account.Dialect.LEGACY
        small_sets: list[tuple[Kind, Options]] = [
            (Kind.SPEED_TEST, {"interfaces": names}) for names in (["default"], ["tunnel"], ["default", "tunnel"])
        ]
        small_sets += [(Kind.WARP_DIAG, {"test-all-routes": flag}) for flag in (True, False)]
        if self._is_legacy:
            small_sets = [
                (Kind.WARP_DIAG, {"test-all-routes": size % 2 == 0, "max-file-size-mb": size}) for size in range(20, 51)
            ]
        self._small_sets = small_sets
        self._captures = 0

    def next(self, rng: Random) -> dict[Kind, Options]:
        chosen = [self._small_sets.pop()] if self._small_sets and rng.random() < 0.4 else []
        if chosen and rng.random() < 0.5:
            return dict(chosen)
        number, self._captures = self._captures, self._captures + 1
        capture: Options = {
            "time-limit-min": 1 + number % 2,
            "max-file-size-mb": 40 + number // 2800 % 10,
            "packet-size-bytes": 100 + number // 2 % 1400,
        }
        return {**dict(chosen), Kind.PCAP: capture}


@dataclass
class Workload:
    """Thread that requests `commands` commands, and then releases held commands until `stop` is set.

    The requests are spread over `duration` seconds, so that each fault meets some of them. With 0 they follow each
    other immediately. `error` is the exception that ended the workload early, and `wrong` lists what people must not
    see.
    """

    client: DeskClient
    commands: int
    rng: Random
    duration: float
    requested: list[Tag] = field(default_factory=list)
    is_done: Event = field(default_factory=Event)
    wrong: list[str] = field(default_factory=list)
    error: BaseException | None = None
    withdrawn: set[str] = field(default_factory=set)  # runs
    release_requested: set[str] = field(default_factory=set)  # commands for which “send now” was posted
    released: set[str] = field(default_factory=set)  # and got a response
    rerun: set[Tag] = field(default_factory=set)

    @property
    def stop(self) -> Event:
        return self.client.stop

    def user_actions(self, unlogged_failures: UnloggedFailures) -> UserActions:
        return UserActions(
            frozenset(self.withdrawn), frozenset(self.release_requested), frozenset(self.released), unlogged_failures
        )

    def summary(self) -> str:
        return (
            f"{self.client.posts} forms posted, with {self.client.retries} retries without a response; "
            f"{len(self.withdrawn)} runs withdrawn, {len(self.released)} commands released, "
            f"{len(self.rerun)} run again"
        )

    def run(self, requests: Iterator[RunRequest]) -> None:
        started = monotonic()
        try:
            while len(self.requested) < self.commands and not self.stop.is_set():
                due = started + self.duration * len(self.requested) / self.commands
                self.stop.wait(max(0.0, due - monotonic()))
                self._submit(next(requests).limit(self.commands - len(self.requested)))
            self.is_done.set()
            while not self.stop.wait(RELEASE_INTERVAL):
                self._query(self._release_held)
        except RunEnded:
            pass
        except Exception as error:
            self.error = error
        finally:
            connection.close()

    def _submit(self, request: RunRequest) -> None:
        account = self._query(lambda: Account.objects.get(cloudflare_id=request.account))
        while self._query(lambda: Command.objects.filter(status__in=NOT_YET_SENT).count()) >= MAX_UNSENT:
            self.stop.wait(RETRY_DELAY)
        self._post("/", request.form(account.id))
        self.requested += request.tags()
        self._query(self._release_held)
        if self.rng.random() < WITHDRAW_SHARE and len(request.devices) <= WITHDRAW_MAX_DEVICES:
            self._withdraw(request)
        if self.rng.random() < RERUN_SHARE and len(self.requested) < self.commands:
            self._rerun()

    def _post(self, path: str, fields: Mapping[str, str | Sequence[str]]) -> str:
        """Post a form, sometimes twice like an impatient person, and check that both lead to the same page."""
        location = self.client.post(path, fields)
        if self.rng.random() < DOUBLE_POST_SHARE and (repeated := self.client.post(path, fields)) != location:
            self.wrong.append(f"POST {path} redirected to {location}, but the same POST again to {repeated}")
        return location

    def _query[Result](self, query: Callable[[], Result]) -> Result:
        """Query the database, again and again while it is down."""
        while not self.stop.is_set():
            try:
                return query()
            except Error:
                connection.close()
            self.stop.wait(RETRY_DELAY)
        raise RunEnded

    # --- Operations on earlier requests ---

    def _withdraw(self, request: RunRequest) -> None:
        """Withdraw the run, and check that no command stays unsent and unchanged."""
        run = self._query(lambda: Run.objects.get(requested_by__username=REQUESTER, form_key=request.key))
        unsent = Command.objects.filter(run=run, status__in=UNSENT)
        before = self._query(lambda: set(unsent.values_list("id", "version")))
        self.withdrawn.add(str(run.id))
        self.client.post(f"/runs/{run.id}/withdraw", {})
        after = self._query(lambda: set(unsent.values_list("id", "version")))
        self.wrong += [f"{id_} is still unsent, although its run was withdrawn" for id_, _ in before & after]

    def _release_held(self) -> None:
        held = Command.objects.filter(status=Status.QUEUED, held_at__isnull=False).exclude(
            id__in=self.release_requested
        )
        for id_ in list(held.values_list("id", flat=True)[:5]):
            self.release_requested.add(str(id_))
            self.client.post(f"/commands/{id_}/send-now", {})
            self.released.add(str(id_))

    def _rerun(self) -> None:
        command = self._query(self._rerun_candidate)
        if command is None:
            return
        tag = tag_of(command)
        self.rerun.add(tag)
        self._post(f"/commands/{command.id}/run-again", {"key": str(UUID(int=self.rng.getrandbits(128), version=4))})
        self.requested.append(tag)

    def _rerun_candidate(self) -> Command | None:
        """Find a final command that did not run again yet.

        It must be old enough for dates to tell its ledger entry from that of the new command.
        """
        before = timezone.now() - max(RERUN_AFTER, settings.ADOPT_BEFORE)
        sent = Q(dispatch=None) | Q(dispatch__claimed_at__lt=before)
        ended = Command.objects.ours().filter(sent, status__in=sorted(DONE), requested_at__lt=before)
        for command in ended.select_related("account").order_by("-id")[:40]:
            if tag_of(command) not in self.rerun:
                return command
        return None
