"""`python -m tests.faults.mutations [NAME …]`: break one rule at a time in a copy, and report the tests that fail.

Each mutation edits a line that enforces a rule, and the tests named beside it must fail. With `--run` the copy goes
through a small fault run for each of `RULES` instead, and the findings are printed. docs/delivery.md and docs/proof.md
hold both tables, and `tests/house/test_mutations.py` checks that the patterns are current.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", "var", "static", "__pycache__", "*.sqlite3")
ACTIONS = "tests/actions"


@dataclass(frozen=True)
class Mutation:
    """Edit of one rule: `old` becomes `new` once in `file`, and `tests` must fail.

    `also` is a second edit for a rule that two lines enforce independently.
    """

    name: str
    rule: str
    file: str
    old: str
    new: str
    tests: Sequence[str]
    also: tuple[str, str] | None = None


_DELIVER, _RECONCILE = "commands/actions/sending/deliver.py", "commands/actions/settle.py"
_MATCHING, _CLAIMS = "commands/rules/matching.py", "commands/actions/record/leases.py"
_SYNC, _QUEUE = "commands/actions/listing/apply.py", "commands/actions/sending/claim.py"

MUTATIONS: Sequence[Mutation] = (
    Mutation(
        "lease-fence",
        "a worker that lost its lease writes nothing",
        _CLAIMS,
        "return Q(pk=row.pk, lease_token=row.lease_token)",
        "return Q(pk=row.pk)",
        (f"{ACTIONS}/record/test_leases.py", f"{ACTIONS}/results/test_fetch.py", f"{ACTIONS}/listing/test_sync.py"),
    ),
    Mutation(
        "dispatch-fence",
        "a response is recorded only for commands that still belong to its dispatch",
        _DELIVER,
        'ours = Q(dispatch=dispatch, remote_id="")',
        'ours = Q(remote_id="")',
        (f"{ACTIONS}/record/test_fences.py", f"{ACTIONS}/sending/test_late_answers.py"),
        also=("if dispatch.outcome not in (Dispatch.Outcome.OPEN, Dispatch.Outcome.UNKNOWN):", "if False:"),
    ),
    Mutation(
        "never-again",
        "a command that may have landed never goes back to the queue",
        _RECONCILE,
        "Transition(id_, Status.UNCERTAIN, reason_code) for",
        'Transition(id_, Status.QUEUED, values={"dispatch": None}) for',
        (f"{ACTIONS}/sending/test_late_answers.py", f"{ACTIONS}/test_settle.py"),
    ),
    Mutation(
        "possible_match",
        "a command refused with others stays uncertain while a listing shows a possible match, whatever its time",
        _RECONCILE,
        "refused &= Q(missed_listings__gte=1, possible_match=False)",
        "refused &= Q(missed_listings__gte=1)",
        (f"{ACTIONS}/sending/test_refused_together.py",),
    ),
    Mutation(
        "settle-lock",
        "a command goes back to the queue only if it still qualifies under the lock",
        _RECONCILE,
        "changes.write(alone, where=refused)",
        'changes.write(alone, where=Q(remote_id=""))',
        (f"{ACTIONS}/sending/test_refused_together.py",),
    ),
    Mutation(
        "start-share",
        "no POST begins after the first quarter of its lease",
        _DELIVER,
        "if _too_late(claimed):",
        "if False:",
        (f"{ACTIONS}/sending/test_late_answers.py", f"{ACTIONS}/sending/test_deliver.py"),
    ),
    Mutation(
        "settle-window",
        "an uncertain command is given up 3 minutes after its lease at the earliest",
        _RECONCILE,
        "db_now - settings.SETTLE_WINDOW, missed_listings",
        "db_now, missed_listings",
        (f"{ACTIONS}/test_settle.py",),
    ),
    Mutation(
        "settle-listings",
        "an uncertain command is given up after 3 complete listings at the earliest",
        _RECONCILE,
        "missed_listings__gte=settings.SETTLE_LISTINGS",
        "missed_listings__gte=0",
        (f"{ACTIONS}/test_settle.py", f"{ACTIONS}/listing/test_sync.py"),
    ),
    Mutation(
        "import-age",
        "a row younger than the settle window is not imported",
        _MATCHING,
        "if clock.now + clock.offset - clock.doubt - latest <= clock.import_age:",
        "if False:",
        ("tests/rules/test_matching.py", "tests/rules/test_matching_histories.py"),
    ),
    Mutation(
        "import-complete",
        "only a complete listing imports",
        _MATCHING,
        "    if not complete:\n        return LeaveAlone(row, LeaveReason.NOT_COMPLETE)\n",
        "",
        ("tests/rules/test_matching.py", f"{ACTIONS}/listing/test_sync.py"),
    ),
    Mutation(
        "still-sending",
        "a row that may belong to a command in sending is left alone",
        _MATCHING,
        "    return any(command.status is Status.SENDING for command in candidates)",
        "    return False",
        ("tests/rules/test_matching.py", "tests/rules/test_matching_histories.py"),
    ),
    Mutation(
        "match_uncertain",
        "a match that was not the only possible one is marked uncertain",
        _MATCHING,
        "only = rivals[command.id] == 1 and len(fits[row.id]) == 1 and not doubted",
        "only = True",
        ("tests/rules/test_matching.py", "tests/rules/test_matching_histories.py"),
    ),
    Mutation(
        "hindsight",
        "a match is also marked uncertain if a later row makes it doubtful",
        _SYNC,
        "    _cast_doubt(changes, decisions)\n",
        "",
        (f"{ACTIONS}/listing/test_clock_doubt.py",),
    ),
    Mutation(
        "take-over",
        "an imported command that turns out to be ours is merged",
        _MATCHING,
        "mergers = _mergers(unknown, imported, fits, owners) if complete else {}",
        "mergers: dict[str, TakeOver] = {}",
        ("tests/rules/test_matching.py", f"{ACTIONS}/sending/test_late_answers.py"),
    ),
    Mutation(
        "late-answer",
        "a late response of a command's own dispatch is always recorded",
        _DELIVER,
        'changes, updates, where=Q(dispatch=dispatch, remote_id="")',
        'changes, updates, where=Q(dispatch=dispatch, remote_id="", status=Status.SENDING)',
        (f"{ACTIONS}/sending/test_late_answers.py",),
    ),
    Mutation(
        "constraint",
        "the database rejects a second command of ours in flight on a device",
        "commands/migrations/0001_initial.py",
        "fields=('account', 'device_id', 'kind'), name='command_one_in_flight_a_kind'",
        "fields=('account', 'device_id', 'kind', 'id'), name='command_one_in_flight_a_kind'",
        (f"{ACTIONS}/sending/test_claim.py", "tests/models/test_command_constraints.py"),
    ),
    Mutation(
        "busy",
        "a claim skips busy devices",
        _QUEUE,
        "rows = rows.exclude(kind=kind, device_id__in=busy.filter(kind=kind))",
        "pass",
        (f"{ACTIONS}/sending/test_claim.py",),
    ),
)


RULES: Mapping[str, Sequence[str]] = {
    "lease-fence": ("lease-fence",),
    "settle-window": ("settle-window", "settle-listings"),
    "import-age": ("import-age",),
    "late-answer": ("late-answer",),
    "constraint": ("constraint", "busy"),
}
"""Rules broken for a fault run. Each needs all of its mutations, because one intact line would still enforce it."""

RUN = ("400", "5", "--accounts", "4", "--cycle", "60", "--least", "120", "--time", "300")


class Stale(Exception):
    """Raised when a pattern does not occur exactly once in its file. Fix the table."""


def mutated(mutation: Mutation, text: str) -> str:
    """Return the text of the file with the rule broken. Raise Stale if a pattern is not current."""
    for old, new in ((mutation.old, mutation.new), *([mutation.also] if mutation.also else [])):
        if text.count(old) != 1:
            raise Stale(f"{mutation.name}: {mutation.file} contains {old!r} {text.count(old)} times")
        text = text.replace(old, new)
    return text


@contextmanager
def broken(*mutations: Mutation) -> Iterator[Path]:
    """Yield a copy of the project in which these rules are broken."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=NOT_COPIED, symlinks=True)
        for shared in ("static", ".venv"):
            (copy / shared).symlink_to(ROOT / shared)
        for mutation in mutations:
            path = copy / mutation.file
            path.write_text(mutated(mutation, path.read_text()))
        yield copy


def run_in(copy: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """Run one of our programs in the copy, and return its exit status and output."""
    environment = {**os.environ, "VAR_DIR": str(copy / "var"), "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def run_tests(mutation: Mutation) -> tuple[bool, list[str]]:
    """Return whether the tests detect the broken rule, and the names of the failed tests."""
    with broken(mutation) as copy:
        status, output = run_in(copy, ["pytest", "-q", "--maxfail", "3", "-p", "no:xdist", *mutation.tests])
    failed = re.findall(r"^(?:FAILED|ERROR) \S*/(\S+?)(?:\[.*)?(?: -.*)?$", output, re.MULTILINE)
    return status == 1 and bool(failed), failed or output.splitlines()[-3:]


def run_faults(names: Sequence[str]) -> tuple[bool, str]:
    """Return whether a fault run detects the broken rules, with its counts and first findings."""
    with broken(*(mutation for mutation in MUTATIONS if mutation.name in names)) as copy:
        status, output = run_in(copy, ["scripts.chaos", *RUN])
    lines = output.splitlines()
    findings = [line for line in lines if re.match("(lost|doubled|stuck|wrong): ", line)]
    wrong = sum(line.startswith("wrong: ") for line in findings)
    return status == 1, "\n    ".join([f"{lines[-1] if lines else 'no output'}, {wrong} wrong", *findings[:5]])


def main(arguments: Sequence[str]) -> int:
    names = [word for word in arguments if word != "--run"]
    missed = 0
    if "--run" in arguments:
        for rule, broken_by in RULES.items():
            if not names or rule in names:
                is_detected, result = run_faults(broken_by)
                missed += not is_detected
                sys.stdout.write(f"{rule}: {'' if is_detected else 'NOT DETECTED '}{result}\n")
                sys.stdout.flush()
        return 1 if missed else 0
    for mutation in MUTATIONS:
        if not names or mutation.name in names:
            is_detected, tests = run_tests(mutation)
            missed += not is_detected
            result = ", ".join(dict.fromkeys(f"`{test}`" for test in tests))
            sys.stdout.write(f"| {mutation.rule} | {'' if is_detected else 'NOT DETECTED '}{result} |\n")
            sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
