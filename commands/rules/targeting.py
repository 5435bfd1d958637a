"""Lines that people type or paste, and the devices that they mean.

Owns the reading of a line (a known email or device name; or device id, email and optionally a registration, as CSV),
and the sentences for lines that cannot be meant. Pure: the devices that Cloudflare listed are passed in.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from commands.actions.record.remote_updates import MAX_EMAIL, MAX_ID
from commands.actions.sending.submit import Target
from commands.models import Device

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_HEADINGS = frozenset({"device", "device id", "device_id", "deviceid", "device name", "name", "email", "user_email"})
_NAMED_AT_MOST = 4  # devices named in one sentence
_STRANGE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_CELLS = ("name or id", "email address", "registration")
_NAME_LENGTH = 255
_LENGTHS = (_NAME_LENGTH, MAX_EMAIL, MAX_ID)  # what the columns hold


@dataclass(frozen=True, slots=True)
class Line:
    """One line that says something: its number as the person counts (from 1), its cells in lower case."""

    number: int
    text: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LineError:
    number: int  # 0: it is no line of a list
    text: str
    sentence: str


@dataclass(slots=True)
class Resolved:
    """What the lines mean. `choices`: devices of which an ambiguous line may have meant one."""

    targets: list[Target] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    errors: list[LineError] = field(default_factory=list)
    choices: list[Device] = field(default_factory=list)
    _seen: dict[tuple[str, str], tuple[Target, int]] = field(default_factory=dict)

    def add(self, target: Target, device: Device | None, line: Line | None = None) -> None:
        """The same registration twice is meant once; of two people it is an error."""
        key = (target.device_id, target.registration_id)
        if key not in self._seen:
            self._seen[key] = (target, line.number if line else 0)
            self.targets.append(target)
            if device is not None:
                self.devices.append(device)
            return
        before, number = self._seen[key]
        if line is not None and before.email != target.email:
            what = f"Line {number}" if number else "What stands above the list"
            self.refuse(line, f"{what} gives this device to {before.email}: one of the two is wrong.")

    def refuse(self, line: Line, sentence: str) -> None:
        self.errors.append(LineError(line.number, line.text, sentence))

    def offer(self, found: Iterable[Device]) -> None:
        """Devices of which one may be meant; each is offered once."""
        known = {one.pk for one in self.choices if one.pk}
        self.choices.extend(one for one in found if one.pk not in known)


def read(text: str) -> list[Line]:
    """The lines of a paste or CSV; empty ones, comments and a heading are left out."""
    lines: list[Line] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue
        cells = _cells(stripped)
        if not lines and len(cells) > 1 and all(cell in _HEADINGS or "registration" in cell for cell in cells):
            continue
        if any(cells):
            lines.append(Line(number, stripped, cells))
    return lines


def _cells(text: str) -> tuple[str, ...]:
    separator = next((one for one in ("\t", ";", ",") if one in text), ",")
    try:
        cells = next(csv.reader([text], delimiter=separator))
    except (csv.Error, StopIteration):
        cells = text.split(separator)
    cleaned = [cell.strip().lower() for cell in cells]
    while cleaned and not cleaned[-1]:
        cleaned.pop()
    return tuple(cleaned)


def words_of(lines: Iterable[Line]) -> set[str]:
    """What to look for in the directory; nothing that no column could hold."""
    return {cell for line in lines for cell in line.cells[:2] if cell and len(cell) <= _NAME_LENGTH and is_typed(cell)}


def is_typed(text: str) -> bool:
    """Without characters that no keyboard makes; some of them no database takes."""
    return not _STRANGE.search(text)


def resolve(lines: Sequence[Line], listed: Sequence[Device], ticked: Sequence[Device] = ()) -> Resolved:
    """The targets of the ticked devices and of the lines, in that order."""
    directory: dict[str, list[Device]] = {}
    for device in listed:
        for word in {device.device_id, device.email, device.name.lower()} - {""}:
            directory.setdefault(word, []).append(device)
    resolved = Resolved()
    for device in ticked:
        resolved.add(target_of(device), device)
    for line in lines:
        _resolve(line, directory, resolved)
    return resolved


def target_of(device: Device) -> Target:
    return Target(
        device_id=device.device_id,
        email=device.email,
        registration_id=device.registration_id,
        name=device.name,
        platform=device.platform,
        listed=True,
    )


def _resolve(line: Line, directory: dict[str, list[Device]], resolved: Resolved) -> None:
    if sentence := _unreadable(line):
        resolved.refuse(line, sentence)
        return
    device, email, registration = (*line.cells, "", "")[: len(_CELLS)]
    owners = directory.get(device, [])
    found = [one for one in owners if email in ("", one.email) and registration in ("", one.registration_id)]
    if len(found) == 1:
        resolved.add(target_of(found[0]), found[0], line)
    elif found:
        resolved.offer(found)
        resolved.refuse(line, _several(device, found))
    elif sentence := _not_allowed(device, email, registration, owners):
        resolved.refuse(line, sentence)
    else:
        resolved.add(Target(device_id=device, email=email, registration_id=registration), None, line)


def _unreadable(line: Line) -> str:
    """Why nothing can be meant by these cells, whatever is listed; '' if something may be."""
    if len(line.cells) > len(_CELLS):
        return "A line takes a device id, an email address and a registration, nothing more."
    if not is_typed(line.text):
        return "It holds a character that cannot be typed: a file of another kind?"
    for cell, what, length in zip(line.cells, _CELLS, _LENGTHS, strict=False):
        if len(cell) > length:
            return f"The {what} is longer than {length} characters."
    return ""


def _several(word: str, found: Sequence[Device]) -> str:
    """Several rows answer to it: of one person several devices, or of one machine several people."""
    if len({one.device_id for one in found}) == 1:
        people = _listing(sorted({one.email for one in found}))
        if len({one.email for one in found}) == 1:
            return "One person has several registrations on this machine: add the one that is meant, after the email."
        return f"Several people use {found[0]}: add the email address of the one who is meant ({people})."
    what = "has" if "@" in word else "is the name of"
    return f"{word} {what} {len(found)} devices: say which ({_listing([str(one) for one in found])})."


def _listing(words: Sequence[str]) -> str:
    more = f" and {len(words) - _NAMED_AT_MOST} more" if len(words) > _NAMED_AT_MOST else ""
    return ", ".join(words[:_NAMED_AT_MOST]) + more


def _not_allowed(device: str, email: str, registration: str, owners: Sequence[Device]) -> str:
    """Why nobody can be meant; '' for an id and an email that nobody listed otherwise, which is allowed."""
    if not email:
        return _unknown(device)
    if not _EMAIL.fullmatch(email):
        return f"“{email}” is no email address."
    people = sorted({one.email for one in owners if one.email})
    if people and email not in people:
        return f"{owners[0]} is not {email}'s: Cloudflare listed it for {_listing(people)}."
    if _ID.fullmatch(device):
        return ""
    if owners and registration:
        return f"{owners[0]} has no registration “{registration}”."
    return f"“{device}” is neither a known device nor a device id."


def _unknown(word: str) -> str:
    if _EMAIL.fullmatch(word):
        return f"Cloudflare has listed no device of {word}. Write its device id before the email address."
    if _ID.fullmatch(word):
        return "Cloudflare has not listed this device: write the person's email address after its id."
    return f"No person or device called “{word}” is known here."
