"""Filters of the history. They take whole values, and each field with an error has a sentence that says why."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django import forms
from django.utils.functional import cached_property

from commands.models import User
from commands.queries import people
from commands.queries.commands import GROUP_LABELS, GROUPS, Filter
from commands.rules.ids import parse_uuid
from commands.rules.kinds import SPECS, Kind
from commands.rules.states import Status
from commands.rules.wording.statuses import status_label

ME = "me"
NEWEST, OLDEST = "newest", "oldest"
ELSEWHERE, HERE = "elsewhere", "here"
_FIRST_YEAR, _LAST_YEAR = 2000, 2999  # ids can contain times of these years

_GROUPS = [(key, GROUP_LABELS[key]) for key in GROUPS]
_STATUSES = [(status.value, status_label(status)) for status in Status]


def _text(label: str, most: int, placeholder: str) -> forms.CharField:
    attrs = {"class": "form-control", "autocomplete": "off", "spellcheck": "false", "placeholder": placeholder}
    return forms.CharField(label=label, max_length=most, required=False, widget=forms.TextInput(attrs=attrs))


def _choice(label: str, choices: list[Any], any_label: str) -> forms.ChoiceField:
    widget = forms.Select(attrs={"class": "form-select"})
    return forms.ChoiceField(label=label, choices=[("", any_label), *choices], required=False, widget=widget)


def _day(label: str) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"class": "form-control", "type": "date"})
    formats = ["%Y-%m-%d"]
    wrong = {"invalid": "Use YYYY-MM-DD."}
    return forms.DateField(label=label, required=False, widget=widget, input_formats=formats, error_messages=wrong)


class HistoryForm(forms.Form):
    person = _text("Person", 254, "whole email")
    device = _text("Device", 255, "whole name or id")
    ticket = _text("Ticket", 64, "whole ticket")
    requested_by = _text("Requested by", 254, "“me”, user name or email")
    kind = _choice("Command", [(kind.value, SPECS[kind].label) for kind in Kind], "Any")
    status = _choice("Status", [("Groups", _GROUPS), ("Statuses", _STATUSES)], "Any")
    started = _choice("Source", [(HERE, "This portal"), (ELSEWHERE, "Cloudflare dashboard or API")], "Any")
    since = _day("From")
    until = _day("To")
    order = forms.ChoiceField(
        label="Order",
        choices=[(NEWEST, "Newest first"), (OLDEST, "Oldest first")],
        required=False,
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    # The browser's time zone. Times are shown in it, so dates are read in it too. Without JavaScript both are UTC.
    zone = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput(attrs={"data-zone": ""}))

    def __init__(self, data: Mapping[str, Any], *, account_id: UUID, viewer: User, can_run: bool = True) -> None:
        super().__init__(data, auto_id="id_%s", use_required_attribute=False)
        self.viewer, self.account_id = viewer, account_id
        if not can_run:  # “me” would find nothing
            self.fields["requested_by"].widget.attrs["placeholder"] = "user name or email"
        for name in self.errors:
            self.fields[name].widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{name}_error"}

    def clean_person(self) -> str:
        email: str = self.cleaned_data["person"].lower()
        if email and "@" not in email:
            raise forms.ValidationError("Enter an email (device names go in Device).")
        return email

    def clean_device(self) -> str:
        return str(self.cleaned_data["device"].lower())

    def clean_ticket(self) -> str:
        return str(self.cleaned_data["ticket"].lower())

    def clean_requested_by(self) -> User | None:
        name: str = self.cleaned_data["requested_by"].lower()
        if name in ("", ME):
            return self.viewer if name else None
        user = people.requester(name, self.account_id)
        if user is None:
            raise forms.ValidationError("No user with that name or email.")
        return user

    def clean_since(self) -> date | None:
        return _in_range(self.cleaned_data["since"])

    def clean_until(self) -> date | None:
        return _in_range(self.cleaned_data["until"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "“To” is before “From”.")
        return cleaned

    @cached_property
    def given(self) -> dict[str, str]:
        """Return the filled-in fields as query parameters."""
        return {name: value for name in self.fields if (value := str(self.data.get(name, "")).strip())}

    @cached_property
    def zone_of_days(self) -> ZoneInfo:
        return _zone(str(self.data.get("zone", "")))

    @property
    def is_oldest_first(self) -> bool:
        return self.data.get("order") == OLDEST

    def filter(self) -> Filter:
        """Return the filter of a valid form."""
        cleaned = self.cleaned_data
        status, started = cleaned["status"], cleaned["started"]
        device, requester = cleaned["device"], cleaned["requested_by"]
        is_status = status in set(Status)
        return Filter(
            account_id=self.account_id,
            requested_by=requester.pk if requester else None,
            group="" if is_status else status,
            kind=Kind(cleaned["kind"]) if cleaned["kind"] else None,
            since=_midnight(cleaned["since"], self.zone_of_days),
            until=_midnight(cleaned["until"], self.zone_of_days, plus=timedelta(days=1)),
            status=Status(status) if is_status else None,
            email=cleaned["person"],
            device_id=device if parse_uuid(device) else "",
            device_name="" if parse_uuid(device) else device,
            ticket=cleaned["ticket"],
            elsewhere=None if not started else started == ELSEWHERE,
        )


def _in_range(day: date | None) -> date | None:
    if day and not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise forms.ValidationError(f"Enter a year from {_FIRST_YEAR} to {_LAST_YEAR}.")
    return day


def _midnight(day: date | None, zone: ZoneInfo, plus: timedelta = timedelta()) -> datetime | None:
    """Return when the day begins in the zone, or the day that is `plus` later."""
    return datetime.combine(day + plus, time(), zone).astimezone(UTC) if day else None


def _zone(name: str) -> ZoneInfo:
    """Return the time zone of this name, or UTC if there is none."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
