"""Errors of lines as people read them."""

import pytest

from commands.rules.targeting import Column, LineError, LineErrorCode, PastedLine, Target
from commands.rules.wording.targets import COLUMNS, SENTENCES, describe_line_error, describe_target

LINE = PastedLine(1, "x", ("x",))


def test_every_code_and_column_has_words() -> None:
    assert set(SENTENCES) == set(LineErrorCode)
    assert set(COLUMNS) == set(Column)


@pytest.mark.parametrize(
    ("code", "values", "sentence"),
    [
        (
            LineErrorCode.SEVERAL_DEVICES_OF_PERSON,
            {"email": "maria@example.com", "devices": ("LAP-0", "LAP-1", "LAP-2", "LAP-3", "LAP-4", "LAP-5")},
            "maria@example.com has 6 devices (LAP-0, LAP-1, LAP-2, LAP-3 and 2 more). Enter the device name instead.",
        ),
        (
            LineErrorCode.SHARED_DEVICE,
            {"device": "PC", "people": ("a@example.com", "b@example.com")},
            "PC is shared by a@example.com, b@example.com. Add the user's email after it.",
        ),
        (
            LineErrorCode.CELL_TOO_LONG,
            {"column": Column.EMAIL, "length": 254},
            "The email address is longer than 254 characters.",
        ),
        (
            LineErrorCode.CONFLICTS_WITH_LINE,
            {"number": 3, "email": "a@example.com"},
            "Line 3 has this device for a@example.com. Correct one of the two.",
        ),
    ],
)
def test_values_are_named_in_the_sentence(code: LineErrorCode, values: dict[str, object], sentence: str) -> None:
    assert describe_line_error(LineError(LINE, code, values)) == sentence


def test_target_is_its_device_with_the_user() -> None:
    assert describe_target(Target("id", "maria@example.com", name="LAP-0042")) == "LAP-0042 (maria@example.com)"
    assert describe_target(Target("id", "maria@example.com")) == "id (maria@example.com)"
    assert describe_target(Target("id", "")) == "id"
