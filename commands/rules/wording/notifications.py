"""Subjects of emails. Their text is in the templates of `templates/commands/email/`."""

from collections.abc import Mapping
from enum import StrEnum


class EmailSubject(StrEnum):
    REFUSED = "refused"
    NO_CREDENTIAL = "no_credential"
    RESULTS_EXPIRING = "results_expiring"


SUBJECTS: Mapping[EmailSubject, str] = {
    EmailSubject.REFUSED: "Cloudflare refuses {account}: {operations}",
    EmailSubject.NO_CREDENTIAL: "No usable credential for {account}: {operations}",
    EmailSubject.RESULTS_EXPIRING: "Results of {account} about to be lost: {count}",
}
