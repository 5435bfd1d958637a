"""Subjects of emails. Their text is in the templates of `templates/commands/email/`."""

from collections.abc import Mapping
from enum import StrEnum


class Subject(StrEnum):
    REFUSED = "refused"
    NO_CREDENTIAL = "no_credential"
    RESULTS_EXPIRING = "results_expiring"


SUBJECTS: Mapping[Subject, str] = {
    Subject.REFUSED: "Cloudflare refuses {account}: {operations}",
    Subject.NO_CREDENTIAL: "No usable credential for {account}: {operations}",
    Subject.RESULTS_EXPIRING: "Results of {account} about to be lost: {count}",
}
