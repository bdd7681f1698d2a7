import pytest

from pipeline.cli import progress
from pipeline.cli.progress import showing


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.mark.parametrize("first", [1, 501])
def test_a_run_that_goes_on_is_paced_by_its_own_steps(
    first: int, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with showing("teacher") as report:
        for done in range(first, first + 100):
            clock.now += 0.5
            report(done, 1000, {"psnr": 20.5})
    last = capsys.readouterr().out.splitlines()[-1]
    left = (1000 - int(last.split()[1].split("/")[0])) / 2
    assert f"{left:.0f} s left  2/s  psnr 20.5" in last


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with showing("teacher", quiet=True) as report:
        report(1, 1, {})
    assert capsys.readouterr().out == ""
