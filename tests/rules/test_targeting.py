"""Lines that people type or paste, read without a database."""

import pytest

from commands.models import Device
from commands.rules.targeting import Line, read, resolve, words_of

ID = "0123abcd-0123-4123-8123-0123456789ab"


def device(name: str, email: str, device_id: str = "", registration: str = "") -> Device:
    return Device(device_id=device_id or f"id-of-{name.lower()}", email=email, name=name, registration_id=registration)


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("Maria@Example.com", [("maria@example.com",)]),
        (f"{ID.upper()},m@example.com", [(ID, "m@example.com")]),
        (f"{ID}\tm@example.com\treg", [(ID, "m@example.com", "reg")]),
        (f'"{ID}";"m@example.com";', [(ID, "m@example.com")]),
        ("a\n\n  \n# no\nb", [("a",), ("b",)]),
        ("device id,email,registration id\na,b@example.com", [("a", "b@example.com")]),
        ("\ufeffdevice_id,email\na,b@example.com", [("a", "b@example.com")]),
        ('"unclosed, quote', [("unclosed, quote",)]),
        (",,,", []),
        ("", []),
    ],
)
def test_a_line_is_read_with_any_separator_quotes_headings_and_comments(text: str, cells: list[object]) -> None:
    assert [line.cells for line in read(text)] == cells


def test_lines_are_numbered_as_a_person_counts_them() -> None:
    assert [line.number for line in read("\na\n\n# b\nc")] == [2, 5]


def test_one_device_of_a_person_is_meant_by_the_email_alone() -> None:
    resolved = resolve(read("maria@example.com"), [device("LAP-1", "maria@example.com", registration="r")])
    [target] = resolved.targets
    assert (target.name, target.registration_id, target.listed) == ("LAP-1", "r", True)


def test_the_same_registration_named_twice_is_meant_once() -> None:
    listed = [device("LAP-1", "maria@example.com")]
    resolved = resolve(read("maria@example.com\nlap-1\nLAP-1, maria@example.com"), listed, ticked=listed)
    assert len(resolved.targets) == 1
    assert not resolved.errors


def test_two_people_on_one_machine_have_to_be_told_apart() -> None:
    listed = [device("PC", "a@example.com", ID, "r1"), device("PC", "b@example.com", ID, "r2")]
    resolved = resolve(read(f"{ID}\n{ID}, b@example.com"), listed)
    assert [target.registration_id for target in resolved.targets] == ["r2"]
    assert [error.sentence for error in resolved.errors] == [
        "Several people use PC: add the email address of the one who is meant (a@example.com, b@example.com)."
    ]


def test_two_registrations_of_one_person_on_one_machine_need_the_registration() -> None:
    listed = [device("PC", "a@example.com", ID, "r1"), device("PC", "a@example.com", ID, "r2")]
    resolved = resolve(read(f"{ID}, a@example.com\n{ID}, a@example.com, r2"), listed)
    assert [target.registration_id for target in resolved.targets] == ["r2"]
    assert "has several registrations" in resolved.errors[0].sentence


def test_a_registration_that_nobody_listed_is_not_silently_replaced_by_a_listed_one() -> None:
    resolved = resolve(read(f"{ID}, a@example.com, other"), [device("PC", "a@example.com", ID, "r1")])
    [target] = resolved.targets
    assert (target.registration_id, target.listed) == ("other", False)


def test_many_choices_are_named_up_to_four() -> None:
    listed = [device(f"LAP-{number}", "maria@example.com") for number in range(6)]
    [error] = resolve(read("maria@example.com"), listed).errors
    assert error.sentence == ("maria@example.com has 6 devices: say which (LAP-0, LAP-1, LAP-2, LAP-3 and 2 more).")
    assert error.number == 1


def test_a_line_of_its_own_may_come_from_the_field_who() -> None:
    [error] = resolve([Line(0, "Zoe", ("zoe",))], []).errors
    assert (error.number, error.sentence) == (0, "No person or device called “zoe” is known here.")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (f"{ID}, a@example.com, {'r' * 65}", "The registration is longer than 64 characters."),
        (f"{ID}, {'a' * 250}@example.com", "The email address is longer than 254 characters."),
        (f"{ID}, a@example.com, r\x00r", "It holds a character that cannot be typed: a file of another kind?"),
        (f"{ID}, a@exa\x07mple.com", "It holds a character that cannot be typed: a file of another kind?"),
        ("LAP\x00", "It holds a character that cannot be typed: a file of another kind?"),
    ],
)
def test_what_no_column_holds_is_said_at_its_line(line: str, sentence: str) -> None:
    resolved = resolve(read(f"# a heading\n{line}"), [])
    assert [(error.number, error.sentence) for error in resolved.errors] == [(2, sentence)]
    assert not resolved.targets


def test_what_no_column_holds_is_not_looked_for() -> None:
    lines = read(f"LAP\x00\nlap-1\n{'x' * 256}\n{ID}, {'a' * 255}@example.com")
    assert words_of(lines) == {"lap-1", ID}


@pytest.mark.parametrize("line", [f"{ID}, wrong@example.com", f"{ID}, wrong@example.com, r1", "PC, wrong@example.com"])
def test_a_listed_device_is_never_anothers(line: str) -> None:
    listed = [device("PC", "a@example.com", ID, "r1"), device("PC", "b@example.com", ID, "r2")]
    [error] = resolve(read(line), listed).errors
    said = "PC is not wrong@example.com's: Cloudflare listed it for a@example.com, b@example.com."
    assert error.sentence == said


def test_a_device_that_was_listed_for_nobody_may_be_anybodys() -> None:
    [target] = resolve(read(f"{ID}, a@example.com"), [device("PC", "", ID, "r1")]).targets
    assert (target.email, target.listed) == ("a@example.com", False)


def test_a_name_with_a_registration_that_it_has_not_says_so() -> None:
    [error] = resolve(read("PC, a@example.com, other"), [device("PC", "a@example.com", ID, "r1")]).errors
    assert error.sentence == "PC has no registration “other”."


def test_two_lines_that_give_one_unlisted_device_to_two_people_contradict_each_other() -> None:
    lines = read(f"{ID}, a@example.com\n{ID}, A@example.com\n{ID}, b@example.com\n{ID}, b@example.com, other")
    resolved = resolve(lines, [])
    said = "Line 1 gives this device to a@example.com: one of the two is wrong."
    assert [(error.number, error.sentence) for error in resolved.errors] == [(3, said)]
    assert [(one.email, one.registration_id) for one in resolved.targets] == [
        ("a@example.com", ""),
        ("b@example.com", "other"),
    ]
