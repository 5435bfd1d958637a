"""Devices that Cloudflare listed, found in our own tables by what people type."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields
from itertools import batched
from uuid import UUID

from django.db.models import FETCH_RAISE, F, Q, QuerySet
from django.db.models.functions import Lower

from commands.models import Command, Device
from commands.rules.states import OPEN
from commands.rules.targeting import ListedDevice

SUGGESTIONS = 8
LISTED = 50  # registrations of one person or machine
_BATCH = 500


def find_by_identifiers(account_id: UUID, identifiers: Collection[str]) -> list[ListedDevice]:
    """Find every device whose id, email or name is one of these, in lower case. One query for 500 identifiers."""
    by_key: dict[int, ListedDevice] = {}
    for batch in batched(sorted(identifiers), _BATCH):
        rows = _listed(account_id).annotate(lower_name=Lower("name"))
        rows = rows.filter(Q(device_id__in=batch) | Q(email__in=batch) | Q(lower_name__in=batch))
        by_key.update((device.key, device) for device in _read(rows))
    return _by_person(by_key.values())


def get_by_pks(account_id: UUID, keys: Iterable[int]) -> list[ListedDevice]:
    """Return the selected devices of this account. One query for 500 keys."""
    batches = batched(sorted(set(keys)), _BATCH)
    return _by_person(row for batch in batches for row in _read(_listed(account_id).filter(pk__in=batch)))


def suggest(account_id: UUID, text: str) -> list[ListedDevice]:
    """Find devices whose person, name or id begins with the text, the last seen first. One query.

    One more than SUGGESTIONS means that there are more than are shown.
    """
    return [
        ListedDevice(*(getattr(row, column) for column in _COLUMNS))
        for row in beginning([account_id], text)[: SUGGESTIONS + 1]
    ]


def beginning(account_ids: Iterable[UUID], text: str) -> list[Device]:
    """Find devices as `suggest` does, in several accounts, LISTED at most. One query, none without text."""
    if not text.strip():
        return []
    rows = Device.objects.filter(begins_with(text), account__in=list(account_ids)).fetch_mode(FETCH_RAISE)
    return _last_seen(rows)


def begins_with(text: str) -> Q:
    """Match the beginning of an email, name or id. Text after a dot of an email counts too, because of last names."""
    start = text.strip().lower()
    begins = Q(email__startswith=start) | Q(name__istartswith=start) | Q(device_id__startswith=start)
    return begins | Q(email__startswith=start.replace(" ", ".")) | Q(email__contains=f".{start}")


def is_suggested(device: ListedDevice, text: str) -> bool:
    """Tell whether `suggest` would find this device."""
    start = text.strip().lower()
    begins = device.email.startswith((start, start.replace(" ", "."))) or f".{start}" in device.email
    return bool(start) and (begins or device.name.lower().startswith(start) or device.device_id.startswith(start))


def of_person(account_id: UUID, email: str) -> list[Device]:
    """Return the registrations of a person, the last seen first, LISTED at most. One query."""
    return _last_seen(_listed(account_id).filter(email=email))


def of_machine(account_id: UUID, device_id: str) -> list[Device]:
    """Return the registrations of a machine, as `of_person` does."""
    return _last_seen(_listed(account_id).filter(device_id=device_id))


def of_machines(account_id: UUID, device_ids: Collection[str]) -> list[ListedDevice]:
    """Return all registrations of these machines, the last seen first. One query for 500 machines."""
    in_order = F("seen_at").desc(nulls_last=True)
    return [
        device
        for batch in batched(sorted(device_ids), _BATCH)
        for device in _read(_listed(account_id).filter(device_id__in=batch).order_by(in_order, "pk"))
    ]


def _last_seen(rows: QuerySet[Device]) -> list[Device]:
    return list(rows.order_by(F("seen_at").desc(nulls_last=True), "pk")[:LISTED])


def count_registrations(account_id: UUID, device_ids: Collection[str]) -> dict[str, int]:
    """Count the registrations of each machine. One query for 500 machines."""
    counts: dict[str, int] = {}
    for batch in batched(sorted(device_ids), _BATCH):
        for device_id in _listed(account_id).filter(device_id__in=batch).values_list("device_id", flat=True):
            counts[device_id] = counts.get(device_id, 0) + 1
    return counts


def open_kinds(account_id: UUID, device_ids: Collection[str]) -> dict[str, set[str]]:
    """Return the kinds of all open commands on each machine. One query for 500 machines."""
    kinds: dict[str, set[str]] = {}
    rows = Command.objects.filter(account_id=account_id, status__in=sorted(OPEN)).shown()
    for batch in batched(sorted(device_ids), _BATCH):
        for device_id, kind in rows.filter(device_id__in=batch).values_list("device_id", "kind").distinct():
            kinds.setdefault(device_id, set()).add(kind)
    return kinds


def _listed(account_id: UUID) -> QuerySet[Device]:
    return Device.objects.filter(account_id=account_id).fetch_mode(FETCH_RAISE)


def _by_person(devices: Iterable[ListedDevice]) -> list[ListedDevice]:
    return sorted(devices, key=lambda device: (device.email, device.name, device.key))


_COLUMNS = ("pk", *(column.name for column in fields(ListedDevice) if column.name != "key"))


def _read(rows: QuerySet[Device]) -> Iterator[ListedDevice]:
    """Read rows without model instances, which take most of the time of a run on a thousand devices."""
    return (ListedDevice(*values) for values in rows.values_list(*_COLUMNS).iterator())
