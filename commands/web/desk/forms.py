"""Form of the desk, with which a person requests a run.

The form reads what was typed and puts a sentence at each field or line that is wrong. It never loses what was typed,
and it creates nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID, uuid4

from django import forms
from django.conf import settings
from django.core.validators import ProhibitNullCharactersValidator
from django.http import QueryDict

from commands.models import Account
from commands.queries import devices
from commands.queries.choices import FormChoices
from commands.rules.kinds import SPECS, Kind, Options
from commands.rules.policies import Refusal, RefusalCode
from commands.rules.targeting import (
    LineError,
    ListedDevice,
    PastedLine,
    Resolved,
    Target,
    TooManyLines,
    identifiers,
    is_typeable,
    read_lines,
    resolve,
)
from commands.rules.wording.refusals import describe_refusal
from commands.rules.wording.targets import describe_line_error
from commands.web.desk import option_fields
from commands.web.desk.option_fields import KindChoice, OptionFields, kinds_of

ERRORS_SHOWN = 20
WHO_LENGTH = 400  # a device id, an email address and a registration
_KEPT = ("key", "who", "targets", "purpose", "ticket", "reason")


class LinesField(forms.CharField):
    """Text that may have any character. Its lines are checked one by one, with an error at each line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)
        self.validators = [
            validator for validator in self.validators if not isinstance(validator, ProhibitNullCharactersValidator)
        ]


class KeysField(forms.Field):
    """Keys of the selected devices, each once. Django's field for choices compares each value with each choice."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[int]:
        keys = list(dict.fromkeys(value or ()))
        if not all(is_key(str(key)) for key in keys):
            raise forms.ValidationError("A selected device could not be read. Select it again.")
        if len(keys) > settings.TARGETS_MAX:
            raise forms.ValidationError(f"A run can have {settings.TARGETS_MAX} targets at most.")
        return [int(key) for key in keys]


class RequestForm(forms.Form):
    account = forms.UUIDField(widget=forms.HiddenInput)
    key = forms.UUIDField(
        widget=forms.HiddenInput, error_messages={"required": "This form is out of date. Reload the page."}
    )
    kinds = forms.MultipleChoiceField(
        error_messages={
            "required": "Choose at least one command to run.",
            "invalid_choice": "This account's API can't run “%(value)s”.",
        },
    )
    device = KeysField(required=False)
    who = LinesField(max_length=WHO_LENGTH)
    targets = LinesField(strip=False)
    purpose = forms.ChoiceField(required=False)
    ticket = forms.CharField(max_length=64, required=False)
    reason = forms.CharField(max_length=500, required=False)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        account: Account,
        choices: FormChoices,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        initial = {"account": account.id, "key": uuid4(), **(initial or {})}
        super().__init__(data, auto_id="id_%s", initial=initial)
        self.choices = choices
        self.account_row = account
        self.option_fields = OptionFields(account, data, initial)
        self.line_errors: list[LineError] = []
        self.line_count = 0
        self.resolved = Resolved()
        kinds = [(kind.value, SPECS[kind].label) for kind in kinds_of(account)]
        self.fields["kinds"].choices = kinds  # type: ignore[attr-defined]
        purposes = [(purpose, purpose) for purpose in choices.purposes]
        self.fields["purpose"].choices = [("", "Purpose"), *purposes]  # type: ignore[attr-defined]

    # --- Reading

    def clean_targets(self) -> str:
        text: str = self.cleaned_data["targets"]
        if len(text.encode()) > settings.PASTE_MAX_BYTES:
            megabytes = settings.PASTE_MAX_BYTES // (1024 * 1024)
            raise forms.ValidationError(f"A list can have {megabytes} MB at most. Split it.")
        return text

    def clean_account(self) -> UUID:
        account_id: UUID = self.cleaned_data["account"]
        if account_id != self.account_row.id:
            raise forms.ValidationError("This form belongs to another account. Reload the page.")
        return account_id

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.option_fields.read(map(Kind, cleaned.get("kinds", [])))
        for error in self.option_fields.errors.values():
            self.add_error(None, error)
        if "targets" in cleaned and "who" in cleaned:
            self._read_targets(cleaned)
        return cleaned

    def _read_targets(self, cleaned: Mapping[str, Any]) -> None:
        try:
            lines = read_lines(cleaned["targets"], settings.TARGETS_MAX)
        except TooManyLines as problem:
            self.add_error("targets", f"{problem.count} lines. A run can have {settings.TARGETS_MAX} targets at most.")
            return
        self.line_count = len(lines)
        keys: list[int] = cleaned.get("device", [])
        account_id = self.account_row.id
        selected = devices.get_by_pks(account_id, keys) if keys else []
        lines = [*self._read_who(cleaned["who"], selected), *lines]
        words = identifiers(lines)
        listed = devices.find_by_identifiers(account_id, words) if words else []
        self.resolved = resolve(lines, listed, [device.target for device in selected])
        self.line_errors = [error for error in self.resolved.errors if error.number]
        self._add_target_errors(vanished=len(set(keys)) - len(selected))

    def _read_who(self, who: str, selected: Sequence[ListedDevice]) -> list[PastedLine]:
        """Read “Who” as lines, unless it is the search with which a selected device was found."""
        if any(devices.is_suggested(device, who) for device in selected):
            return []
        return [PastedLine(0, line.text, line.cells) for line in read_lines(who)]

    def _add_target_errors(self, *, vanished: int) -> None:
        if vanished == 1:
            self.add_error("who", "1 selected device is no longer listed. Search for it again.")
        elif vanished > 1:
            self.add_error("who", f"{vanished} selected devices are no longer listed. Search for them again.")
        for error in self.resolved.errors:
            if not error.number:
                self.add_error("who", describe_line_error(error))
        if self.line_errors:
            self.add_error("targets", f"{len(self.line_errors)} lines have problems")
        if self.errors.get("who") or self.line_errors:
            return
        if not self.resolved.targets:
            self.add_refusal(Refusal(RefusalCode.NO_TARGETS))
        elif len(self.resolved.targets) > settings.TARGETS_MAX:
            self.add_error("targets", f"A run can have {settings.TARGETS_MAX} targets at most.")

    def find_candidates(self) -> list[ListedDevice]:
        """Find devices to choose from, where a line is ambiguous or “Who” is only the beginning of a name."""
        if self.resolved.choices or not self.is_bound or "who" not in self.errors:
            return self.resolved.choices
        who = str(self["who"].value() or "").strip()
        candidates = devices.suggest(self.account_row.id, who) if is_typeable(who) else []
        if candidates:
            self.errors["who"] = self.error_class([f"Several matches for “{who}”. Pick one below."])
        return candidates

    def add_refusal(self, refusal: Refusal) -> None:
        """Put the sentence of a refusal at its field. After a used key, the form gets a new one."""
        match refusal.code:
            case RefusalCode.KEY_REUSED:
                self._renew_key()
            case RefusalCode.TICKET_REQUIRED | RefusalCode.TICKET_INVALID:
                self.add_error("ticket", describe_refusal(refusal))
            case RefusalCode.PURPOSE_REQUIRED:
                self.add_error("purpose", describe_refusal(refusal))
            case _:
                self.add_error("who", describe_refusal(refusal))

    def _renew_key(self) -> None:
        data = cast(QueryDict, self.data).copy()
        data["key"] = str(uuid4())
        self.data = data
        self.add_error("key", "You already sent this form with different details. Press Run to send it as it is now.")

    @property
    def selected_keys(self) -> list[int]:
        """Return the keys of the selected devices, whatever else is wrong."""
        keys = self.data.getlist("device") if isinstance(self.data, QueryDict) else self.initial.get("device", [])
        return [int(key) for key in keys if is_key(str(key))]

    @property
    def is_filled(self) -> bool:
        """Tell whether any target was typed or selected."""
        return bool(self.selected_keys or self["targets"].value() or self["who"].value())

    @property
    def chosen_targets(self) -> Sequence[Target]:
        return self.resolved.targets

    @property
    def options(self) -> Mapping[Kind, Options]:
        """Options of the chosen kinds."""
        return self.option_fields.options

    # --- Showing

    @property
    def problems(self) -> list[str]:
        """Return what is wrong for the plan, except for lines of a list. An empty form has no problems yet."""
        options = list(self.option_fields.errors.values())
        if not self.is_filled:
            return options
        problems = [*self.errors.get("who", []), *options]
        problems += self.errors.get("kinds", [])
        if "targets" in self.errors and not self.line_errors:
            problems += self.errors["targets"]
        return problems

    @property
    def kind_choices(self) -> list[KindChoice]:
        return self.option_fields.kind_choices(set(self["kinds"].value() or []))

    @property
    def shown_line_errors(self) -> list[tuple[int, str]]:
        """Return the number and the sentence of the first lines with errors."""
        return [(error.number, describe_line_error(error)) for error in self.line_errors[:ERRORS_SHOWN]]

    @property
    def line_errors_left(self) -> int:
        return max(0, len(self.line_errors) - ERRORS_SHOWN)


def is_key(text: str) -> bool:
    """Tell whether text can be the key of a row."""
    return text.isascii() and text.isdigit() and len(text) < 19


def with_preset(data: QueryDict, preset: Mapping[str, Mapping[str, object]], account: Account) -> dict[str, object]:
    """Return the initial values of a form that keeps what was typed, and takes a preset's kinds and options."""
    typed: dict[str, object] = {name: data.get(name, "") for name in _KEPT}
    return typed | {"device": data.getlist("device")} | option_fields.with_preset(account, data, preset)
