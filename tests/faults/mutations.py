"""`python -m tests.faults.mutations [NAME …]`: breaks one rule at a time, in a copy, and tells which tests notice.

Each mutation is one edit of a line that carries a rule; the tests named beside it must fail then. With `--run` the copy
is put through a small fault run instead, for each of `RULES`; what it counts is told. Both tables stand in
docs/delivery.md and docs/proof.md; `tests/house/test_mutations.py` keeps the patterns fresh.
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
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "var", "static", "__pycache__", "*.sqlite3")
ACTIONS = "tests/actions"


@dataclass(frozen=True)
class Mutation:
    """`rule` in words, `old` replaced by `new` in `file` (once), `tests` those that are run.

    `also`: a second edit, where two lines hold the rule and each would do alone.
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
_SYNC, _QUEUE = "commands/actions/listing/sync.py", "commands/actions/sending/claim.py"

MUTATIONS: Sequence[Mutation] = (
    Mutation(
        "lease-fence",
        "who lost the lease writes nothing",
        _CLAIMS,
        "return Q(pk=row.pk, lease_token=row.lease_token)",
        "return Q(pk=row.pk)",
        (f"{ACTIONS}/record/test_leases.py", f"{ACTIONS}/results/test_fetch.py", f"{ACTIONS}/listing/test_sync.py"),
    ),
    Mutation(
        "dispatch-fence",
        "an answer is recorded only for commands that still point to its dispatch",
        _DELIVER,
        'ours = Q(dispatch=dispatch, remote_id="")',
        'ours = Q(remote_id="")',
        (f"{ACTIONS}/record/test_fences.py", f"{ACTIONS}/sending/test_late_answers.py"),
        also=("if dispatch.outcome not in (Dispatch.Outcome.OPEN, Dispatch.Outcome.UNKNOWN):", "if False:"),
    ),
    Mutation(
        "never-again",
        "what may have landed never goes back to the queue",
        _RECONCILE,
        'to=Status.UNCERTAIN, because="The answer',
        'to=Status.QUEUED, values={"dispatch": None}, because="The answer',
        (f"{ACTIONS}/sending/test_late_answers.py", f"{ACTIONS}/test_settle.py"),
    ),
    Mutation(
        "possible_match",
        "what was refused together stays where a listing shows what may be it whatever the time",
        _RECONCILE,
        "refused &= Q(missed_listings__gte=1, possible_match=False)",
        "refused &= Q(missed_listings__gte=1)",
        (f"{ACTIONS}/sending/test_refused_together.py",),
    ),
    Mutation(
        "settle-lock",
        "what goes back to the queue is asked again under the lock",
        _RECONCILE,
        "to=Status.QUEUED, because=SENT_ALONE, where=refused",
        'to=Status.QUEUED, because=SENT_ALONE, where=Q(remote_id="")',
        (f"{ACTIONS}/sending/test_refused_together.py",),
    ),
    Mutation(
        "start-share",
        "no POST begins when a quarter of its lease is gone",
        _DELIVER,
        "if _too_late(claimed):",
        "if False:",
        (f"{ACTIONS}/sending/test_late_answers.py", f"{ACTIONS}/sending/test_deliver.py"),
    ),
    Mutation(
        "settle-window",
        "an uncertain command is given up 3 minutes after its lease, not before",
        _RECONCILE,
        "clock - settings.SETTLE_WINDOW, missed_listings",
        "clock, missed_listings",
        (f"{ACTIONS}/test_settle.py",),
    ),
    Mutation(
        "settle-listings",
        "and after 3 complete listings, not before",
        _RECONCILE,
        "missed_listings__gte=settings.SETTLE_LISTINGS",
        "missed_listings__gte=0",
        (f"{ACTIONS}/test_settle.py", f"{ACTIONS}/listing/test_sync.py"),
    ),
    Mutation(
        "import-age",
        "a row younger than the settle window is not imported",
        _MATCHING,
        "if clock.now + clock.offset - clock.doubt - born_by <= clock.import_age:",
        "if False:",
        ("tests/rules/test_matching.py", "tests/rules/test_matching_histories.py"),
    ),
    Mutation(
        "import-complete",
        "only a complete listing imports",
        _MATCHING,
        "    if not complete:\n        return LeaveAlone(row, Why.NOT_COMPLETE)\n",
        "",
        ("tests/rules/test_matching.py", f"{ACTIONS}/listing/test_sync.py"),
    ),
    Mutation(
        "still-sending",
        "a row that a sending command could be is left alone",
        _MATCHING,
        "    return any(command.status is Status.SENDING for command in candidates)",
        "    return False",
        ("tests/rules/test_matching.py", "tests/rules/test_matching_histories.py"),
    ),
    Mutation(
        "match_uncertain",
        "a pairing that was not the only possible one says likely",
        _MATCHING,
        "only = rivals[command.id] == 1 and len(fits[row.remote_id]) == 1 and not doubted",
        "only = True",
        ("tests/rules/test_matching.py", "tests/rules/test_matching_histories.py"),
    ),
    Mutation(
        "hindsight",
        "and in hindsight too",
        _SYNC,
        "    _doubt(changes, decisions)\n",
        "",
        (f"{ACTIONS}/listing/test_clock_doubt.py",),
    ),
    Mutation(
        "take-over",
        "an import that turns out to be ours is merged",
        _MATCHING,
        "mergers = _mergers(unknown, imported, fits, owners) if complete else {}",
        "mergers: dict[str, TakeOver] = {}",
        ("tests/rules/test_matching.py", f"{ACTIONS}/sending/test_late_answers.py"),
    ),
    Mutation(
        "late-answer",
        "a late answer of one's own dispatch is never refused",
        _DELIVER,
        'moved = apply_remote_updates(changes, heard, where=Q(dispatch=dispatch, remote_id=""))',
        'moved = apply_remote_updates(changes, heard, where=Q(dispatch=dispatch, remote_id="", status=Status.SENDING))',
        (f"{ACTIONS}/sending/test_late_answers.py",),
    ),
    Mutation(
        "constraint",
        "the database refuses a second command of ours in flight on a machine",
        "commands/migrations/0001_initial.py",
        "fields=('account', 'device_id', 'kind'), name='command_one_in_flight_a_kind'",
        "fields=('account', 'device_id', 'kind', 'id'), name='command_one_in_flight_a_kind'",
        (f"{ACTIONS}/sending/test_claim.py", "tests/models/test_command_constraints.py"),
    ),
    Mutation(
        "busy",
        "a claim skips a machine that is busy",
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
"""The rules that a fault run is to miss, each broken by all mutations that hold it: one line alone would still do."""

RUN = ("400", "5", "--accounts", "4", "--cycle", "60", "--least", "120", "--time", "300")


class Stale(Exception):
    """A pattern of the table does not stand in its file exactly once: mend the table."""


def mutated(mutation: Mutation, text: str) -> str:
    """The text of its file with the rule broken; raises Stale."""
    for old, new in ((mutation.old, mutation.new), *([mutation.also] if mutation.also else [])):
        if text.count(old) != 1:
            raise Stale(f"{mutation.name}: {mutation.file} has {text.count(old)} times {old!r}")
        text = text.replace(old, new)
    return text


@contextmanager
def broken(*mutations: Mutation) -> Iterator[Path]:
    """A copy of the project in which these rules are broken."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        for shared in ("static", ".venv"):
            (copy / shared).symlink_to(ROOT / shared)
        for mutation in mutations:
            path = copy / mutation.file
            path.write_text(mutated(mutation, path.read_text()))
        yield copy


def said_in(copy: Path, words: Sequence[str]) -> tuple[int, str]:
    """(exit status, output) of one of our programs there."""
    environment = {**os.environ, "VAR_DIR": str(copy / "var"), "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def tried(mutation: Mutation) -> tuple[bool, list[str]]:
    """(noticed, the names of the tests that failed), of one broken rule."""
    with broken(mutation) as copy:
        status, said = said_in(copy, ["pytest", "-q", "--maxfail", "3", "-p", "no:xdist", *mutation.tests])
    failed = re.findall(r"^(?:FAILED|ERROR) \S*/(\S+?)(?:\[.*)?(?: -.*)?$", said, re.MULTILINE)
    return status == 1 and bool(failed), failed or said.splitlines()[-3:]


def counted(names: Sequence[str]) -> tuple[bool, str]:
    """(noticed, the counts and the first findings), of a fault run with these rules broken."""
    with broken(*(one for one in MUTATIONS if one.name in names)) as copy:
        status, said = said_in(copy, ["scripts.chaos", *RUN])
    lines = said.splitlines()
    findings = [line for line in lines if re.match("(lost|doubled|stuck|wrong): ", line)]
    wrong = sum(line.startswith("wrong: ") for line in findings)
    return status == 1, "\n    ".join([f"{lines[-1] if lines else 'nothing said'}, {wrong} wrong", *findings[:5]])


def main(words: Sequence[str]) -> int:
    names = [word for word in words if word != "--run"]
    missed = 0
    if "--run" in words:
        for rule, broken_by in RULES.items():
            if not names or rule in names:
                noticed, told = counted(broken_by)
                missed += not noticed
                sys.stdout.write(f"{rule}: {'' if noticed else 'NOT NOTICED '}{told}\n")
                sys.stdout.flush()
        return 1 if missed else 0
    for mutation in MUTATIONS:
        if not names or mutation.name in names:
            noticed, tests = tried(mutation)
            missed += not noticed
            told = ", ".join(dict.fromkeys(f"`{test}`" for test in tests))
            sys.stdout.write(f"| {mutation.rule} | {'' if noticed else 'NOT NOTICED '}{told} |\n")
            sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
