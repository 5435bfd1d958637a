"""The table of broken rules still names lines that stand in the code, and tests that there are."""

import pytest

from tests.faults.mutations import MUTATIONS, ROOT, RULES, Mutation, mutated


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[one.name for one in MUTATIONS])
def test_a_mutation_still_finds_the_line_that_it_breaks_and_the_tests_that_notice(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text()
    assert mutated(mutation, text) != text
    assert all((ROOT / test).exists() for test in mutation.tests)


def test_every_rule_that_a_fault_run_is_to_miss_has_its_mutations() -> None:
    names = {one.name for one in MUTATIONS}
    assert len(names) == len(MUTATIONS)
    assert {"lease-fence", "settle-window", "import-age", "late-answer", "constraint"} == RULES.keys()
    assert names.issuperset(name for broken_by in RULES.values() for name in broken_by)
