"""What Cloudflare refused, and then lists all the same: a row that may be the command by all but its time.

A refused command is sent again, or ends `rejected`, when Cloudflare's list bears the refusal out. Whether a row is the
command's own is told by its time (`matching.py`), and a clock that is wrong for once, ours or Cloudflare's, hides it.
So what may be it whatever the time is enough to keep it from both: it ends `unconfirmed` unless its id turns up.
"""

from collections.abc import Iterable

from commands.models import Account, Command, Dispatch, Event
from commands.rules import matching
from commands.rules.events import EventType
from commands.rules.listed_command import ListedCommand
from commands.rules.states import Status

REFUSED = (Dispatch.Outcome.REJECTED, Dispatch.Outcome.SAID_NO)


def flag_possible_matches(account: Account, rows: Iterable[ListedCommand]) -> None:
    """Within the transaction that records the listing, when every row of ours has its owner."""
    refused = Command.objects.filter(
        account=account, status=Status.UNCERTAIN, remote_id="", possible_match=False, dispatch__outcome__in=REFUSED
    ).select_related("dispatch")
    commands = list(refused.only("device_id", "kind", "registration_id", "email", "dispatch__claimed_at"))
    machines = {(command.device_id, command.kind) for command in commands}
    there = [row for row in rows if (row.device_id, row.kind) in machines]
    if not there:
        return
    ids = [row.id for row in there if row.id]
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

    strangers = [row for row in there if row.id not in ours]
    alike = [command.id for command in commands if any(may_be(row, command) for row in strangers)]
    Command.objects.filter(id__in=alike).update(possible_match=True)
