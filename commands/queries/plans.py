"""Plans from what our own tables know about targets today."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from commands.queries import devices
from commands.rules.kinds import Kind
from commands.rules.plan import Plan, PlanQuota, TargetFacts, make_plan
from commands.rules.targeting import ListedDevice, Target


def build_plan(
    account_id: UUID, targets: Sequence[Target], kinds: Collection[Kind], *, quota: PlanQuota, now: datetime
) -> Plan:
    """Plan every kind for every target, in their order. Two queries for 500 machines."""
    machines = {target.device_id for target in targets}
    rows: dict[str, list[ListedDevice]] = defaultdict(list)
    for row in devices.of_machines(account_id, machines):
        rows[row.device_id].append(row)
    open_kinds = devices.open_kinds(account_id, machines)
    facts = [_facts(target, rows[target.device_id], open_kinds.get(target.device_id, ())) for target in targets]
    return make_plan(facts, kinds, quota=quota, now=now)


def _facts(target: Target, rows: Sequence[ListedDevice], open_kinds: Collection[str]) -> TargetFacts:
    running = [kind for kind in Kind if kind in open_kinds]
    row = _row_of(target, rows)
    if row is None:
        return TargetFacts(
            target,
            is_listed=False,
            platform=target.platform,
            machine_registrations=len(rows) or 1,
            open_kinds=running,
        )
    return TargetFacts.of(row, target, machine_registrations=len(rows), open_kinds=running)


def _row_of(target: Target, rows: Sequence[ListedDevice]) -> ListedDevice | None:
    """Find the row of a target. Without a registration, any row of its user on this machine will do."""
    of_user = [row for row in rows if row.email == target.email]
    exact = next((row for row in of_user if row.registration_id == target.registration_id), None)
    return exact or next((row for row in of_user if not target.registration_id), None)
