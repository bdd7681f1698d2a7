"""What `doctor` finds and how it mends it."""

import shutil
from pathlib import Path

import pytest
from conftest import PARAMS, ROOT, edit_yaml, run

import pipeline.tools.doctor
from pipeline.tools.doctor import _packages, _weights


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for path in (PARAMS, ROOT / "dvc.yaml"):
        shutil.copy(path, tmp_path)
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def test_a_fresh_checkout_lacks_nothing(checkout: Path) -> None:
    done = run(checkout, "doctor")
    assert done.returncode == 0, done.stderr
    assert "pipeline with DVC" in done.stdout
    assert "ppcn-pipeline features" in done.stdout
    assert "missing" not in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if "weights" in line)
    assert line.startswith("ok      weights any, any-student, iphone-3gs ")


def test_weights_that_do_not_ship_are_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ppcn.weights.shipped.SHIPPED", tmp_path)
    (lacking,) = _weights()
    assert (lacking.mark, lacking.what) == ("missing", "weights any, photo_sr")
    (tmp_path / "any-phone.safetensors").write_bytes(b"damaged")
    (damaged,) = _weights()
    assert damaged.mark == "missing"
    assert "any-phone.safetensors: damaged weights file" in damaged.what


def test_photos_that_are_not_there_are_missed(checkout: Path) -> None:
    edit_yaml(checkout / "params.yaml", {"data.root": "my/photos"})
    (checkout / ".dvc").rmdir()
    done = run(checkout, "doctor")
    assert done.returncode == 1
    assert "put photos of one name into my/photos/iphone and my/photos/canon" in done.stdout
    assert "dvc init" in done.stdout
    assert "2 things are missing" in done.stderr
    for camera in ("iphone", "canon"):
        (checkout / "my/photos" / camera).mkdir(parents=True)
        shutil.copy(ROOT / "data/sample/casa-mila.jpg", checkout / "my/photos" / camera / "1.jpg")
    assert "1 pairs of photos of iphone" in run(checkout, "doctor").stdout


def test_parameters_that_are_refused_are_told(checkout: Path) -> None:
    edit_yaml(checkout / "params.yaml", {"seed": -1})
    done = run(checkout, "doctor")
    assert done.returncode == 1
    assert "seed" in done.stdout


def test_what_is_not_installed_as_a_package_stops_nothing(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise pipeline.tools.doctor.PackageNotFoundError(name)

    monkeypatch.setattr(pipeline.tools.doctor, "requires", missing)
    done = run(checkout, "doctor")
    assert done.returncode == 0, done.stderr
    assert "ppcn is used without being installed" in done.stdout


def test_outside_a_checkout_commands_work(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", "--params", PARAMS)
    assert done.returncode == 0, done.stderr
    assert "no dvc.yaml here" in done.stdout


@pytest.mark.parametrize(
    ("installed", "mark", "said"),
    [
        ({"h5py": "1.0"}, "missing", "h5py 1.0 is not >=3.12"),
        ({"h5py": None}, "missing", "h5py is not installed"),
        ({"openvino": None}, "note", "extra openvino is not installed"),
    ],
)
def test_libraries_are_compared_with_what_is_asked(
    installed: dict[str, str | None], mark: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pipeline.tools.doctor.version

    def version(name: str) -> str:
        found = installed[name] if name in installed else real(name)
        if found is None:
            raise pipeline.tools.doctor.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(pipeline.tools.doctor, "version", version)
    findings = [finding for finding in _packages() if said in finding.what]
    assert [finding.mark for finding in findings] == [mark]
    assert "pip install" in findings[0].mend
