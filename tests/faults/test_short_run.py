"""Three hundred commands through the whole portal, under every fault there is: about a minute and a half."""

from tests.faults.running import chaos

CYCLE = 40.0  # seconds in which every fault happens once; more than one cycle only where the machine is slow


def test_under_every_fault_nothing_is_lost_nothing_doubled_and_nothing_stuck() -> None:
    words = ["300", "7", "--accounts", "4", "--cycle", str(CYCLE), "--least", str(CYCLE), "--time", str(4 * CYCLE)]
    status, said = chaos(words)
    assert said.splitlines()[-1] == "300 commands: 0 lost, 0 doubled, 0 stuck", said
    assert status == 0, said  # also that nothing is wrong otherwise
