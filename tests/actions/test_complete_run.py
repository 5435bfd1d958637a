import pytest

from tests.actions.world import QUICK_END, World

pytestmark = pytest.mark.django_db


def test_capture_runs_from_form_to_success_with_one_post(world: World) -> None:
    command = world.sent()
    assert world.status(command) == "PENDING_EXEC"
    world.forward(QUICK_END)
    assert world.sync()
    assert world.story(command) == ["queued", "sending", "PENDING_EXEC", "SUCCESS"]
    assert [row["id"] for row in world.created()] == [world.reload(command).remote_id]
    assert len(world.posts()) == 1
    assert world.artifact(command).status == "wanted"
