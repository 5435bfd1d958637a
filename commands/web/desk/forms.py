"""The desk's form: what a person asks for.

Owns the reading of what was typed, with a sentence at the field or line that it belongs to, and loses nothing of it.
Bounds and words of options come from `kinds.py`; the look-up of devices is passed in. It asks for nothing itself.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

from django import forms
from django.conf import settings
from django.core.validators import ProhibitNullCharactersValidator
from django.http import QueryDict

from commands.actions.sending.submit import Target
from commands.models import Account, Device, Preset
from commands.rules.kinds import SPECS, Kind, Option, Options, OptionType, clean_options, options_of, warnings
from commands.rules.targeting import Line, LineError, Resolved, is_typed, read, resolve, words_of

ERRORS_SHOWN = 20
WHO_LENGTH = 400  # a device id, an email address and a registration

type Named = Callable[[UUID, Collection[str]], list[Device]]
type Picked = Callable[[UUID, Iterable[int]], list[Device]]
type Suggested = Callable[[UUID, str], list[Device]]


@dataclass(frozen=True, slots=True)
class Directory:
    """How to find devices: by words, by the keys of ticked rows, and by what a name begins with.

    `is_suggested`: whether one device is among the last.
    """

    named: Named
    picked: Picked
    suggested: Suggested
    is_suggested: Callable[[Device, str], bool]


@dataclass(frozen=True, slots=True)
class FormChoices:
    """What admins keep for people to pick from."""

    presets: Sequence[Preset]
    purposes: Sequence[str]


@dataclass(frozen=True, slots=True)
class OptionField:
    """One option as the page shows it."""

    option: Option
    name: str
    value: str
    error: str
    warning: str
    picked: Collection[str]
    ceiling: int | None = None

    @property
    def bounds(self) -> str:
        """Beside the field, such as “1 to 10”."""
        least = self.option.least
        return f"{least} to {self.ceiling}" if self.ceiling is not None else f"from {least}"

    @property
    def id(self) -> str:
        return f"id_{self.name}"

    @property
    def is_number(self) -> bool:
        return self.option.type is OptionType.WHOLE_NUMBER

    @property
    def is_switch(self) -> bool:
        return self.option.type is OptionType.SWITCH

    @property
    def is_on(self) -> bool:
        return self.value == "on"

    @property
    def hint_id(self) -> str:
        return f"{self.id}_hint"


@dataclass(frozen=True, slots=True)
class KindChoice:
    kind: Kind
    label: str
    sentence: str
    checked: bool
    options: tuple[OptionField, ...]

    @property
    def has_errors(self) -> bool:
        return any(field.error for field in self.options)


class Typed(forms.CharField):
    """Text whose strange characters are told where they stand, by whoever reads its lines."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(required=False, **rest)
        self.validators = [one for one in self.validators if not isinstance(one, ProhibitNullCharactersValidator)]


class AskForm(forms.Form):
    account = forms.UUIDField(widget=forms.HiddenInput)
    key = forms.UUIDField(widget=forms.HiddenInput, error_messages={"required": "The form is out of date: reload it."})
    kinds = forms.MultipleChoiceField(
        error_messages={
            "required": "Tick at least one: what should be run?",
            "invalid_choice": "“%(value)s” is nothing that this account's API can run.",
        },
    )
    device = forms.TypedMultipleChoiceField(
        coerce=int, required=False, error_messages={"invalid_choice": "A tick cannot be read: tick again."}
    )
    who = Typed(max_length=WHO_LENGTH)
    targets = Typed(strip=False)
    purpose = forms.ChoiceField(required=False)
    ticket = forms.CharField(max_length=64, required=False)
    reason = forms.CharField(max_length=500, required=False)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        account: Account,
        directory: Directory,
        offers: FormChoices,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        initial = {"account": account.id, "key": uuid4(), **(initial or {})}
        super().__init__(data, auto_id="id_%s", initial=initial)
        self.offers = offers
        self.account_row = account
        self.directory = directory
        self.options: dict[Kind, Options] = {}
        self.option_errors: dict[str, str] = {}
        self.line_errors: list[LineError] = []
        self.lines = 0
        self.resolved = Resolved()
        kinds = [(kind.value, SPECS[kind].label) for kind in kinds_of(account)]
        self.fields["kinds"].choices = kinds  # type: ignore[attr-defined]
        ticks = data.getlist("device") if data is not None else []
        self.fields["device"].choices = [(tick, tick) for tick in ticks if is_key(tick)]  # type: ignore[attr-defined]
        words = [(word, word) for word in offers.purposes]
        self.fields["purpose"].choices = [("", "Purpose"), *words]  # type: ignore[attr-defined]

    # --- reading -----------------------------------------------------------------------------------------------------

    def clean_targets(self) -> str:
        text: str = self.cleaned_data["targets"]
        if len(text.encode()) > settings.PASTE_MAX_BYTES:
            megabytes = settings.PASTE_MAX_BYTES // (1024 * 1024)
            raise forms.ValidationError(f"A list takes {megabytes} MB at most: split it.")
        return text

    def clean_account(self) -> UUID:
        given: UUID = self.cleaned_data["account"]
        if given != self.account_row.id:
            raise forms.ValidationError("The form belongs to another account: reload the page.")
        return given

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for kind in map(Kind, cleaned.get("kinds", [])):
            self._read_options(kind)
        if "targets" in cleaned and "who" in cleaned:
            self._read_targets(cleaned)
        return cleaned

    def _read_options(self, kind: Kind) -> None:
        known = options_of(kind, legacy=self._legacy)
        raw = {option.name: self._given(kind, option) for option in known}
        self.options[kind], errors = clean_options(kind, raw, settings.OPTION_CEILINGS)
        for name, sentence in errors.items():
            self.option_errors[_field(kind, name)] = sentence
            self.add_error(None, sentence)

    def _given(self, kind: Kind, option: Option) -> object:
        name = _field(kind, option.name)
        data = self.data
        if option.type is OptionType.SWITCH:
            return name in data
        if option.type is OptionType.CHOICES:
            return data.getlist(name) if isinstance(data, QueryDict) else data.get(name, [])
        return data.get(name, "")

    def _read_targets(self, cleaned: Mapping[str, Any]) -> None:
        lines = read(cleaned["targets"])
        self.lines = len(lines)
        if len(lines) > settings.TARGETS_MAX:
            self.add_error("targets", f"{len(lines)} lines: a run takes {settings.TARGETS_MAX} targets at most.")
            return
        ticks: list[int] = cleaned.get("device", [])
        account = self.account_row.id
        ticked = self.directory.picked(account, ticks) if ticks else []
        typed = self._typed(cleaned["who"], ticked)
        words = words_of([*typed, *lines])
        listed = self.directory.named(account, words) if words else []
        self.resolved = resolve([*typed, *lines], listed, ticked)
        self.line_errors = [error for error in self.resolved.errors if error.number]
        self._tell_targets(len(set(ticks)) - len(ticked))

    def _typed(self, who: str, ticked: Sequence[Device]) -> list[Line]:
        """What stands in “Who” means somebody too, unless it is what a ticked device was found by."""
        if any(self.directory.is_suggested(device, who) for device in ticked):
            return []
        return [Line(0, line.text, line.cells) for line in read(who)]

    def _tell_targets(self, vanished: int) -> None:
        if vanished > 0:
            what = "1 ticked device is" if vanished == 1 else f"{vanished} ticked devices are"
            self.add_error("who", f"{what} not listed any more: look again for whom you mean.")
        for error in self.resolved.errors:
            if not error.number:
                self.add_error("who", error.sentence)
        if self.line_errors:
            self.add_error("targets", f"{len(self.line_errors)} not understood")
        if self.errors.get("who") or self.line_errors:
            return
        if not self.resolved.targets:
            self.add_error("who", "Say whom it is for: a person, a device, or a list.")
        elif len(self.resolved.targets) > settings.TARGETS_MAX:
            self.add_error("targets", f"A run takes {settings.TARGETS_MAX} targets at most.")

    def find_candidates(self) -> list[Device]:
        """Devices to tick where a line may have meant one of several, or “Who” is only the beginning of a name."""
        if self.resolved.choices or not self.is_bound or "who" not in self.errors:
            return self.resolved.choices
        who = str(self["who"].value() or "").strip()
        found = self.directory.suggested(self.account_row.id, who) if is_typed(who) else []
        if found:
            self.errors["who"] = self.error_class([f"Tick who is meant by “{who}”."])
        return found

    def renew(self) -> None:
        """The key is used up: what is typed stays, under a new one."""
        data = cast(QueryDict, self.data).copy()
        data["key"] = str(uuid4())
        self.data = data
        self.add_error("key", "This form was sent already, with other contents. Press Run to ask for what it says now.")

    @property
    def problems(self) -> list[str]:
        """What is wrong beside lines of a list, for a plan: somebody who has typed nothing yet is told nothing."""
        if not self.is_filled:
            return list(self.option_errors.values())
        told = [*self.errors.get("who", []), *self.option_errors.values()]
        if "kinds" in self.errors:
            told += self.errors["kinds"] if self["kinds"].value() else ["Tick what to run."]
        if "targets" in self.errors and not self.line_errors:
            told += self.errors["targets"]
        return told

    @property
    def ticks(self) -> list[int]:
        """The devices that were ticked, whatever else is wrong."""
        given = self.data.getlist("device") if isinstance(self.data, QueryDict) else self.initial.get("device", [])
        return [int(tick) for tick in given if is_key(str(tick))]

    @property
    def is_filled(self) -> bool:
        """Somebody has typed or ticked something that a plan can be made of."""
        return bool(self.ticks or self["targets"].value() or self["who"].value())

    @property
    def chosen_targets(self) -> Sequence[Target]:
        return self.resolved.targets

    @property
    def _legacy(self) -> bool:
        return is_legacy(self.account_row)

    # --- showing -----------------------------------------------------------------------------------------------------

    @property
    def kind_choices(self) -> list[KindChoice]:
        ticked = set(self["kinds"].value() or [])
        return [
            KindChoice(kind, SPECS[kind].label, SPECS[kind].sentence, kind.value in ticked, self._option_fields(kind))
            for kind in kinds_of(self.account_row)
        ]

    def _option_fields(self, kind: Kind) -> tuple[OptionField, ...]:
        said = warnings(kind, self.options.get(kind, {}))
        fields = []
        for option in options_of(kind, legacy=self._legacy):
            name = _field(kind, option.name)
            value = self._value(kind, option)
            fields.append(
                OptionField(
                    option,
                    name,
                    value if isinstance(value, str) else "",
                    self.option_errors.get(name, ""),
                    said.get(option.name, ""),
                    value if isinstance(value, list) else (),
                    settings.OPTION_CEILINGS.get((kind, option.name), option.ceiling),
                )
            )
        return tuple(fields)

    def _value(self, kind: Kind, option: Option) -> str | list[str]:
        """As it was typed; in a fresh form the preset's or Cloudflare's default. A switch that is on is "on"."""
        if self.is_bound:
            given = self._given(kind, option)
        else:
            given = self.initial.get(_field(kind, option.name), option.default)
        if isinstance(given, bool):
            return "on" if given else ""
        if isinstance(given, list):
            return [str(item) for item in given]
        return "" if given is None else str(given)

    @property
    def shown_line_errors(self) -> list[LineError]:
        return self.line_errors[:ERRORS_SHOWN]

    @property
    def line_errors_left(self) -> int:
        return max(0, len(self.line_errors) - ERRORS_SHOWN)


def _field(kind: Kind, option: str) -> str:
    return f"{kind}-{option}"


def is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def is_legacy(account: Account) -> bool:
    return account.dialect == Account.Dialect.LEGACY


def kinds_of(account: Account) -> list[Kind]:
    """What the account's dialect of the API knows, in the order in which people are offered it."""
    return [kind for kind in Kind if SPECS[kind].legacy or not is_legacy(account)]


def with_preset(data: QueryDict, options: Mapping[str, Mapping[str, object]], account: Account) -> dict[str, object]:
    """The initial values of a form that keeps what was typed, and takes the preset's kinds with their options."""
    typed: dict[str, object] = {name: data.get(name, "") for name in _KEPT}
    known = kinds_of(account)
    typed |= {"device": data.getlist("device"), "kinds": [kind.value for kind in known if kind in options]}
    for kind in known:
        if kind in options:
            typed |= {_field(kind, name): value for name, value in options[kind].items()}
        else:
            typed |= _typed_options(data, kind, account)
    return typed


def _typed_options(data: QueryDict, kind: Kind, account: Account) -> dict[str, object]:
    """Of a kind that the preset does not name; nothing where the form did not show it."""
    fields = {_field(kind, option.name): option for option in options_of(kind, legacy=is_legacy(account))}
    numbers = [name for name, option in fields.items() if option.type is OptionType.WHOLE_NUMBER]
    if numbers and not any(name in data for name in numbers):
        return {}
    switches: dict[str, object] = {n: n in data for n, option in fields.items() if option.type is OptionType.SWITCH}
    choices = {n: data.getlist(n) for n, option in fields.items() if option.type is OptionType.CHOICES}
    return switches | choices | {name: data.get(name, "") for name in numbers}


_KEPT = ("key", "who", "targets", "purpose", "ticket", "reason")
