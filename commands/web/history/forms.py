"""The filters of the history: whole values, each with a sentence at its field when it cannot be meant."""

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
from commands.queries.search import as_id
from commands.rules.kinds import SPECS, Kind
from commands.rules.states import Status
from commands.rules.wording.statuses import status_label

ME = "me"
NEWEST, OLDEST = "newest", "oldest"
ELSEWHERE, HERE = "elsewhere", "here"
_FIRST_YEAR, _LAST_YEAR = 2000, 2999  # what an id's instant can well be

_GROUPS = [(key, GROUP_LABELS[key]) for key in GROUPS]
_STATUSES = [(status.value, status_label(status)) for status in Status]


def _text(label: str, most: int, placeholder: str) -> forms.CharField:
    attrs = {"class": "form-control", "autocomplete": "off", "spellcheck": "false", "placeholder": placeholder}
    return forms.CharField(label=label, max_length=most, required=False, widget=forms.TextInput(attrs=attrs))


def _choice(label: str, choices: list[Any], any_words: str) -> forms.ChoiceField:
    widget = forms.Select(attrs={"class": "form-select"})
    return forms.ChoiceField(label=label, choices=[("", any_words), *choices], required=False, widget=widget)


def _day(label: str) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"class": "form-control", "type": "date"})
    formats = ["%Y-%m-%d"]
    wrong = {"invalid": "A day is written as 2026-01-31."}
    return forms.DateField(label=label, required=False, widget=widget, input_formats=formats, error_messages=wrong)


class HistoryForm(forms.Form):
    person = _text("Person", 254, "whole email")
    device = _text("Device", 255, "whole name or id")
    ticket = _text("Ticket", 64, "whole ticket")
    asked = _text("Requested by", 254, "“me”, user name or email")
    kind = _choice("Command", [(kind.value, SPECS[kind].label) for kind in Kind], "Any")
    status = _choice("Status", [("Together", _GROUPS), ("Each", _STATUSES)], "Any")
    started = _choice("Started", [(HERE, "Here"), (ELSEWHERE, "Elsewhere")], "Anywhere")
    since = _day("From")
    until = _day("To")
    order = forms.ChoiceField(
        label="Order",
        choices=[(NEWEST, "Newest first"), (OLDEST, "Oldest first")],
        required=False,
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    # As the browser names its own: times are shown in it, so days are meant in it. Without JavaScript both are UTC's.
    zone = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput(attrs={"data-zone": ""}))

    def __init__(self, data: Mapping[str, Any], *, viewer: User, may_ask: bool = True) -> None:
        super().__init__(data, auto_id="id_%s", use_required_attribute=False)
        self.viewer = viewer
        if not may_ask:  # nothing would be found
            self.fields["asked"].widget.attrs["placeholder"] = "user name or email"
        for name in self.errors:
            self.fields[name].widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{name}_error"}

    def clean_person(self) -> str:
        email: str = self.cleaned_data["person"].lower()
        if email and "@" not in email:
            raise forms.ValidationError("An email address has an @. A device's name belongs into the next field.")
        return email

    def clean_device(self) -> str:
        return str(self.cleaned_data["device"].lower())

    def clean_ticket(self) -> str:
        return str(self.cleaned_data["ticket"].lower())

    def clean_asked(self) -> User | None:
        given: str = self.cleaned_data["asked"].lower()
        if given in ("", ME):
            return self.viewer if given else None
        found = people.signs_in_as(given)
        if found is None:
            raise forms.ValidationError("Nobody signs in here with this name or email.")
        return found

    def clean_since(self) -> date | None:
        return _possible(self.cleaned_data["since"])

    def clean_until(self) -> date | None:
        return _possible(self.cleaned_data["until"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "This day is before the first one.")
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

    def filter(self, account_id: UUID) -> Filter:
        """Of a valid form."""
        cleaned = self.cleaned_data
        status, started = cleaned["status"], cleaned["started"]
        device = cleaned["device"]
        is_status = status in set(Status)
        return Filter(
            account_id=account_id,
            requested_by=cleaned["asked"].pk if cleaned["asked"] else None,
            group="" if is_status else status,
            kind=Kind(cleaned["kind"]) if cleaned["kind"] else None,
            since=_midnight(cleaned["since"], self.zone_of_days),
            until=_midnight(cleaned["until"], self.zone_of_days, plus=timedelta(days=1)),
            status=Status(status) if is_status else None,
            email=cleaned["person"],
            device_id=device if as_id(device) else "",
            device_name="" if as_id(device) else device,
            ticket=cleaned["ticket"],
            elsewhere=None if not started else started == ELSEWHERE,
        )


def _possible(day: date | None) -> date | None:
    if day and not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise forms.ValidationError(f"A year from {_FIRST_YEAR} to {_LAST_YEAR}.")
    return day


def _midnight(day: date | None, zone: ZoneInfo, plus: timedelta = timedelta()) -> datetime | None:
    """With which the day begins there, or the one so much later."""
    return datetime.combine(day + plus, time(), zone).astimezone(UTC) if day else None


def _zone(name: str) -> ZoneInfo:
    """Return the time zone of this name, or UTC if there is none."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
