"""Sentences for why the value of an option can't be used."""

from collections.abc import Mapping

from commands.rules.kinds import SPECS, OptionProblem, OptionProblemCode
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
