"""Lines that people type or paste, and the devices that the lines mean.

A line is a known email or device name. Or it is a device id, an email and optionally a registration, as CSV. The
devices that Cloudflare listed are passed in.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

ID_LENGTH, EMAIL_LENGTH, NAME_LENGTH = 64, 254, 255  # the columns have these lengths too

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_HEADINGS = frozenset({"device", "device id", "device_id", "deviceid", "device name", "name", "email", "user_email"})
_UNTYPEABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Target:
    """Registration that a command is for.

    `listed` tells that Cloudflare listed the device when it was chosen. Then device, registration and email come from
    one row.
    """

    device_id: str
    email: str
    registration_id: str = ""
    name: str = ""
    platform: str = ""
    listed: bool = False


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """One registration that Cloudflare listed, as our tables hold it."""

    key: int  # of the row
    device_id: str
    email: str = ""
    registration_id: str = ""
    name: str = ""
    platform: str = ""
    client_version: str = ""
    eligible: bool | None = None
    ineligible_reason: str = ""
    seen_at: datetime | None = None

    @property
    def label(self) -> str:
        return self.name or self.device_id

    @property
    def target(self) -> Target:
        return Target(self.device_id, self.email, self.registration_id, self.name, self.platform, listed=True)


class Column(StrEnum):
    """Columns of a line, in their order."""

    NAME_OR_ID = "name_or_id"
    EMAIL = "email"
    REGISTRATION = "registration"


_LENGTHS: Mapping[Column, int] = {
    Column.NAME_OR_ID: NAME_LENGTH,
    Column.EMAIL: EMAIL_LENGTH,
    Column.REGISTRATION: ID_LENGTH,
}


class LineErrorCode(StrEnum):
    TOO_MANY_COLUMNS = "too_many_columns"
    UNREADABLE_CHARACTERS = "unreadable_characters"
    CELL_TOO_LONG = "cell_too_long"
    SEVERAL_REGISTRATIONS = "several_registrations"
    SHARED_DEVICE = "shared_device"
    SEVERAL_DEVICES_OF_PERSON = "several_devices_of_person"
    SEVERAL_DEVICES_OF_NAME = "several_devices_of_name"
    INVALID_EMAIL = "invalid_email"
    OTHER_OWNER = "other_owner"
    NO_SUCH_REGISTRATION = "no_such_registration"
    NOT_A_DEVICE = "not_a_device"
    NO_DEVICE_OF_PERSON = "no_device_of_person"
    DEVICE_NOT_LISTED = "device_not_listed"
    NOT_FOUND = "not_found"
    CONFLICTS_WITH_LINE = "conflicts_with_line"
    CONFLICTS_WITH_SELECTION = "conflicts_with_selection"


@dataclass(frozen=True, slots=True)
class PastedLine:
    """One line that is neither empty nor a comment. The first line is number 1. Cells are in lower case.

    Number 0 is text from a field of its own, outside any list.
    """

    number: int
    text: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LineError:
    """Reason why a line names no device. `values` fill the fields in the sentence of the code."""

    line: PastedLine
    code: LineErrorCode
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def number(self) -> int:
        return self.line.number


@dataclass(slots=True)
class Resolved:
    """Devices that lines mean. `choices` are devices of which an ambiguous line may mean one."""

    targets: list[Target] = field(default_factory=list)
    errors: list[LineError] = field(default_factory=list)
    _choices: dict[int, ListedDevice] = field(default_factory=dict)
    _seen: dict[tuple[str, str], tuple[Target, int]] = field(default_factory=dict)

    @property
    def choices(self) -> list[ListedDevice]:
        return list(self._choices.values())

    def add(self, target: Target, line: PastedLine | None = None) -> None:
        """Add a target. The same registration counts once, and is an error when given to two people."""
        key = (target.device_id, target.registration_id)
        if key not in self._seen:
            self._seen[key] = (target, line.number if line else 0)
            self.targets.append(target)
            return
        before, number = self._seen[key]
        if line is not None and before.email != target.email:
            code = LineErrorCode.CONFLICTS_WITH_LINE if number else LineErrorCode.CONFLICTS_WITH_SELECTION
            self.refuse(line, code, number=number, email=before.email)

    def refuse(self, line: PastedLine, code: LineErrorCode, **values: object) -> None:
        self.errors.append(LineError(line, code, values))

    def offer(self, devices: Iterable[ListedDevice]) -> None:
        """Add devices to choose from, each once."""
        for device in devices:
            self._choices.setdefault(device.key, device)


class TooManyLines(Exception):
    """Raised for a paste with more lines than allowed. `count` includes a heading if there is one."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


def read_lines(text: str, most: int | None = None) -> list[PastedLine]:
    """Read the lines of a paste or CSV file, without empty lines, comments and a heading.

    Raises TooManyLines. Lines are counted before any is read, because reading a million of them takes seconds.
    """
    numbered = [
        (number, stripped)
        for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1)
        if (stripped := raw.strip()) and not stripped.startswith("#")
    ]
    if most is not None and len(numbered) > most + 1:
        raise TooManyLines(len(numbered))
    lines: list[PastedLine] = []
    for number, stripped in numbered:
        cells = _cells(stripped)
        if not lines and len(cells) > 1 and all(cell in _HEADINGS or "registration" in cell for cell in cells):
            continue
        if any(cells):
            lines.append(PastedLine(number, stripped, cells))
    if most is not None and len(lines) > most:
        raise TooManyLines(len(lines))
    return lines


def _cells(text: str) -> tuple[str, ...]:
    separator = next((candidate for candidate in ("\t", ";", ",") if candidate in text), ",")
    try:
        cells = next(csv.reader([text], delimiter=separator))
    except (csv.Error, StopIteration):
        cells = text.split(separator)
    cleaned = [cell.strip().lower() for cell in cells]
    while cleaned and not cleaned[-1]:
        cleaned.pop()
    return tuple(cleaned)


def identifiers(lines: Iterable[PastedLine]) -> set[str]:
    """Return the words to look up in the directory: those that fit a column."""
    cells = (cell for line in lines for cell in line.cells[:2])
    return {cell for cell in cells if cell and len(cell) <= NAME_LENGTH and is_typeable(cell)}


def is_typeable(text: str) -> bool:
    """Tell whether a keyboard can make every character. Databases refuse some of the other characters."""
    return not _UNTYPEABLE.search(text)


def resolve(lines: Sequence[PastedLine], listed: Sequence[ListedDevice], selected: Sequence[Target] = ()) -> Resolved:
    """Resolve lines to targets. Selected targets come first. `listed` has every device that a line may name."""
    directory: dict[str, list[ListedDevice]] = {}
    for device in listed:
        for identifier in {device.device_id, device.email, device.name.lower()} - {""}:
            directory.setdefault(identifier, []).append(device)
    resolved = Resolved()
    for target in selected:
        resolved.add(target)
    for line in lines:
        if error := _format_error(line):
            code, values = error
            resolved.refuse(line, code, **values)
        else:
            _resolve(line, directory, resolved)
    return resolved


type _Error = tuple[LineErrorCode, Mapping[str, object]]


def _resolve(line: PastedLine, directory: Mapping[str, list[ListedDevice]], resolved: Resolved) -> None:
    identifier, email, registration = (*line.cells, "", "")[: len(Column)]
    owners = directory.get(identifier, [])
    matches = [
        device for device in owners if email in ("", device.email) and registration in ("", device.registration_id)
    ]
    if len(matches) == 1:
        resolved.add(matches[0].target, line)
    elif matches:
        resolved.offer(matches)
        code, values = _ambiguity(identifier, matches)
        resolved.refuse(line, code, **values)
    elif error := _unlisted_error(identifier, email, registration, owners):
        code, values = error
        resolved.refuse(line, code, **values)
    else:
        resolved.add(Target(identifier, email, registration), line)


def _format_error(line: PastedLine) -> _Error | None:
    """Find what is wrong with the cells, whatever Cloudflare listed."""
    if len(line.cells) > len(Column):
        return LineErrorCode.TOO_MANY_COLUMNS, {}
    if not is_typeable(line.text):
        return LineErrorCode.UNREADABLE_CHARACTERS, {}
    for cell, (column, length) in zip(line.cells, _LENGTHS.items(), strict=False):
        if len(cell) > length:
            return LineErrorCode.CELL_TOO_LONG, {"column": column, "length": length}
    return None


def _ambiguity(identifier: str, matches: Sequence[ListedDevice]) -> _Error:
    """Tell why several registrations match: several devices of one person, or several people on one device."""
    if len({device.device_id for device in matches}) > 1:
        if "@" in identifier:
            devices = tuple(device.label for device in matches)
            return LineErrorCode.SEVERAL_DEVICES_OF_PERSON, {"email": identifier, "devices": devices}
        return LineErrorCode.SEVERAL_DEVICES_OF_NAME, {"name": identifier, "count": len(matches)}
    people = tuple(sorted({device.email for device in matches}))
    if len(people) == 1:
        return LineErrorCode.SEVERAL_REGISTRATIONS, {}
    return LineErrorCode.SHARED_DEVICE, {"device": matches[0].label, "people": people}


def _unlisted_error(identifier: str, email: str, registration: str, owners: Sequence[ListedDevice]) -> _Error | None:
    """Find why a line without a match is refused. A device id with an email that no row contradicts is allowed."""
    if not email:
        return _unknown(identifier)
    if not _EMAIL.fullmatch(email):
        return LineErrorCode.INVALID_EMAIL, {"email": email}
    people = tuple(sorted({device.email for device in owners if device.email}))
    if people and email not in people:
        return LineErrorCode.OTHER_OWNER, {"device": owners[0].label, "email": email, "people": people}
    if _ID.fullmatch(identifier):
        return None
    if owners and registration:
        return LineErrorCode.NO_SUCH_REGISTRATION, {"device": owners[0].label, "registration": registration}
    return LineErrorCode.NOT_A_DEVICE, {"identifier": identifier}


def _unknown(identifier: str) -> _Error:
    if _EMAIL.fullmatch(identifier):
        return LineErrorCode.NO_DEVICE_OF_PERSON, {"email": identifier}
    if _ID.fullmatch(identifier):
        return LineErrorCode.DEVICE_NOT_LISTED, {}
    return LineErrorCode.NOT_FOUND, {"identifier": identifier}
