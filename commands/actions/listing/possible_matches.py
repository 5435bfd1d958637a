"""Rows that may be a refused command, apart from their time.

A refused command is sent again, or ends `rejected`, once Cloudflare's list confirms the refusal. Matching recognizes a
command's row by its time, and one wrong clock, ours or Cloudflare's, would hide the row. So a row that may be the
command at any time keeps the command from both: it ends `unconfirmed` unless its id turns up.
"""

from collections.abc import Iterable

from commands.models import Account, Command, Dispatch, Event
from commands.rules import matching
from commands.rules.events import EventType
from commands.rules.listed_command import ListedCommand
from commands.rules.states import Status

REFUSED = (Dispatch.Outcome.REJECTED, Dispatch.Outcome.ERROR_IN_200)


def flag_possible_matches(account: Account, rows: Iterable[ListedCommand]) -> None:
    """Mark refused commands that a row may be. Call it in the transaction that records the listing, after adoptions."""
    refused = Command.objects.filter(
        account=account, status=Status.UNCERTAIN, remote_id="", possible_match=False, dispatch__outcome__in=REFUSED
    ).select_related("dispatch")
    commands = list(refused.only("device_id", "kind", "registration_id", "email", "dispatch__claimed_at"))
    machines = {(command.device_id, command.kind) for command in commands}
    candidates = [row for row in rows if (row.device_id, row.kind) in machines]
    if not candidates:
        return
    ids = [row.id for row in candidates if row.id]
    ours = set(Command.objects.ours().filter(account=account, remote_id__in=ids).values_list("remote_id", flat=True))
    imports = Event.objects.filter(event=EventType.IMPORTED, command__account=account, command__remote_id__in=ids)
    known_since = dict(imports.values_list("command__remote_id", "at"))

    def may_be(row: ListedCommand, command: Command) -> bool:
        assert command.dispatch is not None
        known = known_since.get(row.id)
        return (
            (row.device_id, row.kind) == (command.device_id, command.kind)
            and matching.is_alike(row, command.registration_id, command.email)
            and (known is None or known >= command.dispatch.claimed_at)
        )

    strangers = [row for row in candidates if row.id not in ours]
    alike = [command.id for command in commands if any(may_be(row, command) for row in strangers)]
    Command.objects.filter(id__in=alike).update(possible_match=True)
