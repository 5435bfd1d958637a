"""Checks that every mutation still matches a line of the code, and names tests that exist."""

import pytest

from tests.faults.mutations import MUTATIONS, ROOT, RULES, Mutation, mutated


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[mutation.name for mutation in MUTATIONS])
def test_mutation_matches_a_line_and_names_tests_that_exist(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text()
    assert mutated(mutation, text) != text
    assert all((ROOT / test).exists() for test in mutation.tests)


def test_every_rule_of_the_fault_run_has_mutations() -> None:
    names = {mutation.name for mutation in MUTATIONS}
    assert len(names) == len(MUTATIONS)
    assert {"lease-fence", "settle-window", "import-age", "late-answer", "constraint"} == RULES.keys()
    assert names.issuperset(name for mutations in RULES.values() for name in mutations)
