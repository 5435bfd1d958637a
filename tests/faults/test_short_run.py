"""Run of 300 commands through the whole portal under every fault, in about 90 seconds."""

from tests.faults.chaos_process import run_chaos

CYCLE = 40.0  # seconds in which every fault occurs once; only a slow machine needs a second cycle


def test_no_command_is_lost_doubled_or_stuck_under_every_fault() -> None:
    arguments = ["300", "7", "--accounts", "4", "--cycle", str(CYCLE), "--least", str(CYCLE), "--time", str(4 * CYCLE)]
    status, output = run_chaos(arguments)
    assert output.splitlines()[-1] == "300 commands: 0 lost, 0 doubled, 0 stuck", output
    assert status == 0, output  # also checks that nothing else is wrong
