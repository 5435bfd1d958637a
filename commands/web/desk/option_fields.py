"""Option fields of the desk's form: which there are, how they are read, and how they are shown."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import QueryDict

from commands.models import Account
from commands.rules.kinds import SPECS, Kind, Option, Options, OptionType, clean_options, options_of, warnings
from commands.rules.wording.options import describe_option_problem


@dataclass(frozen=True, slots=True)
class OptionField:
    """One option as the page shows it."""

    option: Option
    name: str
    value: str
    error: str
    warning: str
    selected: Collection[str]
    ceiling: int | None = None

    @property
    def bounds(self) -> str:
        """Return the bounds beside the label, such as “1 to 10”."""
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


class OptionFields:
    """Options of every kind of an account, as they were posted or as a fresh form starts.

    `data` are the posted fields, None in a fresh form.
    """

    def __init__(self, account: Account, data: QueryDict | None, initial: Mapping[str, Any]) -> None:
        self.account = account
        self.data = data
        self.initial = initial
        self.options: dict[Kind, Options] = {}
        self.errors: dict[str, str] = {}  # by the field's name

    def read(self, kinds: Iterable[Kind]) -> None:
        """Read and check the options of these kinds."""
        for kind in kinds:
            raw = {option.name: self._posted(kind, option) for option in _options(self.account, kind)}
            self.options[kind], problems = clean_options(kind, raw, settings.OPTION_CEILINGS)
            self.errors |= {field_name(kind, name): describe_option_problem(one) for name, one in problems.items()}

    def kind_choices(self, checked: Collection[str]) -> list[KindChoice]:
        return [
            KindChoice(kind, SPECS[kind].label, SPECS[kind].sentence, kind.value in checked, self._fields(kind))
            for kind in kinds_of(self.account)
        ]

    def _fields(self, kind: Kind) -> tuple[OptionField, ...]:
        warned = warnings(kind, self.options.get(kind, {}))
        fields = []
        for option in _options(self.account, kind):
            name = field_name(kind, option.name)
            value = self._value(kind, option)
            fields.append(
                OptionField(
                    option,
                    name,
                    value if isinstance(value, str) else "",
                    self.errors.get(name, ""),
                    warned.get(option.name, ""),
                    value if isinstance(value, list) else (),
                    settings.OPTION_CEILINGS.get((kind, option.name), option.ceiling),
                )
            )
        return tuple(fields)

    def _posted(self, kind: Kind, option: Option) -> object:
        name = field_name(kind, option.name)
        data = self.data if self.data is not None else QueryDict()
        if option.type is OptionType.SWITCH:
            return name in data
        return data.getlist(name) if option.type is OptionType.CHOICES else data.get(name, "")

    def _value(self, kind: Kind, option: Option) -> str | list[str]:
        """Return the posted value. In a fresh form it is the preset's or Cloudflare's default. On is "on"."""
        if self.data is not None:
            value = self._posted(kind, option)
        else:
            value = self.initial.get(field_name(kind, option.name), option.default)
        if isinstance(value, bool):
            return "on" if value else ""
        if isinstance(value, list):
            return [str(item) for item in value]
        return "" if value is None else str(value)


def field_name(kind: Kind, option: str) -> str:
    return f"{kind}-{option}"


def kinds_of(account: Account) -> list[Kind]:
    """Return the kinds that the account's dialect of the API has, in the form's order."""
    return [kind for kind in Kind if SPECS[kind].legacy or not _is_legacy(account)]


def with_preset(account: Account, data: QueryDict, preset: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Return the kinds of a preset with their options, and the posted options of all other kinds."""
    known = kinds_of(account)
    initial: dict[str, object] = {"kinds": [kind.value for kind in known if kind in preset]}
    for kind in known:
        if kind in preset:
            initial |= {field_name(kind, name): value for name, value in preset[kind].items()}
        else:
            initial |= _posted_options(account, data, kind)
    return initial


def _posted_options(account: Account, data: QueryDict, kind: Kind) -> dict[str, object]:
    """Return the posted options of a kind, or nothing where the posted form did not show the kind."""
    fields = {field_name(kind, option.name): option.type for option in _options(account, kind)}
    numbers = [name for name, type_ in fields.items() if type_ is OptionType.WHOLE_NUMBER]
    if numbers and not any(name in data for name in numbers):
        return {}
    options: dict[str, object] = {name: data.get(name, "") for name in numbers}
    for name, type_ in fields.items():
        if type_ is OptionType.SWITCH:
            options[name] = name in data
        elif type_ is OptionType.CHOICES:
            options[name] = data.getlist(name)
    return options


def _options(account: Account, kind: Kind) -> tuple[Option, ...]:
    return options_of(kind, legacy=_is_legacy(account))


def _is_legacy(account: Account) -> bool:
    return account.dialect == Account.Dialect.LEGACY
