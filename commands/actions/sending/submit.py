"""What a person asks for: one run, its commands and Events, in one transaction and without a call to Cloudflare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError

from commands import audit
from commands.actions.record.transitions import change_statuses
from commands.actions.sending import claim
from commands.audit import Subject, by_person
from commands.models import Account, Command, Run, User
from commands.rules import policies
from commands.rules.events import EventType
from commands.rules.ids import new_id
from commands.rules.kinds import SPECS, Kind, Options
from commands.rules.policies import Refusal
from commands.rules.states import Status
from commands.wakeup import wake


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a command is for. `listed`: Cloudflare listed this device; device, registration and email are one row's."""

    device_id: str
    email: str
    registration_id: str = ""
    name: str = ""
    platform: str = ""
    listed: bool = False


class SentBefore(Exception):
    """The form's key made another run than the one that is asked for now."""


def closed(account: Account) -> Refusal | None:
    """Why nothing can be asked for in an account; None for one that is in force."""
    return policies.in_use(
        account.name,
        retired=account.retired_at is not None,
        elsewhere=account.upstream != settings.UPSTREAM.name,
        credential=account.credential_id is not None,
    )


def ask(
    *,
    account: Account,
    by: User,
    now: datetime,
    form_key: UUID,
    options: Mapping[Kind, Options],
    targets: Sequence[Target],
    purpose: str = "",
    ticket: str = "",
    reason: str = "",
    only: Sequence[tuple[Target, Kind]] | None = None,
) -> Run:
    """Every kind for every target, queued; or `only` these. A form that was sent before gives the run it made then.

    Raises SentBefore when that run is not what is asked for now.
    """
    wanted = only if only is not None else [(target, kind) for target in targets for kind in SPECS if kind in options]
    try:
        return _make(account, by, now, form_key, options, targets, wanted, purpose, ticket, reason)
    except IntegrityError:
        made = Run.objects.filter(requested_by=by, form_key=form_key).first()
        if made is None:
            raise
        asked = (account.id, _kept(options), purpose, ticket, reason)
        before = (made.account_id, made.options, made.purpose, made.ticket, made.reason)
        if asked != before or not _is_for(made, wanted):
            raise SentBefore from None
        return made


def _kept(options: Mapping[Kind, Options]) -> dict[str, dict[str, object]]:
    """As the run keeps them."""
    return {kind.value: dict(chosen) for kind, chosen in options.items()}


def _is_for(made: Run, wanted: Sequence[tuple[Target, Kind]]) -> bool:
    asked = {(one.device_id, one.registration_id, one.email, kind.value) for one, kind in wanted}
    return asked == set(made.commands.values_list("device_id", "registration_id", "email", "kind"))


def _make(  # noqa: PLR0917 - ask() names them
    account: Account,
    by: User,
    now: datetime,
    form_key: UUID,
    options: Mapping[Kind, Options],
    targets: Sequence[Target],
    wanted: Sequence[tuple[Target, Kind]],
    purpose: str,
    ticket: str,
    reason: str,
) -> Run:
    with change_statuses(by=by_person(by), now=now) as changes:
        run = Run.objects.create(
            id=new_id(now),
            account=account,
            requested_by=by,
            requested_at=now,
            options=_kept(options),
            devices=len(targets),
            purpose=purpose,
            ticket=ticket,
            reason=reason,
            form_key=form_key,
        )
        turns = claim.turns(account, devices=len(targets), commands=len(wanted))
        commands = [
            _command(run, target, kind, dict(options[kind]), queue_position)
            for (target, kind), queue_position in zip(wanted, turns, strict=True)
        ]
        Command.objects.bulk_create(commands, batch_size=500)
        subjects = [Subject(one.id, account.id, run.id, one.version, "", one.status) for one in commands]
        audit.write(
            subjects,
            event=EventType.REQUESTED,
            by=by_person(by),
            now=now,
            data={"purpose": purpose, "ticket": ticket, "reason": reason},
        )
        changes.touch(account.id)
        wake("commands.tasks.deliver_account", str(account.id))
    return run


def _command(run: Run, target: Target, kind: Kind, options: Options, queue_position: int) -> Command:
    return Command(
        id=new_id(run.requested_at),
        account_id=run.account_id,
        run_id=run.id,
        requested_by_id=run.requested_by_id,
        requested_at=run.requested_at,
        ticket=run.ticket,
        kind=kind,
        options=options,
        device_id=target.device_id,
        registration_id=target.registration_id,
        email=target.email,
        device_name=target.name,
        platform=target.platform,
        listed=target.listed,
        status=Status.QUEUED,
        status_at=run.requested_at,
        version=1,
        queue_position=queue_position,
        expires_at=run.requested_at + settings.QUEUED_EXPIRY,
    )
