"""What our own tables know of the devices that somebody means, as the plan wants it. Read-only."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from commands.actions.sending.submit import Target
from commands.models import Command, Device
from commands.queries import devices
from commands.queries.viewer_context import ViewerContext
from commands.rules import plan
from commands.rules.kinds import Kind


def build_plan(
    place: ViewerContext, targets: Sequence[Target], listed: Sequence[Device], kinds: Collection[Kind], *, now: datetime
) -> plan.Plan:
    """What would happen to each target, in their order. `listed`: the rows of those that Cloudflare listed.

    Two queries for 500 machines.
    """
    rows = {(device.device_id, device.registration_id): device for device in listed}
    machines = {target.device_id for target in targets}
    registrations = devices.rows_of_machines(place.account.id, machines)
    busy = devices.open_kinds(place.account.id, machines)
    facts = []
    for target in targets:
        running = [kind for kind in Kind if kind in busy.get(target.device_id, ())]
        row = rows.get((target.device_id, target.registration_id))
        facts.append(facts_of(row, registrations, running) if row else _unlisted(target, registrations, running))
    quota = plan.Quota(place.quota_used, place.account.sync.quota_total)
    return plan.plan(facts, kinds, quota=quota, now=now)


def facts_of(device: Device, registrations: Mapping[str, int], running: Collection[Kind] = ()) -> plan.Target:
    """`registrations`: how many each machine has; `running`: the kinds that are open there."""
    return plan.Target(
        device_id=device.device_id,
        email=device.email,
        registration_id=device.registration_id,
        name=device.name,
        platform=device.platform,
        client_version=device.client_version,
        eligible=device.eligible,
        ineligible_reason=device.ineligible_reason,
        seen_at=device.seen_at,
        machine_registrations=registrations.get(device.device_id, 1),
        open_kinds=running,
    )


def _unlisted(target: Target, registrations: Mapping[str, int], running: Collection[Kind]) -> plan.Target:
    return plan.Target(
        device_id=target.device_id,
        email=target.email,
        registration_id=target.registration_id,
        listed=False,
        machine_registrations=registrations.get(target.device_id, 1),
        open_kinds=running,
    )


def of_commands(commands: Sequence[Command]) -> dict[UUID, plan.Target]:
    """Whom each command was for, as the directory knows that registration today. One query an account."""
    machines: dict[UUID, set[str]] = defaultdict(set)
    for command in commands:
        machines[command.account_id].add(command.device_id)
    rows: dict[tuple[UUID, str], list[Device]] = defaultdict(list)
    for account_id, ids in machines.items():
        for row in devices.of_machines(account_id, ids):
            rows[account_id, row.device_id].append(row)
    return {one.id: _of_command(one, rows[one.account_id, one.device_id]) for one in commands}


def _of_command(command: Command, rows: Sequence[Device]) -> plan.Target:
    counts = {command.device_id: len(rows)}
    theirs = [one for one in rows if one.email == command.email]
    row = next((one for one in theirs if command.registration_id in ("", one.registration_id)), None)
    if row:
        return replace(facts_of(row, counts), registration_id=command.registration_id)
    target = Target(device_id=command.device_id, email=command.email, registration_id=command.registration_id)
    return _unlisted(target, counts, ())


def sendable_targets(build_plan: plan.Plan, targets: Sequence[Target]) -> list[Target]:
    """The targets that are asked for: Cloudflare would refuse the others."""
    return [target for target, line in zip(targets, build_plan.lines, strict=True) if not line.is_left_out]
