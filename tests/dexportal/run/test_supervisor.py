"""Tests of dexportal/run/supervisor.py: restarts after crashes, and an end that leaves no process running."""

import signal
import subprocess
import sys

from dexportal.run.supervisor import Child, Program, SupervisorLimits
from tests.house.supervised import is_gone, supervised
from tests.polling import MAX_WAIT

POLITE = "trap 'echo bye; exit 0' TERM; echo up $$; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; sleep 300 & echo up $$ $!; while :; do sleep 0.05; done"
WEAK = "echo up; exit 3"


def test_term_stops_the_programs_in_reverse_order_and_leaves_no_process() -> None:
    portal = supervised({"first": POLITE, "second": POLITE})
    pids = [int(portal.expect(r"\| up (\d+)")[1]) for _ in range(2)]
    portal.send(signal.SIGTERM)
    assert portal.wait() == 0
    farewells = [line.split()[0].rstrip("|") for line in portal.output if line.endswith("bye")]
    assert farewells == ["second", "first"]
    assert all(is_gone(pid) for pid in pids)


def test_second_term_as_make_sends_it_does_not_kill_at_once() -> None:
    portal = supervised({"only": "trap 'sleep 0.3; echo bye; exit' TERM; echo up; while :; do sleep 0.05; done"})
    portal.expect("up")
    portal.send(signal.SIGTERM)
    portal.send(signal.SIGTERM)
    assert portal.wait() == 0
    assert portal.output[-1].endswith("bye")


def test_program_that_exits_is_restarted() -> None:
    portal = supervised({"weak": WEAK, "strong": POLITE})
    portal.expect(r"weak stopped unexpectedly \(exit status 3\)\. Restarting it in 0 s\.")
    portal.expect("Restarting weak")
    portal.expect(r"weak +\| up")
    portal.send(signal.SIGTERM)
    assert portal.wait() == 0


def test_essential_program_that_exits_too_often_stops_everything_and_is_named() -> None:
    portal = supervised({"strong": POLITE, "essential": WEAK}, {"max_crashes": 3})
    strong = int(portal.expect(r"strong +\| up (\d+)")[1])
    portal.expect(r"essential crashed 3 times within \d+ s\. Stopping everything")
    assert portal.wait() == 1
    assert sum(line.endswith("| up") for line in portal.output) == 3
    assert is_gone(strong)


def test_worker_that_keeps_crashing_is_restarted_ever_more_slowly_and_stops_nothing_else() -> None:
    portal = supervised({"essential": POLITE, "weak": WEAK}, {"max_crashes": 3, "restart_most": 0.08})
    strong = int(portal.expect(r"essential *\| up (\d+)")[1])
    for _ in range(8):
        portal.expect("Restarting weak")
    assert not is_gone(strong, within=0)
    portal.send(signal.SIGTERM)
    assert portal.wait() == 0


def test_pause_before_a_restart_doubles_up_to_its_limit_and_starts_over_after_a_calm_time() -> None:
    limits = SupervisorLimits(crash_window=60, restart_after=1, restart_most=5)
    child = Child(Program("weak", ["true"]), lambda: subprocess.Popen(["true"], text=True, start_new_session=True))
    pauses = []
    for now in (0, 10, 20, 30, 40, 200, 210):
        child.process = child.start_process()
        assert child.note_crash(now, limits)
        pauses.append(child.pause)
    assert pauses == [1, 2, 4, 5, 5, 1, 2]


def test_crashes_outside_the_crash_window_are_not_counted() -> None:
    portal = supervised({"essential": WEAK}, {"max_crashes": 2, "crash_window": 0.0})
    for _ in range(4):
        portal.expect("Restarting essential")
    portal.send(signal.SIGTERM)
    assert portal.wait() == 0


def test_program_that_ignores_term_is_killed_with_its_whole_group() -> None:
    portal = supervised({"stubborn": STUBBORN, "polite": POLITE}, {"stop_one": 0.2, "stop_all": 0.5})
    pids = portal.expect(r"up (\d+) (\d+)")
    portal.send(signal.SIGTERM)
    portal.expect("stubborn isn't stopping. Killing it")
    assert portal.wait() == 0
    assert is_gone(int(pids[1]))
    assert is_gone(int(pids[2]))


def test_children_of_a_crashed_program_are_killed_before_the_restart() -> None:
    portal = supervised({"essential": "sleep 300 & echo up $!; exit 3"}, {"max_crashes": 2})
    child = int(portal.expect(r"up (\d+)")[1])
    portal.expect("Restarting essential")
    assert is_gone(child)
    assert portal.wait() == 1


def test_second_ctrl_c_kills_at_once() -> None:
    portal = supervised({"stubborn": STUBBORN}, {"stop_one": 10 * MAX_WAIT, "stop_all": 10 * MAX_WAIT})
    pids = portal.expect(r"up (\d+) (\d+)")
    portal.send(signal.SIGINT)
    portal.expect("Stopping")
    portal.send(signal.SIGINT)
    assert portal.wait() == 0
    assert is_gone(int(pids[1]))
    assert is_gone(int(pids[2]))


if sys.platform == "linux":  # only Linux signals a child when its parent dies

    def test_killed_supervisor_leaves_no_orphans() -> None:
        portal = supervised({"one": POLITE, "two": POLITE})
        pids = [int(portal.expect(r"\| up (\d+)")[1]) for _ in range(2)]
        portal.send(signal.SIGKILL)
        assert portal.wait() == -signal.SIGKILL
        assert all(is_gone(pid) for pid in pids)
