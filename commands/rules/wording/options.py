"""Descriptions of options, and sentences for why the value of an option can't be used."""

from collections.abc import Mapping
from enum import StrEnum

from commands.rules.kinds import SPECS, Kind, Option, OptionProblem, OptionProblemCode, Options, OptionType, OptionValue
from commands.rules.wording import sentence

SENTENCES: Mapping[OptionProblemCode, str] = {
    OptionProblemCode.UNKNOWN_OPTION: "{kind} has no option “{name}”.",
    OptionProblemCode.NOT_A_NUMBER: "{label} has to be a whole number ({unit}).",
    OptionProblemCode.TOO_SMALL: "{label} has to be at least {limit} {unit}.",
    OptionProblemCode.TOO_LARGE: "{label} has to be at most {limit} {unit}.",
    OptionProblemCode.NOT_A_SWITCH: "{label} has to be on or off.",
    OptionProblemCode.NOT_CHOICES: "{label} can have: {choices}.",
    OptionProblemCode.UNKNOWN_CHOICES: "{label} can have {choices}, not {unknown}.",
}


def describe_option_problem(problem: OptionProblem) -> str:
    spec = SPECS[problem.kind]
    option = spec.option(problem.option)
    if option is None:
        return sentence(SENTENCES, problem.code, kind=spec.label, name=problem.option)
    return sentence(
        SENTENCES,
        problem.code,
        label=option.label,
        unit=option.unit,
        limit=problem.limit,
        choices=", ".join(option.choices),
        unknown=", ".join(problem.unknown),
    )


class OptionText(StrEnum):
    """Parts of a description."""

    NUMBER = "number"
    ON = "on"
    OFF = "off"
    CHOICES = "choices"


DESCRIPTIONS: Mapping[OptionText, str] = {
    OptionText.NUMBER: "{value} {unit}",
    OptionText.ON: "{label}",
    OptionText.OFF: "not {label}",
    OptionText.CHOICES: "{value}",
}


def describe_options(kind: Kind, options: Options) -> str:
    """Describe options on one line, such as “5 min · 50 MB · 160 bytes”. '' where there are none."""
    parts = [_describe(option, options[option.name]) for option in SPECS[kind].options if option.name in options]
    return " · ".join(part for part in parts if part)


def _describe(option: Option, value: OptionValue) -> str:
    match option.type:
        case OptionType.WHOLE_NUMBER:
            return sentence(DESCRIPTIONS, OptionText.NUMBER, value=value, unit=option.unit)
        case OptionType.SWITCH:
            text = OptionText.ON if value else OptionText.OFF
            return sentence(DESCRIPTIONS, text, label=option.label.lower())
        case OptionType.CHOICES:
            return sentence(
                DESCRIPTIONS, OptionText.CHOICES, value=" + ".join(value) if isinstance(value, list) else ""
            )
