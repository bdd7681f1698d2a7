import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from ppcn.errors import UserError
from ppcn.training import checkpoint
from ppcn.training.checkpoint import CHECKPOINT, RunDirectory

STATE = {"network/w": torch.arange(4.0)}
FACTS = {"step": 3}
DEPENDS = {"training": {"steps": 80, "learning_rate": 1e-2}, "sha256": {"patches": "ab"}}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    RunDirectory(tmp_path, DEPENDS).save(STATE, FACTS)
    return tmp_path


def test_a_checkpoint_comes_back(saved: Path) -> None:
    tensors, facts = RunDirectory(saved, DEPENDS).load()
    assert torch.equal(tensors["network/w"], STATE["network/w"])
    assert facts == FACTS
    RunDirectory(saved, DEPENDS).finish()
    assert RunDirectory(saved, DEPENDS).load() is None


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"training": {"steps": 90, "learning_rate": 1e-2}}, "training.steps was 80 and is 90"),
        ({"sha256": {"patches": "cd"}}, "patches changed"),
        ({"loss": {"kd_weight": 75}}, "loss.kd_weight was None and is 75"),
    ],
)
def test_other_settings_start_afresh_and_say_so(
    saved: Path, caplog: pytest.LogCaptureFixture, change: dict[str, object], sentence: str
) -> None:
    assert RunDirectory(saved, DEPENDS | change).load() is None
    assert f"starts afresh, for {sentence}" in caplog.text


def test_other_code_starts_afresh(
    saved: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "code_in_use", lambda: "other")
    assert RunDirectory(saved, DEPENDS).load() is None
    assert "starts afresh, for code changed" in caplog.text


def test_another_machine_goes_on_and_says_so(
    saved: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    tensors, _ = RunDirectory(saved, DEPENDS).load()
    assert torch.equal(tensors["network/w"], STATE["network/w"])
    assert "and is 99, so rounding may differ" in caplog.text


@pytest.mark.parametrize("content", [b"", b"damaged", None])
def test_a_damaged_checkpoint_starts_afresh(
    saved: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    path = saved / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-3] if content is None else content)
    assert RunDirectory(saved, DEPENDS).load() is None
    assert "checkpoint is damaged" in caplog.text


def test_a_full_disk_keeps_the_checkpoint_before(
    saved: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    before = (saved / CHECKPOINT).read_bytes()
    monkeypatch.setattr("ppcn.files.safetensors.save_file", fail)
    with caplog.at_level(logging.WARNING):
        RunDirectory(saved, DEPENDS).save(STATE, {"step": 4})
    assert "No space left" in caplog.text
    assert (saved / CHECKPOINT).read_bytes() == before
    assert [path.name for path in saved.iterdir()] == [CHECKPOINT]


def test_a_full_disk_stops_neither_log_nor_inspection(
    saved: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ppcn.training.checkpoint.write_csv", fail)
    monkeypatch.setattr("ppcn.files.safetensors.save_file", fail)
    directory = RunDirectory(saved, DEPENDS)
    directory.log([{"step": 1, "psnr": 20.0}], np.zeros((8, 8, 3), np.uint8))
    assert directory.keep_for_inspection("step-3", STATE) is None
    assert caplog.text.count("No space left") == 2


def test_tensorboard_shows_every_column_and_the_pictures(tmp_path: Path) -> None:
    pictures = np.full((8, 24, 3), 128, np.uint8)
    directory = RunDirectory(tmp_path, DEPENDS)
    rows = [{"step": 50, "loss": 2.5, "psnr": 20.5}, {"step": 100, "loss": 1.5, "psnr": 21.0}]
    for last in (1, 2):
        directory.log(rows[:last], pictures)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["images"] == ["samples"]
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(50, 2.5), (100, 1.5)]
    assert [e.value for e in events.Scalars("psnr")] == [20.5, 21.0]


def test_tensorboard_hides_what_an_earlier_attempt_wrote_of_the_same_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Files are read in the order of their names, in which a process's tenth file of a second
    # comes before its ninth; attempts are processes of their own.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))

    def losses_after(rows: list[dict[str, float]]) -> list[tuple[int, float]]:
        RunDirectory(tmp_path, DEPENDS).log(rows, np.zeros((8, 24, 3), np.uint8))
        events = EventAccumulator(str(tmp_path)).Reload().Scalars("loss")
        return [(event.step, event.value) for event in events]

    first, lost, again = (
        {"step": step, "loss": loss} for step, loss in ((50, 3), (100, 2), (100, 1))
    )
    losses_after([first])
    assert losses_after([first, lost]) == [(50, 3), (100, 2)]
    assert losses_after([first, again]) == [(50, 3), (100, 1)]
    assert losses_after([{"step": 50, "loss": 4}]) == [(50, 4)]


def test_what_a_kill_left_behind_is_removed(saved: Path) -> None:
    (saved / ".checkpoint-abc.safetensors").write_bytes(b"half")
    with RunDirectory(saved, DEPENDS).reserved():
        assert sorted(path.name for path in saved.iterdir()) == [".lock", CHECKPOINT]


HOLD = """
import sys, time
from pathlib import Path
from ppcn.training.checkpoint import RunDirectory
with RunDirectory(Path(sys.argv[1]), {}).reserved():
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        try:
            other.stdout.readline()
            with (
                pytest.raises(UserError, match="another process is training here"),
                RunDirectory(tmp_path, {}).reserved(),
            ):
                pass
        finally:
            other.kill()
    with RunDirectory(tmp_path, {}).reserved():
        pass


def test_only_safetensors_are_read(saved: Path) -> None:
    """A checkpoint from elsewhere cannot run code: nothing is unpickled."""
    torch.save(STATE, saved / CHECKPOINT)
    assert RunDirectory(saved, DEPENDS).load() is None
