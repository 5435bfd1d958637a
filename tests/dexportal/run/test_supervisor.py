import signal
import sys
from time import monotonic

from tests.house.supervised import is_gone, supervised

POLITE = "trap 'echo bye; exit 0' TERM; echo up $$; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; sleep 300 & echo up $$ $!; while :; do sleep 0.05; done"
WEAK = "echo up; exit 3"


def test_a_term_stops_the_programs_in_reverse_order_and_leaves_nothing() -> None:
    portal = supervised({"first": POLITE, "second": POLITE})
    pids = [int(portal.expect(r"\| up (\d+)")[1]) for _ in range(2)]
    portal.send(signal.SIGTERM)
    assert portal.end() == 0
    farewells = [line.split()[0].rstrip("|") for line in portal.heard if line.endswith("bye")]
    assert farewells == ["second", "first"]
    assert all(is_gone(pid) for pid in pids)


def test_a_repeated_term_as_make_sends_it_does_not_hurry() -> None:
    portal = supervised({"only": "trap 'sleep 0.3; echo bye; exit' TERM; echo up; while :; do sleep 0.05; done"})
    portal.expect("up")
    portal.send(signal.SIGTERM)
    portal.send(signal.SIGTERM)
    assert portal.end() == 0
    assert portal.heard[-1].endswith("bye")


def test_a_program_that_ends_by_itself_is_started_again() -> None:
    portal = supervised({"weak": WEAK, "strong": POLITE}, {"crashes": 1000})
    portal.expect(r"weak ended by itself \(exit status 3\)")
    portal.expect("starting weak again")
    portal.expect(r"weak +\| up")
    portal.send(signal.SIGTERM)
    assert portal.end() == 0


def test_a_program_that_ends_too_often_stops_everything_with_a_sentence() -> None:
    portal = supervised({"strong": POLITE, "weak": WEAK}, {"crashes": 3})
    strong = int(portal.expect(r"strong +\| up (\d+)")[1])
    portal.expect("weak ended 3 times in a short while: stopping everything")
    assert portal.end() == 1
    assert sum(line.endswith("| up") for line in portal.heard) == 3
    assert is_gone(strong)


def test_crashes_that_are_far_apart_are_not_counted_together() -> None:
    portal = supervised({"weak": WEAK}, {"crashes": 2, "crash_window": 0.0})
    for _ in range(4):
        portal.expect("starting weak again")
    portal.send(signal.SIGTERM)
    assert portal.end() == 0


def test_what_does_not_stop_is_killed_with_its_whole_group() -> None:
    portal = supervised({"stubborn": STUBBORN, "polite": POLITE}, {"each": 0.2, "stop": 0.5})
    said = portal.expect(r"up (\d+) (\d+)")
    portal.send(signal.SIGTERM)
    portal.expect("stubborn does not stop: killing it")
    assert portal.end() == 0
    assert is_gone(int(said[1]))
    assert is_gone(int(said[2]))


def test_what_a_crashed_program_left_running_is_killed_before_it_starts_again() -> None:
    portal = supervised({"weak": "sleep 300 & echo up $!; exit 3"}, {"crashes": 2})
    left = int(portal.expect(r"up (\d+)")[1])
    portal.expect("starting weak again")
    assert is_gone(left)
    assert portal.end() == 1


def test_a_second_ctrl_c_kills_at_once() -> None:
    portal = supervised({"stubborn": STUBBORN}, {"each": 60.0, "stop": 60.0})
    said = portal.expect(r"up (\d+) (\d+)")
    portal.send(signal.SIGINT)
    portal.expect("stopping")
    begun = monotonic()
    portal.send(signal.SIGINT)
    assert portal.end() == 0
    assert monotonic() - begun < 20
    assert is_gone(int(said[1]))
    assert is_gone(int(said[2]))


if sys.platform == "linux":  # nothing else tells a child of its parent's death

    def test_a_killed_supervisor_leaves_no_orphans() -> None:
        portal = supervised({"one": POLITE, "two": POLITE})
        pids = [int(portal.expect(r"\| up (\d+)")[1]) for _ in range(2)]
        portal.send(signal.SIGKILL)
        assert portal.end() == -signal.SIGKILL
        assert all(is_gone(pid) for pid in pids)
