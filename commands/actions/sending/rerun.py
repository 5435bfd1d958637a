"""Running commands again: new runs for the same machines with the same options. The old commands stay as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from commands.actions.sending.submit import Submitted, submit_run
from commands.models import Command, Run, User
from commands.rules import kinds, policies
from commands.rules.kinds import Kind
from commands.rules.policies import Refusal
from commands.rules.states import Status
from commands.rules.targeting import Target


@dataclass(frozen=True, slots=True)
class Rerun:
    """New runs, and the commands that were not run again with the reason."""

    runs: Sequence[Run]
    refused: Mapping[UUID, Refusal]


def run_again(*, commands: Sequence[Command], by: User, key: UUID, now: datetime) -> Rerun:
    """Submit one new run for each run that the commands are of, under its ticket, purpose and reason.

    A second call with the same key returns the same runs. Each command has its account and its run with it.
    """
    refused: dict[UUID, Refusal] = {}
    groups: dict[UUID, list[Command]] = {}
    for command in commands:
        if refusal := policies.run_again(Status(command.status), command.kind):
            refused[command.id] = refusal
        else:
            groups.setdefault(command.run_id or command.id, []).append(command)
    runs: list[Run] = []
    for origin, group in groups.items():
        result = _submit(group, by, uuid5(key, str(origin)), now)
        if isinstance(result, Submitted):
            runs.append(result.run)
        refused |= _refused(group, result)
    return Rerun(runs, refused)


def _submit(commands: Sequence[Command], by: User, key: UUID, now: datetime) -> Submitted | Refusal:
    """Submit commands of one run, or one command without a run. Commands of one kind have the same options."""
    first = commands[0]
    pairs = [(_target(command), Kind(command.kind)) for command in commands]
    options = {Kind(one.kind): one.options or kinds.clean_options(Kind(one.kind), {})[0] for one in commands}
    return submit_run(
        account=first.account,
        by=by,
        key=key,
        targets=list(dict.fromkeys(target for target, _ in pairs)),
        kinds={kind: options[kind] for kind in kinds.SPECS if kind in options},
        purpose=first.run.purpose if first.run else "",
        ticket=first.ticket,
        reason=first.run.reason if first.run else "",
        now=now,
        only=pairs,
    )


def _refused(commands: Sequence[Command], result: Submitted | Refusal) -> dict[UUID, Refusal]:
    """Return the refusal of each command: that of its device, or that of the whole run."""
    skipped = {line.target: refusal for line in result.skipped if (refusal := policies.send_to(line))}
    whole = result if isinstance(result, Refusal) else None
    refusals = {command.id: skipped.get(_target(command), whole) for command in commands}
    return {id_: refusal for id_, refusal in refusals.items() if refusal}


def _target(command: Command) -> Target:
    return Target(
        device_id=command.device_id,
        email=command.email,
        registration_id=command.registration_id,
        name=command.device_name,
        platform=command.platform,
        listed=command.listed,
    )
