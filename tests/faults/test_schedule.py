"""Tests of generated schedules: every fault occurs, and seeds and files reproduce them."""

from itertools import islice
from pathlib import Path
from random import Random

from simulator.faults import EFFECTS, Faults
from tests.faults import fault_rules
from tests.faults.schedule import Schedule, cycle, cycles


def test_cycle_has_every_fault_of_the_simulator_with_valid_rules() -> None:
    steps = [step for step in cycle(Random(3), 0, 40) if step.action == "fault"]
    assert {step.target for step in steps} == set(EFFECTS) == set(fault_rules.KINDS)
    accepted = Faults.from_json({"rules": [rule for step in steps for rule in step.rules]})
    assert {rule.effect.kind for rule in accepted.rules} == set(EFFECTS)


def test_only_the_same_seed_makes_the_same_schedule() -> None:
    first, again, other = (list(islice(cycles(seed, 40), 2)) for seed in (5, 5, 6))
    assert first == again != other
    assert min(step.at for step in first[1]) >= 40


def test_saved_schedule_is_read_back_unchanged(tmp_path: Path) -> None:
    schedule = Schedule(300, 4, 7, tuple(cycle(Random(7), 0, 40)), "after_post:0.5")
    (tmp_path / "schedule.json").write_text(schedule.to_json())
    assert Schedule.read(tmp_path / "schedule.json") == schedule
