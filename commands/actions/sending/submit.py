"""Creation of a run from what a person requests, in one transaction and without a call to Cloudflare."""

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
from commands.queries import devices, plans
from commands.rules import policies
from commands.rules.events import EventType
from commands.rules.ids import new_id
from commands.rules.kinds import Kind, Options
from commands.rules.plan import PlanLine, PlanQuota, in_order
from commands.rules.policies import NO_RULES, Policy, Refusal, RefusalCode
from commands.rules.states import Status
from commands.rules.targeting import PastedLine, Target, identifiers, resolve
from commands.wakeup import wake

type Pair = tuple[Target, Kind]


@dataclass(frozen=True, slots=True)
class Submitted:
    """New run, and the plan's lines of devices that it skips because Cloudflare would refuse them."""

    run: Run
    skipped: tuple[PlanLine, ...]


@dataclass(frozen=True, slots=True)
class _Request:
    account: Account
    by: User
    key: UUID
    kinds: Mapping[Kind, Options]
    purpose: str
    ticket: str
    reason: str
    now: datetime

    @property
    def options(self) -> dict[str, dict[str, object]]:
        """Options as the run stores them."""
        return {kind.value: dict(options) for kind, options in self.kinds.items()}


def submit_run(
    *,
    account: Account,
    by: User,
    key: UUID,
    targets: Sequence[Target | PastedLine],
    kinds: Mapping[Kind, Options],
    now: datetime,
    purpose: str = "",
    ticket: str = "",
    reason: str = "",
    only: Sequence[Pair] | None = None,
    policy: Policy = NO_RULES,
) -> Submitted | Refusal:
    """Queue every kind for every target, or `only` some pairs of them, as one run.

    Targets are lines as typed, or known devices. Devices that Cloudflare would refuse are skipped. A second call with
    the same key and contents returns the run of the first one. With other contents it is refused.
    """
    request = _Request(account, by, key, kinds, purpose, ticket, reason, now)
    refusal = _refusal(request, targets, policy)
    if refusal:
        return refusal
    known = _resolve(account, targets)
    if isinstance(known, Refusal):
        return known
    # The quota decides when a command is sent, not whether it is created.
    plan = plans.build_plan(account.id, known, list(kinds), quota=PlanQuota(), now=now)
    sendable = {line.target for line in plan.sendable}
    wanted = only if only is not None else [(target, kind) for target in known for kind in in_order(kinds)]
    pairs = [(target, kind) for target, kind in wanted if target in sendable]
    if not pairs:
        return Refusal(RefusalCode.NOTHING_TO_SEND, skipped=plan.skipped)
    run = _create_once(request, pairs)
    return Submitted(run, plan.skipped) if run else Refusal(RefusalCode.KEY_REUSED)


def _refusal(request: _Request, targets: Sequence[object], policy: Policy) -> Refusal | None:
    if refusal := request.account.refusal_to_run():
        return refusal
    if not request.kinds:
        return Refusal(RefusalCode.NO_KINDS)
    if not targets:
        return Refusal(RefusalCode.NO_TARGETS)
    if len(targets) > settings.TARGETS_MAX:
        return Refusal(RefusalCode.TOO_MANY_TARGETS, {"limit": settings.TARGETS_MAX})
    return policies.ticket(policy, request.ticket) or policies.purpose(policy, request.purpose)


def _resolve(account: Account, targets: Sequence[Target | PastedLine]) -> list[Target] | Refusal:
    """Return the target of each line, each target once. Every line has to be understood."""
    known = [target for target in targets if isinstance(target, Target)]
    lines = [line for line in targets if isinstance(line, PastedLine)]
    if not lines:
        return list(dict.fromkeys(known))
    words = identifiers(lines)
    resolved = resolve(lines, devices.find_by_identifiers(account.id, words) if words else [], known)
    if resolved.errors:
        return Refusal(RefusalCode.LINES_NOT_UNDERSTOOD, line_errors=tuple(resolved.errors))
    return resolved.targets


def _create_once(request: _Request, pairs: Sequence[Pair]) -> Run | None:
    """Create the run, or return the earlier one of the same key. None where that one has other contents."""
    try:
        return _create(request, pairs)
    except IntegrityError:
        earlier = Run.objects.filter(requested_by=request.by, form_key=request.key).first()
        if earlier is None:
            raise
        return earlier if _is_same(earlier, request, pairs) else None


def _is_same(run: Run, request: _Request, pairs: Sequence[Pair]) -> bool:
    stored = (run.account_id, run.options, run.purpose, run.ticket, run.reason)
    if stored != (request.account.id, request.options, request.purpose, request.ticket, request.reason):
        return False
    commands = {(target.device_id, target.registration_id, target.email, kind.value) for target, kind in pairs}
    return commands == set(run.commands.values_list("device_id", "registration_id", "email", "kind"))


def _create(request: _Request, pairs: Sequence[Pair]) -> Run:
    account, now = request.account, request.now
    with change_statuses(by=by_person(request.by), now=now) as changes:
        run = Run.objects.create(
            id=new_id(now),
            account=account,
            requested_by=request.by,
            requested_at=now,
            options=request.options,
            devices=len({target for target, _ in pairs}),
            purpose=request.purpose,
            ticket=request.ticket,
            reason=request.reason,
            form_key=request.key,
        )
        positions = claim.turns(account, devices=run.devices, commands=len(pairs))
        commands = [
            _command(run, target, kind, request.kinds[kind], position)
            for (target, kind), position in zip(pairs, positions, strict=True)
        ]
        Command.objects.bulk_create(commands, batch_size=500)
        audit.write(
            [Subject(command.id, account.id, run.id, command.version, "", command.status) for command in commands],
            event=EventType.REQUESTED,
            by=by_person(request.by),
            now=now,
            data={"purpose": request.purpose, "ticket": request.ticket, "reason": request.reason},
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
        options=dict(options),
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
