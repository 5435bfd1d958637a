"""Search for a person, device, ticket or command in every account whose commands a person may see. Read-only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.db.models import FETCH_RAISE, Exists, OuterRef, Q
from django.db.models.functions import Lower

from commands.access import Right, accounts_with
from commands.models import Account, Command, Device, User
from commands.queries import devices
from commands.rules.ids import parse_uuid

HITS = 20
HITS_OF_ADMIN = 1000


class HitKind(StrEnum):
    PERSON = "person"
    DEVICE = "device"
    TICKET = "ticket"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Hit:
    """Person, device, ticket or command that a search found.

    Attributes:
        identifier: the email, the device id, the ticket, or the text that identifies the command.
        name: name of the device, or title of the command.
    """

    kind: HitKind
    account: Account
    identifier: str
    name: str = ""
    command_id: UUID | None = None


def find(user: User, text: str) -> list[Hit]:
    """Find by email, device name or id, ticket, or command id (ours or Cloudflare's).

    Without a match, find people and devices that begin with the text, as on the desk. At most 4 queries.
    """
    word = text.strip().lower()
    if not word:
        return []
    accounts = _accounts(user, word)
    by_id = {account.id: account for account in accounts}
    hits = [
        Hit(kind, account, word)
        for kind in (HitKind.PERSON, HitKind.TICKET)
        for account in accounts
        if getattr(account, f"has_{kind}")
    ]
    id_ = parse_uuid(word)
    hits += _devices(by_id, word, is_id=id_ is not None)
    if id_:
        return hits + _commands(by_id, word, id_)
    return hits or _beginning(by_id, word)


def _accounts(user: User, word: str) -> list[Account]:
    """Read the accounts, annotated with whether each has such a person or ticket."""
    account = OuterRef("pk")
    commands = Command.objects.filter(account=account).alias(lower_ticket=Lower("ticket")).shown()
    person = Exists(commands.filter(email=word)) | Exists(Device.objects.filter(account=account, email=word))
    ticket = Exists(commands.filter(lower_ticket=word))
    rows = accounts_with(user, Right.SEE).annotate(has_person=person, has_ticket=ticket)
    return list(rows.fetch_mode(FETCH_RAISE).order_by("name", "id"))


def _devices(accounts: Mapping[UUID, Account], word: str, *, is_id: bool) -> list[Hit]:
    """Find devices that are listed, and those that only commands still name. Two queries."""
    found: dict[tuple[UUID, str], str] = {}
    for rows, name in ((Device.objects.all(), "name"), (Command.objects.shown(), "device_name")):
        wanted = rows.filter(device_id=word) if is_id else rows.alias(lower=Lower(name)).filter(lower=word)
        matches = wanted.filter(account__in=list(accounts)).order_by().values_list("account_id", "device_id", name)
        for account_id, device_id, known_as in matches.distinct()[:HITS]:
            found[account_id, device_id] = found.get((account_id, device_id)) or known_as
    return [
        Hit(HitKind.DEVICE, accounts[account_id], device_id, name) for (account_id, device_id), name in found.items()
    ]


def _beginning(accounts: Mapping[UUID, Account], word: str) -> list[Hit]:
    """Find people, then devices, that begin with the text. One query."""
    rows = devices.beginning(accounts, word)
    people = dict.fromkeys((row.account_id, row.email) for row in rows if row.email)
    machines: dict[tuple[UUID, str], str] = {}
    for row in rows:
        machines.setdefault((row.account_id, row.device_id), row.name)
    return [
        *(Hit(HitKind.PERSON, accounts[account_id], email) for account_id, email in people),
        *(Hit(HitKind.DEVICE, accounts[account_id], id_, name) for (account_id, id_), name in machines.items()),
    ]


def _commands(accounts: Mapping[UUID, Account], word: str, id_: UUID) -> list[Hit]:
    """Find commands by id. An import that was merged into our command leads to that command. One query."""
    rows = Command.objects.filter(Q(id=id_) | Q(remote_id__in={word, str(id_)}), account__in=list(accounts))
    found = {row.merged_into_id or row.id: row for row in rows.fetch_mode(FETCH_RAISE).order_by("id")[:HITS]}
    return [Hit(HitKind.COMMAND, accounts[row.account_id], word, str(row), id_) for id_, row in found.items()]


def command_ids(word: str) -> list[UUID]:
    """Return at most 1000 commands of these accounts with this id (ours or Cloudflare's), device id, email or ticket.

    Two queries. All indexes begin with the account, so the query names each account and looks up each column by itself.
    """
    word = word.strip().lower()
    accounts = list(Account.objects.order_by().values_list("id", flat=True))
    rows = Command.objects.filter(account__in=accounts).alias(lower_ticket=Lower("ticket")).order_by()
    id_ = parse_uuid(word)
    looks = [rows.filter(**{column: word}).values_list("id") for column in ("email", "device_id", "lower_ticket")]
    if id_:
        looks += [rows.filter(**look).values_list("id") for look in ({"remote_id": word}, {"id": id_})]
    first, *others = looks
    return [found for (found,) in first.union(*others)[:HITS_OF_ADMIN]]
