"""Devices that Cloudflare listed: by the words that people type. Read-only, from our own tables."""

from collections.abc import Collection, Iterable
from itertools import batched
from uuid import UUID

from django.db.models import FETCH_RAISE, F, Q, QuerySet
from django.db.models.functions import Lower

from commands.models import Command, Device
from commands.rules.states import OPEN

SUGGESTIONS = 8
LISTED = 50  # registrations of one person or machine
_BATCH = 500


def find_by_identifiers(account_id: UUID, words: Collection[str]) -> list[Device]:
    """Every listed row whose device id, email or name is one of these words (lower case). A query for 500 words."""
    found: dict[int, Device] = {}
    for batch in batched(sorted(words), _BATCH):
        rows = _listed(account_id).annotate(lower_name=Lower("name"))
        rows = rows.filter(Q(device_id__in=batch) | Q(email__in=batch) | Q(lower_name__in=batch))
        found.update((row.pk, row) for row in rows)
    return sorted(found.values(), key=_by_person)


def get_by_pks(account_id: UUID, keys: Iterable[int]) -> list[Device]:
    """The rows that somebody ticked, those of this account only."""
    found = [row for batch in batched(sorted(set(keys)), _BATCH) for row in _listed(account_id).filter(pk__in=batch)]
    return sorted(found, key=_by_person)


def suggest(account_id: UUID, text: str) -> list[Device]:
    """Those whose person, name or id begins with the text, the last seen first. One query.

    One more than SUGGESTIONS tells that there are more than are shown.
    """
    return beginning([account_id], text)[: SUGGESTIONS + 1]


def beginning(account_ids: Iterable[UUID], text: str) -> list[Device]:
    """As `suggested`, in several accounts; LISTED at most. One query, none for no text."""
    if not text.strip():
        return []
    rows = Device.objects.filter(begins_with(text), account__in=list(account_ids)).fetch_mode(FETCH_RAISE)
    return _last_seen(rows)


def begins_with(text: str) -> Q:
    """People are known by their last names too: what follows a dot in an address counts as a beginning."""
    start = text.strip().lower()
    begins = Q(email__startswith=start) | Q(name__istartswith=start) | Q(device_id__startswith=start)
    return begins | Q(email__startswith=start.replace(" ", ".")) | Q(email__contains=f".{start}")


def is_suggested(device: Device, text: str) -> bool:
    """Whether this row is among those that `suggested` looks for."""
    start = text.strip().lower()
    begins = device.email.startswith((start, start.replace(" ", "."))) or f".{start}" in device.email
    return bool(start) and (begins or device.name.lower().startswith(start) or device.device_id.startswith(start))


def of_person(account_id: UUID, email: str) -> list[Device]:
    """The registrations of a person, the last seen first; LISTED at most. One query."""
    return _last_seen(_listed(account_id).filter(email=email))


def of_machine(account_id: UUID, device_id: str) -> list[Device]:
    """The registrations of a machine, as `of_person`."""
    return _last_seen(_listed(account_id).filter(device_id=device_id))


def of_machines(account_id: UUID, device_ids: Collection[str]) -> list[Device]:
    """All registrations of these machines, the last seen first. A query for 500 machines."""
    in_order = F("seen_at").desc(nulls_last=True)
    return [
        row
        for batch in batched(sorted(device_ids), _BATCH)
        for row in _listed(account_id).filter(device_id__in=batch).order_by(in_order, "pk")
    ]


def _last_seen(rows: QuerySet[Device]) -> list[Device]:
    return list(rows.order_by(F("seen_at").desc(nulls_last=True), "pk")[:LISTED])


def rows_of_machines(account_id: UUID, device_ids: Collection[str]) -> dict[str, int]:
    """How many registrations each of these machines has. A query for 500 machines."""
    counts: dict[str, int] = {}
    for batch in batched(sorted(device_ids), _BATCH):
        for device_id in _listed(account_id).filter(device_id__in=batch).values_list("device_id", flat=True):
            counts[device_id] = counts.get(device_id, 0) + 1
    return counts


def open_kinds(account_id: UUID, device_ids: Collection[str]) -> dict[str, set[str]]:
    """The kinds of all open commands on each of these machines. A query for 500 machines."""
    kinds: dict[str, set[str]] = {}
    rows = Command.objects.filter(account_id=account_id, status__in=sorted(OPEN)).shown()
    for batch in batched(sorted(device_ids), _BATCH):
        for device_id, kind in rows.filter(device_id__in=batch).values_list("device_id", "kind").distinct():
            kinds.setdefault(device_id, set()).add(kind)
    return kinds


def _listed(account_id: UUID) -> QuerySet[Device]:
    return Device.objects.filter(account_id=account_id).fetch_mode(FETCH_RAISE)


def _by_person(device: Device) -> tuple[str, str, int]:
    return (device.email, device.name, device.pk)
