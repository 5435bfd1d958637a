"""What a seed makes of a schedule: every fault, the same again, and the same from its file."""

from itertools import islice
from pathlib import Path
from random import Random

from simulator.faults import EFFECTS, Faults
from tests.faults import rules
from tests.faults.schedule import Schedule, cycle, cycles


def test_a_cycle_has_every_fault_of_the_simulator_and_only_rules_that_it_takes() -> None:
    steps = [step for step in cycle(Random(3), 0, 40) if step.act == "fault"]
    assert {step.whom for step in steps} == set(EFFECTS) == set(rules.KINDS)
    taken = Faults.from_json({"rules": [rule for step in steps for rule in step.rules]})
    assert {rule.effect.kind for rule in taken.rules} == set(EFFECTS)


def test_the_same_seed_makes_the_same_schedule_and_another_seed_another() -> None:
    first, again, other = (list(islice(cycles(seed, 40), 2)) for seed in (5, 5, 6))
    assert first == again != other
    assert min(step.at for step in first[1]) >= 40


def test_a_schedule_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    kept = Schedule(300, 4, 7, tuple(cycle(Random(7), 0, 40)), "after_post:0.5")
    (tmp_path / "kept.json").write_text(kept.to_json())
    assert Schedule.read(tmp_path / "kept.json") == kept
