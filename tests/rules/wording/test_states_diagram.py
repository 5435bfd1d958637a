from pathlib import Path

from commands.rules.states_diagram import diagram

DIAGRAM = Path(__file__).resolve().parents[3] / "docs" / "states.md"


def test_diagram_in_the_docs_is_current() -> None:
    assert DIAGRAM.read_text(encoding="utf-8") == diagram()
