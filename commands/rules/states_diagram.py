"""Text of docs/states.md, made from the tables of `states.py` and the words for the statuses."""

from enum import StrEnum

from commands.rules.states import ARTIFACT_MOVES, COMMAND_MOVES, ArtifactStatus, Moves, Status
from commands.rules.wording.statuses import artifact_label, artifact_sentence, status_label, status_sentence


def _drawing[S: StrEnum](moves: Moves[S], start: tuple[S, ...], statuses: type[S]) -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    [*] --> {status}" for status in start]
    lines += [
        f"    {source} --> {target}: {', '.join(sorted(movers))}"
        for source in statuses
        for target in statuses
        if (movers := moves.get((source, target)))
    ]
    ends = [status for status in statuses if not any(source == status for source, _ in moves)]
    lines += [f"    {status} --> [*]" for status in ends]
    return [*lines, "```"]


def diagram() -> str:
    """Return docs/states.md: both diagrams (Mermaid), with labels and sentences."""
    lines = [
        "# Statuses of commands and artifacts",
        "",
        "Made by `manage.py states_diagram` from `commands/rules/states.py`. `make check` compares them.",
        "",
        "## Commands",
        "",
        *_drawing(COMMAND_MOVES, (Status.QUEUED, Status.AWAITING_APPROVAL, Status.WAITING_DEVICE), Status),
        "",
        "| status | label | meaning |",
        "|---|---|---|",
        *(f"| `{status}` | {status_label(status)} | {status_sentence(status)} |" for status in Status),
        "",
        "## Artifacts",
        "",
        *_drawing(ARTIFACT_MOVES, (ArtifactStatus.WANTED,), ArtifactStatus),
        "",
        "| status | label | meaning |",
        "|---|---|---|",
        *(f"| `{status}` | {artifact_label(status)} | {artifact_sentence(status)} |" for status in ArtifactStatus),
    ]
    return "\n".join(lines) + "\n"
