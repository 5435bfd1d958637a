"""Tests of lines that people type or paste, read without a database."""

import itertools

import pytest

from commands.models import Device
from commands.rules.targeting import (
    EMAIL_LENGTH,
    ID_LENGTH,
    NAME_LENGTH,
    Column,
    LineErrorCode,
    ListedDevice,
    PastedLine,
    identifiers,
    read_lines,
    resolve,
)

ID = "0123abcd-0123-4123-8123-0123456789ab"


_KEYS = itertools.count(1)


def device(name: str, email: str, device_id: str = "", registration: str = "") -> ListedDevice:
    return ListedDevice(next(_KEYS), device_id or f"id-of-{name.lower()}", email, registration, name)


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
def test_lines_may_have_any_separator_quotes_a_heading_and_comments(text: str, cells: list[object]) -> None:
    assert [line.cells for line in read_lines(text)] == cells


def test_lines_are_numbered_as_a_person_counts_them() -> None:
    assert [line.number for line in read_lines("\na\n\n# b\nc")] == [2, 5]


def test_lengths_are_those_of_the_columns() -> None:
    columns = {"device_id": ID_LENGTH, "registration_id": ID_LENGTH, "email": EMAIL_LENGTH, "name": NAME_LENGTH}
    assert {name: getattr(Device._meta.get_field(name), "max_length", None) for name in columns} == columns


def test_email_means_the_only_device_of_the_person() -> None:
    resolved = resolve(read_lines("maria@example.com"), [device("LAP-1", "maria@example.com", registration="r")])
    [target] = resolved.targets
    assert (target.name, target.registration_id, target.listed) == ("LAP-1", "r", True)


def test_registration_that_is_named_twice_counts_once() -> None:
    listed = device("LAP-1", "maria@example.com")
    lines = read_lines("maria@example.com\nlap-1\nLAP-1, maria@example.com")
    resolved = resolve(lines, [listed], [listed.target])
    assert resolved.targets == [listed.target]
    assert not resolved.errors


def test_shared_device_needs_the_email_of_a_user() -> None:
    listed = [device("PC", "a@example.com", ID, "r1"), device("PC", "b@example.com", ID, "r2")]
    resolved = resolve(read_lines(f"{ID}\n{ID}, b@example.com"), listed)
    assert [target.registration_id for target in resolved.targets] == ["r2"]
    [error] = resolved.errors
    assert error.code is LineErrorCode.SHARED_DEVICE
    assert error.values == {"device": "PC", "people": ("a@example.com", "b@example.com")}
    assert resolved.choices == listed


def test_several_registrations_of_one_user_need_the_registration() -> None:
    listed = [device("PC", "a@example.com", ID, "r1"), device("PC", "a@example.com", ID, "r2")]
    resolved = resolve(read_lines(f"{ID}, a@example.com\n{ID}, a@example.com, r2"), listed)
    assert [target.registration_id for target in resolved.targets] == ["r2"]
    assert [error.code for error in resolved.errors] == [LineErrorCode.SEVERAL_REGISTRATIONS]


def test_unlisted_registration_is_not_replaced_by_a_listed_one() -> None:
    resolved = resolve(read_lines(f"{ID}, a@example.com, other"), [device("PC", "a@example.com", ID, "r1")])
    [target] = resolved.targets
    assert (target.registration_id, target.listed) == ("other", False)


def test_email_of_a_person_with_several_devices_names_them() -> None:
    names = tuple(f"LAP-{number}" for number in range(6))
    resolved = resolve(read_lines("maria@example.com"), [device(name, "maria@example.com") for name in names])
    [error] = resolved.errors
    assert (error.number, error.code) == (1, LineErrorCode.SEVERAL_DEVICES_OF_PERSON)
    assert error.values == {"email": "maria@example.com", "devices": names}


def test_name_of_several_devices_is_ambiguous() -> None:
    listed = [device("PC", f"{user}@example.com", f"id-{user}") for user in "ab"]
    [error] = resolve(read_lines("pc"), listed).errors
    assert (error.code, error.values) == (LineErrorCode.SEVERAL_DEVICES_OF_NAME, {"name": "pc", "count": 2})


def test_text_outside_a_list_has_number_0() -> None:
    [error] = resolve([PastedLine(0, "Zoe", ("zoe",))], []).errors
    assert (error.number, error.code, error.values) == (0, LineErrorCode.NOT_FOUND, {"identifier": "zoe"})


@pytest.mark.parametrize(
    ("line", "code", "values"),
    [
        (
            f"{ID}, a@example.com, {'r' * 65}",
            LineErrorCode.CELL_TOO_LONG,
            {"column": Column.REGISTRATION, "length": 64},
        ),
        (f"{ID}, {'a' * 250}@example.com", LineErrorCode.CELL_TOO_LONG, {"column": Column.EMAIL, "length": 254}),
        (f"{ID}, a@example.com, r\x00r", LineErrorCode.UNREADABLE_CHARACTERS, {}),
        (f"{ID}, a@exa\x07mple.com", LineErrorCode.UNREADABLE_CHARACTERS, {}),
        ("LAP\x00", LineErrorCode.UNREADABLE_CHARACTERS, {}),
        (f"{ID}, a@example.com, r, more", LineErrorCode.TOO_MANY_COLUMNS, {}),
        (f"{ID}, maria", LineErrorCode.INVALID_EMAIL, {"email": "maria"}),
        ("maria@example.com", LineErrorCode.NO_DEVICE_OF_PERSON, {"email": "maria@example.com"}),
        (ID, LineErrorCode.DEVICE_NOT_LISTED, {}),
        ("lap-1, a@example.com", LineErrorCode.NOT_A_DEVICE, {"identifier": "lap-1"}),
    ],
)
def test_wrong_line_is_an_error_at_its_number(line: str, code: LineErrorCode, values: dict[str, object]) -> None:
    resolved = resolve(read_lines(f"# a heading\n{line}"), [])
    assert [(error.number, error.code, error.values) for error in resolved.errors] == [(2, code, values)]
    assert not resolved.targets


def test_text_that_fits_no_column_is_not_looked_up() -> None:
    lines = read_lines(f"LAP\x00\nlap-1\n{'x' * 256}\n{ID}, {'a' * 255}@example.com")
    assert identifiers(lines) == {"lap-1", ID}


@pytest.mark.parametrize("line", [f"{ID}, wrong@example.com", f"{ID}, wrong@example.com, r1", "PC, wrong@example.com"])
def test_listed_device_of_other_users_is_refused(line: str) -> None:
    listed = [device("PC", "a@example.com", ID, "r1"), device("PC", "b@example.com", ID, "r2")]
    [error] = resolve(read_lines(line), listed).errors
    assert error.code is LineErrorCode.OTHER_OWNER
    assert error.values == {
        "device": "PC",
        "email": "wrong@example.com",
        "people": ("a@example.com", "b@example.com"),
    }


def test_device_without_a_listed_user_may_be_anybodys() -> None:
    [target] = resolve(read_lines(f"{ID}, a@example.com"), [device("PC", "", ID, "r1")]).targets
    assert (target.email, target.listed) == ("a@example.com", False)


def test_name_with_an_unknown_registration_is_refused() -> None:
    [error] = resolve(read_lines("PC, a@example.com, other"), [device("PC", "a@example.com", ID, "r1")]).errors
    assert (error.code, error.values) == (
        LineErrorCode.NO_SUCH_REGISTRATION,
        {"device": "PC", "registration": "other"},
    )


def test_lines_that_give_one_device_to_two_people_conflict() -> None:
    lines = read_lines(f"{ID}, a@example.com\n{ID}, A@example.com\n{ID}, b@example.com\n{ID}, b@example.com, other")
    resolved = resolve(lines, [])
    [error] = resolved.errors
    assert (error.number, error.code) == (3, LineErrorCode.CONFLICTS_WITH_LINE)
    assert error.values == {"number": 1, "email": "a@example.com"}
    assert [(target.email, target.registration_id) for target in resolved.targets] == [
        ("a@example.com", ""),
        ("b@example.com", "other"),
    ]


def test_line_that_gives_the_device_in_who_to_another_person_conflicts() -> None:
    who = PastedLine(0, "", (ID, "a@example.com"))
    [error] = resolve([who, *read_lines(f"{ID}, b@example.com")], []).errors
    assert error.code is LineErrorCode.CONFLICTS_WITH_SELECTION
