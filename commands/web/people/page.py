"""A person's page and a device's: what Cloudflare listed of them, beside their commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse

from commands.access import Right
from commands.models import Command, Device
from commands.queries.commands import COUNTED, Filter
from commands.queries.viewer_context import ViewerContext
from commands.web.shared import rows
from commands.web.shared.components import Nothing
from commands.web.shared.links import device_url, person_url
from commands.web.shared.lists import page as listing
from commands.web.shared.lists.page import Listing, Where
from commands.web.shared.rows import About


@dataclass(frozen=True, slots=True)
class Registration:
    """One row that Cloudflare listed: device, person and registration belong together."""

    device: str
    device_id: str
    device_url: str
    email: str
    person_url: str
    registration_id: str
    platform: str
    client_version: str
    chip: rows.Chip
    reason: str
    seen_at: datetime | None
    run_url: str  # '' without the right to run


@dataclass(frozen=True, slots=True)
class SubjectPage:
    """`name`: whom the page is about; `facts`: what is listed, which may be nothing for what the record alone knows."""

    name: str
    sub: str
    heading: str
    registrations: Sequence[Registration]
    run_url: str
    run_label: str
    history_url: str
    commands: Listing


def run_url(place: ViewerContext, line: str) -> str:
    """Return the address of the desk with this line as the target, or '' for a person without the right to run."""
    if Right.RUN not in place.rights:
        return ""
    return f"{reverse('desk')}?{urlencode({'account': place.account.id, 'who': line})}"


def filters(base: Filter, group: str) -> tuple[Filter, list[Filter]]:
    """Return the filter of the list, and those that the chips count: all, and each group."""
    one = {key: replace(base, group=key) for key in ("", *COUNTED)}
    return one.get(group, base), list(one.values())


def person(
    place: ViewerContext,
    email: str,
    devices: Sequence[Device],
    found: tuple[Sequence[Command], bool],
    counts: Sequence[int],
    *,
    where: Where,
    now: datetime,
) -> SubjectPage:
    shown = [_registration(place, one) for one in devices]
    history = {"account": str(place.account.id), "person": email}
    return SubjectPage(
        name=email,
        sub="Person",
        heading="Devices",
        registrations=shown,
        run_url=run_url(place, email) if devices else "",  # of several devices the desk asks which
        run_label="Run a command",
        history_url=f"{reverse('history')}?{urlencode(history)}",
        commands=_commands(place, found, counts, where, now, about=About.PERSON, whose="for this person"),
    )


def device(
    place: ViewerContext,
    device_id: str,
    devices: Sequence[Device],
    found: tuple[Sequence[Command], bool],
    counts: Sequence[int],
    *,
    where: Where,
    now: datetime,
) -> SubjectPage:
    commands, _ = found
    last = commands[0] if commands else None
    name = devices[0].name if devices else (last.device_name if last else "")
    platform = devices[0].platform if devices else (last.platform if last else "")
    history = {"account": str(place.account.id), "device": device_id}
    return SubjectPage(
        name=name or device_id,
        sub=" · ".join(word for word in ("Device", rows.platform_name(platform)) if word),
        heading="Registrations",
        registrations=[_registration(place, one) for one in devices],
        run_url=run_url(place, _line(devices[0]) if len(devices) == 1 else name) if devices else "",
        run_label="Run a command",
        history_url=f"{reverse('history')}?{urlencode(history)}",
        commands=_commands(place, found, counts, where, now, about=About.DEVICE, whose="on this device"),
    )


def _commands(
    place: ViewerContext,
    found: tuple[Sequence[Command], bool],
    counts: Sequence[int],
    where: Where,
    now: datetime,
    *,
    about: About,
    whose: str,
) -> Listing:
    total, *by_group = counts
    groups: Mapping[str, int] = dict(zip(COUNTED, by_group, strict=True))
    picked = bool(where.given.get("group"))
    empty = Nothing(f"No command {whose}.", "New commands appear here at once.")
    none_of_these = Nothing("No commands in this state.", "", where.url(group=""), f"All commands {whose}")
    return listing.build(
        place,
        found,
        where=where,
        title="Commands",
        count="",
        nothing=none_of_these if picked and total else empty,
        now=now,
        chips=listing.group_chips(where, groups, total),
        about=about,
    )


def _registration(place: ViewerContext, device: Device) -> Registration:
    chip, reason = _ability(device)
    return Registration(
        device=device.name or device.device_id,
        device_id=device.device_id,
        device_url=device_url(place.account.id, device.device_id),
        email=device.email,
        person_url=person_url(place.account.id, device.email),
        registration_id=device.registration_id,
        platform=rows.platform_name(device.platform),
        client_version=device.client_version,
        chip=chip,
        reason=reason,
        seen_at=device.seen_at,
        run_url=run_url(place, _line(device)),
    )


def _line(device: Device) -> str:
    """As the desk reads it: this registration and no other."""
    return ", ".join(word for word in (device.device_id, device.email, device.registration_id) if word)


def _ability(device: Device) -> tuple[rows.Chip, str]:
    """Return Cloudflare's state of the device as a word, and its reason."""
    if device.eligible is False:
        return rows.Chip("Not eligible", "failed"), device.ineligible_reason
    if device.eligible is None:
        return rows.Chip("Not known", "withdrawn"), "Cloudflare did not say whether commands can run on it."
    if device.connection == "connected":
        return rows.Chip("Connected", "done"), ""
    return rows.Chip((device.connection or "Not connected").capitalize(), "waiting"), ""
