from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from commands.rules.states import ArtifactStatus, Status
from commands.rules.states_diagram import diagram


def test_written_diagram_passes_the_check(tmp_path: Path) -> None:
    file = tmp_path / "states.md"
    call_command("states_diagram", file=file)
    assert file.read_text() == diagram()
    assert all(f"`{status}`" in file.read_text() for status in (*Status, *ArtifactStatus))
    call_command("states_diagram", "--check", file=file)


def test_old_or_missing_diagram_fails_the_check_with_a_message(tmp_path: Path) -> None:
    file = tmp_path / "states.md"
    for text in (None, diagram().replace("queued", "waiting")):
        if text is not None:
            file.write_text(text)
        with pytest.raises(CommandError, match=r"states\.md does not match commands/rules/states\.py\. Run"):
            call_command("states_diagram", "--check", file=file)
    assert file.read_text() != diagram()


def test_diagram_in_the_docs_is_current() -> None:
    call_command("states_diagram", "--check")
