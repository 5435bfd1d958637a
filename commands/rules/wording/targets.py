"""Sentences about targets, and about lines in which no device was found."""

from collections.abc import Mapping, Sequence

from commands.rules.targeting import Column, LineError, LineErrorCode, Target
from commands.rules.wording import sentence

SENTENCES: Mapping[LineErrorCode, str] = {
    LineErrorCode.TOO_MANY_COLUMNS: "Too many columns. Use: device id, email, registration.",
    LineErrorCode.UNREADABLE_CHARACTERS: "This line has unreadable characters. Is it a text or CSV file?",
    LineErrorCode.CELL_TOO_LONG: "The {column} is longer than {length} characters.",
    LineErrorCode.SEVERAL_REGISTRATIONS: (
        "This user has several registrations on this device. Add the registration after the email."
    ),
    LineErrorCode.SHARED_DEVICE: "{device} is shared by {people}. Add the user's email after it.",
    LineErrorCode.SEVERAL_DEVICES_OF_PERSON: "{email} has {count} devices ({devices}). Enter the device name instead.",
    LineErrorCode.SEVERAL_DEVICES_OF_NAME: (
        "{count} devices are named “{name}”. Enter the device id and the user's email instead."
    ),
    LineErrorCode.INVALID_EMAIL: "“{email}” isn't a valid email address.",
    LineErrorCode.OTHER_OWNER: "{device} isn't {email}'s: Cloudflare lists it for {people}.",
    LineErrorCode.NO_SUCH_REGISTRATION: "{device} has no registration “{registration}”.",
    LineErrorCode.NOT_A_DEVICE: "No device found for “{identifier}”, and it isn't a device id.",
    LineErrorCode.NO_DEVICE_OF_PERSON: (
        "Cloudflare lists no device for {email}. If you know the device id, enter it before the email."
    ),
    LineErrorCode.DEVICE_NOT_LISTED: "This device isn't listed. Add the user's email after its id.",
    LineErrorCode.NOT_FOUND: "No person or device found for “{identifier}”.",
    LineErrorCode.CONFLICTS_WITH_LINE: "Line {number} has this device for {email}. Correct one of the two.",
    LineErrorCode.CONFLICTS_WITH_SELECTION: "You selected this device for {email}. Correct one of the two.",
}
COLUMNS: Mapping[Column, str] = {
    Column.NAME_OR_ID: "name or id",
    Column.EMAIL: "email address",
    Column.REGISTRATION: "registration",
}
TARGET = "{device} ({email})"
MORE = "{names} and {count} more"
NAMED = 4  # names in one sentence


def describe_line_error(error: LineError) -> str:
    values = dict(error.values)
    match error.code:
        case LineErrorCode.CELL_TOO_LONG:
            values["column"] = COLUMNS[Column(str(values["column"]))]
        case LineErrorCode.SHARED_DEVICE | LineErrorCode.OTHER_OWNER:
            values["people"] = list_names(_names(values["people"]))
        case LineErrorCode.SEVERAL_DEVICES_OF_PERSON:
            devices = _names(values["devices"])
            values |= {"devices": list_names(devices), "count": len(devices)}
    return sentence(SENTENCES, error.code, **values)


def describe_target(target: Target) -> str:
    """Return the device's name with its user, such as “LAP-0042 (maria@example.com)”."""
    device = target.name or target.device_id
    return TARGET.format(device=device, email=target.email) if target.email else device


def list_names(names: Sequence[str], *, most: int = NAMED) -> str:
    """Join names with commas. Only the first ones are named, the others are counted."""
    shown = ", ".join(names[:most])
    return MORE.format(names=shown, count=len(names) - most) if len(names) > most else shown


def _names(value: object) -> Sequence[str]:
    return tuple(map(str, value)) if isinstance(value, tuple) else ()
