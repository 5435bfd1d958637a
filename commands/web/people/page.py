"""Page of a person and page of a device: the registrations that Cloudflare lists, and the commands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse

from commands.access import Right
from commands.models import Device
from commands.queries.commands import COUNTED, Filter, ListPage
from commands.queries.viewer_context import ViewerContext
from commands.web.shared import rows
from commands.web.shared.components import EmptyState, FilterGroup, capped
from commands.web.shared.links import device_url, person_url
from commands.web.shared.lists import page as lists
from commands.web.shared.lists.address import ListAddress
from commands.web.shared.lists.page import CommandList
from commands.web.shared.rows import ListSubject


@dataclass(frozen=True, slots=True)
class Registration:
    """One registration that Cloudflare lists: device, person and registration id belong together."""

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
    """Page of a person or device. `registrations` is empty if only earlier commands name the person or device."""

    name: str
    sub: str
    heading: str
    registrations: Sequence[Registration]
    run_url: str
    run_label: str
    history_url: str
    commands: CommandList


def run_url(context: ViewerContext, line: str) -> str:
    """Return the URL of the desk with this line as the target, or '' for a viewer without the right to run."""
    if Right.RUN not in context.rights:
        return ""
    return f"{reverse('desk')}?{urlencode({'account': context.account.id, 'who': line})}"


def filters(base: Filter, group: str) -> tuple[Filter, list[Filter]]:
    """Return the filter of the list, and those that the chips count: all, and each group."""
    by_group = {key: replace(base, group=key) for key in ("", *COUNTED)}
    return by_group.get(group, base), list(by_group.values())


def build_person(
    context: ViewerContext,
    devices: Sequence[Device],
    page: ListPage,
    counts: Sequence[int],
    *,
    email: str,
    address: ListAddress,
    now: datetime,
) -> SubjectPage:
    return SubjectPage(
        name=email,
        sub="Person",
        heading="Devices",
        registrations=[_registration(context, device) for device in devices],
        # For a person with several devices, the desk asks for the device.
        run_url=run_url(context, email) if devices else "",
        run_label="Run a command",
        history_url=_history_url(context, person=email),
        commands=_commands(context, page, counts, address, now, subject=ListSubject.PERSON, where="for this person"),
    )


def build_device(
    context: ViewerContext,
    devices: Sequence[Device],
    page: ListPage,
    counts: Sequence[int],
    *,
    device_id: str,
    address: ListAddress,
    now: datetime,
) -> SubjectPage:
    latest = page.rows[0].command if page.rows else None
    name = devices[0].name if devices else (latest.device_name if latest else "")
    platform = devices[0].platform if devices else (latest.platform if latest else "")
    return SubjectPage(
        name=name or device_id,
        sub=" · ".join(text for text in ("Device", rows.platform_name(platform)) if text),
        heading="Users on this device",
        registrations=[_registration(context, device) for device in devices],
        run_url=run_url(context, _line(devices[0]) if len(devices) == 1 else name) if devices else "",
        run_label="Run a command",
        history_url=_history_url(context, device=device_id),
        commands=_commands(context, page, counts, address, now, subject=ListSubject.DEVICE, where="on this device"),
    )


def _history_url(context: ViewerContext, **filters: str) -> str:
    return f"{reverse('history')}?{urlencode({'account': context.account.id, **filters})}"


def _commands(
    context: ViewerContext,
    page: ListPage,
    counts: Sequence[int],
    address: ListAddress,
    now: datetime,
    *,
    subject: ListSubject,
    where: str,
) -> CommandList:
    total, *by_group = counts
    everything = replace(address, filters={})
    is_filtered = bool(address.filters.get("group"))
    empty = EmptyState(f"No commands {where}.", "New commands appear here at once.")
    if is_filtered and total:
        empty = EmptyState("No commands have this status.", "", everything.url(), f"All commands {where}")
    return lists.build(
        context,
        page,
        address=address,
        empty=empty,
        filters=[
            FilterGroup(
                "Status",
                [
                    lists.filter_link("All", everything, is_on=not is_filtered, count=capped(total)),
                    *lists.group_links(address, dict(zip(COUNTED, by_group, strict=True))),
                ],
            )
        ],
        subject=subject,
        now=now,
    )


def _registration(context: ViewerContext, device: Device) -> Registration:
    chip, reason = _ability(device)
    return Registration(
        device=device.name or device.device_id,
        device_id=device.device_id,
        device_url=device_url(context.account.id, device.device_id),
        email=device.email,
        person_url=person_url(context.account.id, device.email),
        registration_id=device.registration_id,
        platform=rows.platform_name(device.platform),
        client_version=device.client_version,
        chip=chip,
        reason=reason,
        seen_at=device.seen_at,
        run_url=run_url(context, _line(device)),
    )


def _line(device: Device) -> str:
    """Return the line that means exactly this registration on the desk."""
    return ", ".join(cell for cell in (device.device_id, device.email, device.registration_id) if cell)


def _ability(device: Device) -> tuple[rows.Chip, str]:
    """Return the state of the device as Cloudflare reports it, and the reason."""
    if device.eligible is False:
        return rows.Chip("Not supported", "failed"), device.ineligible_reason
    if device.eligible is None:
        return rows.Chip("Unknown", "withdrawn"), "Cloudflare doesn't say whether commands can run on it."
    if device.connection == "connected":
        return rows.Chip("Connected", "done"), ""
    return rows.Chip((device.connection or "Not connected").capitalize(), "waiting"), ""
