"""Labels and sentences for statuses."""

from commands.rules.states import ArtifactStatus, Status
from commands.rules.wording.statuses import ARTIFACT_LABELS, ARTIFACT_SENTENCES, LABELS, SENTENCES


def test_every_status_has_a_label_of_its_own_and_a_sentence() -> None:
    for labels, sentences, statuses in (
        (LABELS, SENTENCES, Status),
        (ARTIFACT_LABELS, ARTIFACT_SENTENCES, ArtifactStatus),
    ):
        assert list(labels) == list(sentences) == list(statuses)
        assert len(set(labels.values())) == len(labels)
        assert all(text[0].isupper() and text.endswith(".") for text in sentences.values())
