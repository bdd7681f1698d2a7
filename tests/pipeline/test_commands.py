"""Each command as a user calls it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import (
    ENVIRONMENT,
    PARAMS,
    ROOT,
    TINY,
    edit_yaml,
    refusal,
    render_rig,
    run,
    run_apart,
)
from PIL import Image
from typer.main import get_command

import ppcn
from pipeline.app import COMMANDS, app
from ppcn.dataset.patch_set import open_patches
from ppcn.evaluation.metrics import pirm_scores
from ppcn.networks import NETWORKS
from ppcn.photos.decode import read_photo, write_photo
from ppcn.photos.resize import crop_to_multiple, matlab_shrink
from ppcn.weights import load_weights, save_weights

SCENES = ("canyon-wren", "casa-mila", "lake-sherburne", "perched-osprey", "roman-colosseum")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with small parameters, where commands are run."""
    shutil.copy(PARAMS, tmp_path)
    edit_yaml(tmp_path / "params.yaml", TINY)
    return tmp_path


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered photos of five scenes; tests only read them."""
    folder = tmp_path_factory.mktemp("rig")
    render_rig(folder, SCENES)
    return folder / "data/rig"


def test_help_lists_every_command_in_panels_and_loads_none() -> None:
    heavy = "import sys; sys.modules['torch'] = sys.modules['cv2'] = sys.modules['scipy'] = None"
    program = f"{heavy}; from pipeline.app import app; app(['--help'])"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Pipeline stages" in done.stdout
    assert "Use it" in done.stdout
    for name in COMMANDS:
        assert f" {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_do_what_the_listing_says(name: str) -> None:
    group = get_command(app)
    listed = group.get_command(None, name)
    _, called, rest = group.resolve_command(None, [name, "x"])
    assert listed.help == called.help.split("\n\n")[0]
    assert rest == ["x"]


def test_scores_are_printed_as_json_where_no_file_is_named(
    folder: Path, patch_folders: tuple[Path, Path]
) -> None:
    phone, reference = patch_folders
    folders = (f"--phone-dir={phone}", f"--dslr-dir={reference}")
    done = run(folder, "score-enhancement", "--weights=do-nothing", *folders, "--json")
    assert json.loads(done.stdout)["network"] == "do-nothing"
    assert "do-nothing: psnr" in done.stderr
    assert not (folder / "-").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_in_whole_sentences(name: str) -> None:
    _, called, _ = get_command(app).resolve_command(None, [name])
    for parameter in called.params:
        if parameter.name != "help":
            text = parameter.help
            assert text and text[0].isupper() and text.endswith("."), parameter.name
            assert len(text.split()) > 2, parameter.name


def test_the_version_is_printed() -> None:
    assert run(ROOT, "--version").stdout == f"ppcn-pipeline {ppcn.__version__}\n"


def test_json_goes_to_standard_output_alone_or_into_a_file(folder: Path) -> None:
    printed = run(folder, "doctor", "--json")
    assert json.loads(printed.stdout)["missing"] == 0
    assert "cores, torch" in printed.stderr
    assert printed.stdout.startswith("{")
    done = run(folder, "doctor", "--json", "d.json")
    assert json.loads((folder / "d.json").read_text())["missing"] == 0
    assert "cores, torch" in done.stdout


def test_a_mistyped_command_is_refused_with_the_nearest_name() -> None:
    done = run(ROOT, "alig")
    assert done.returncode == 2
    assert "align" in done.stderr


@pytest.mark.parametrize("arguments", [["align", "--help"], ["align", "--phone", "iphone"]])
def test_a_missing_system_library_is_one_sentence_with_the_mend(
    tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file')"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "sudo apt-get install -y libgl1 libglib2.0-0" in done.stderr


def test_the_rig_renders_every_camera_with_its_truth(rig: Path) -> None:
    for camera, size in (("canon", (600, 400)), ("iphone", (500, 375))):
        names = sorted(path.stem for path in (rig / camera).iterdir())
        assert names == sorted(SCENES)
        height, width = read_photo(rig / camera / "casa-mila.jpg").shape[:2]
        assert (width, height) == size
    with h5py.File(rig / "truth.h5") as truth:
        group = truth["iphone/casa-mila"]
        assert group["phone_xy"].shape == group["reference_xy"].shape
        assert group["phone_xy"][-1, -1].tolist() == [499, 374]


def test_the_rig_never_replaces_a_folder_it_did_not_make(rig: Path, folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine/photo.jpg").write_text("precious")
    scenes = str(rig.parent / "sample")
    message = refusal(folder, "rig", "--out", "mine", "--scenes", scenes)
    assert "mine/photo.jpg: was not made by the rig" in message
    assert (folder / "mine/photo.jpg").read_text() == "precious"


def test_patches_name_the_cameras_that_took_the_photos(rig: Path, folder: Path) -> None:
    exif = Image.Exif()
    exif.update({0x010F: "Apple", 0x0110: "iPhone 3GS"})
    for photo in (rig / "iphone").iterdir():
        target = folder / "photos/iphone" / photo.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(photo).save(target, quality=95, exif=exif)
    shutil.copytree(rig / "canon", folder / "photos/canon")
    common = ["--phone", "iphone", "--root", "photos"]
    for stage in ("align", "patches"):
        done = run(folder, stage, *common)
        assert done.returncode == 0, done.stderr
    with open_patches(folder / "data/patches/iphone.h5") as cut:
        assert cut.cameras == {"phone": ["Apple iPhone 3GS"], "dslr": []}


def test_a_split_that_keeps_no_window_is_refused_where_it_is_cut(rig: Path, folder: Path) -> None:
    """Before, evaluate found after all trainings that it had nothing to score."""
    for camera in ("iphone", "canon"):
        shutil.copytree(rig / camera, folder / "photos" / camera)
        photo = folder / "photos" / camera / "casa-mila.jpg"
        shutil.copy(photo, photo.with_name("casa-mila-copy.jpg"))
    stems = sorted(path.stem for path in (folder / "photos/canon").iterdir())
    rows = [f"iphone/{stem}.jpg,canon/{stem}.jpg,{stem}" for stem in stems]
    (folder / "pairs.csv").write_text("\n".join(["phone,reference,scene", *rows]))
    common = ["--phone", "iphone", "--root", "photos"]
    done = run(folder, "align", *common, "--pair-by", "pairs.csv")
    assert done.returncode == 0, done.stderr
    for split in ("test", "validation"):
        names = {"test": ["perched-osprey"], "validation": ["lake-sherburne"]}
        names[split] = ["casa-mila-copy"]
        edit_yaml(folder / "params.yaml", {"patches.split": names})
        message = refusal(folder, "patches", *common)
        assert f"no window of the {split} photos was kept (casa-mila-copy; rejected:" in message
        assert f"remove copies of photos, or have patches.split.{split} choose other" in message
        assert not (folder / "data/patches/iphone.h5").exists()
    edit_yaml(folder / "params.yaml", {"patches.split.test": 0, "patches.split.validation": 0.2})
    done = run(folder, "patches", *common)
    assert "7 pairs had been" in done.stdout or "6 pairs had been" in done.stdout
    assert "patches.split.test holds no photo out" in done.stdout


@pytest.mark.slow
def test_align_and_patches_do_not_depend_on_the_number_of_workers(rig: Path, folder: Path) -> None:
    for workers in ("1", "2"):
        common = ["--phone", "iphone", "--root", str(rig), "--workers", workers]
        aligned = ["--aligned", f"a{workers}.h5"]
        metrics = ["--metrics", f"m{workers}.json"]
        assert run(folder, "align", *common, "--out", aligned[1], *metrics).returncode == 0
        done = run(folder, "patches", *common, *aligned, "--out", f"p{workers}.h5", *metrics)
        assert done.returncode == 0, done.stderr
    for name in ("a", "p"):
        assert (folder / f"{name}1.h5").read_bytes() == (folder / f"{name}2.h5").read_bytes()
    metrics = json.loads((folder / "m2.json").read_text())
    assert metrics["kept"] == sum(metrics["split"].values()) > 20
    assert metrics["windows"] == metrics["kept"] + sum(metrics["refused"].values())
    assert metrics["ncc"]["min"] > 0.9
    done = run(folder, "accuracy", "--phone", "iphone", "--root", str(rig), *aligned,
               "--patches", "p2.h5", "--metrics", "e.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    errors = json.loads((folder / "e.json").read_text())
    assert errors["crop_error_px"]["median"] < 1
    assert errors["patch_error_px"]["median"] < 0.5


def _kill_after(folder: Path, shards: int, *arguments: str) -> int:
    """Run a command and kill it, workers and all, when it has kept so many shards."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen(
        command, cwd=folder, env=environment, start_new_session=True, **silent
    )
    scratch = folder / f".{arguments[0]}-shards"
    while running.poll() is None and len(list(scratch.glob("[!.]*.h5"))) < shards:
        time.sleep(0.01)
    assert running.poll() is None, "finished before it could be killed"
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    return len(list(scratch.glob("[!.]*.h5")))


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(rig: Path, folder: Path) -> None:
    common = ("--phone", "iphone", "--root", str(rig), "--metrics", "m.json", "--workers", "2")
    stages = {"align": ("align", *common), "patches": ("patches", *common, "--aligned", "whole.h5")}
    for stage, arguments in stages.items():
        assert run(folder, *arguments, "--out", "whole.h5.tmp").returncode == 0
        out = (*arguments, "--out", f"{stage}.h5")
        done_before = _kill_after(folder, 2, *out)
        assert not (folder / f"{stage}.h5").exists()
        # What was half written when the power went, and what damage did to a shard, is not trusted.
        victim = min((folder / f".{stage}-shards").glob("[!.]*.h5"))
        victim.write_bytes(victim.read_bytes()[:900])
        (folder / f".{stage}-shards/.half-written.h5").write_bytes(b"half")
        again = run(folder, *out)
        assert f"{done_before - 1} pairs had been done by an earlier run" in again.stdout
        assert (folder / f"{stage}.h5").read_bytes() == (folder / "whole.h5.tmp").read_bytes()
        assert not (folder / f".{stage}-shards").exists()
        (folder / "whole.h5.tmp").rename(folder / "whole.h5")
    assert run(folder, *stages["align"], "--out", "align.h5").stdout.count("earlier run") == 0


@pytest.mark.slow
def test_a_cluster_of_which_a_worker_dies_writes_the_same_files(rig: Path, folder: Path) -> None:
    from distributed import LocalCluster

    common = ("--phone", "iphone", "--root", str(rig), "--metrics", "m.json")
    here = LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    )
    with here as cluster:
        workers = [worker.pid for worker in cluster.workers.values()]

        def kill_one() -> None:
            scratch = folder / ".align-shards"
            while not list(scratch.glob("[!.]*.h5")):
                time.sleep(0.01)
            os.kill(workers[0], signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        for place in ([], ["--cluster", cluster.scheduler_address]):
            name = "align" if place else "local"
            done = run(folder, "align", *common, "--out", f"{name}.h5", *place)
            assert done.returncode == 0, done.stderr
            patches = ("--aligned", "local.h5", "--out", f"{name}-patches.h5", *place)
            done = run(folder, "patches", *common, *patches)
            assert done.returncode == 0, done.stderr
        killer.join()
        assert cluster.scheduler.transition_counter > 10, "the cluster was not asked"
    for first, second in (("align", "local"), ("align-patches", "local-patches")):
        assert (folder / f"{first}.h5").read_bytes() == (folder / f"{second}.h5").read_bytes()


def test_explain_shows_why_a_pair_is_accepted(rig: Path, folder: Path) -> None:
    done = run(folder, "align", "--phone=iphone", f"--root={rig}", "--explain=casa-mila")
    assert done.returncode == 0, done.stderr
    assert "casa-mila: ok; " in done.stdout
    shown = {path.stem for path in (folder / "report/explain/iphone/casa-mila").glob("*.png")}
    assert {"matches", "inliers", "residual", "correlation"} <= shown
    assert not (folder / "data").exists()
    last = refusal(folder, "align", "--phone=iphone", f"--root={rig}", "--explain=casa-mia")
    assert "the nearest is 'casa-mila'" in last


def test_a_pair_that_cannot_be_used_is_refused_by_name_and_the_run_goes_on(
    rig: Path, folder: Path
) -> None:
    shutil.copytree(rig, folder / "my")
    photo = folder / "my/iphone/casa-mila.jpg"
    photo.write_bytes(photo.read_bytes()[:3000])
    shutil.copy(folder / "my/iphone/lake-sherburne.jpg", folder / "my/iphone/canyon-wren.jpg")
    (folder / "my/canon/roman-colosseum.jpg").unlink()
    done = run(folder, "align", "--phone", "iphone", "--root", "my")
    assert done.returncode == 0
    metrics = json.loads((folder / "metrics/align/iphone.json").read_text())
    assert set(metrics["refused"]) == {"casa-mila", "canyon-wren"}
    assert "damaged photo" in metrics["refused"]["casa-mila"]
    assert metrics["unpaired"] == {"iphone/roman-colosseum.jpg": "canon has no photo of that name"}
    assert (metrics["pairs"], metrics["aligned"]) == (4, 2)
    for stem in ("casa-mila", "canyon-wren", "roman-colosseum"):
        assert stem in done.stdout


def test_what_changed_between_runs_is_seen(rig: Path, folder: Path) -> None:
    """A mended photo is read again; another one of its name is not cut with the old geometry."""
    shutil.copytree(rig, folder / "my")
    photo = folder / "my/iphone/casa-mila.jpg"
    whole = photo.read_bytes()
    for other in (folder / "my/iphone").iterdir():
        other.write_bytes(other.read_bytes()[:3000] if other == photo else b"")
    common = ("--phone=iphone", "--root=my")
    assert "none of 5 pairs" in refusal(folder, "align", *common)
    shutil.copytree(rig / "iphone", folder / "my/iphone", dirs_exist_ok=True)
    assert photo.read_bytes() == whole
    again = run(folder, "align", *common, "--json")
    assert "aligned 5 of 5" in again.stderr
    metrics = json.loads((folder / "metrics/align/iphone.json").read_text())
    assert json.loads(again.stdout) == metrics
    last = refusal(folder, "patches", *common, "--reference=nikon")
    assert "its reference is canon, not nikon" in last
    camera = folder / "my/canon/casa-mila.jpg"
    pixels = read_photo(camera)
    write_photo(camera, np.roll(pixels, 3, axis=1))
    assert "my/canon/casa-mila.jpg: changed since it was aligned" in refusal(
        folder, "patches", *common
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out=here"], "here: is a folder"),
        (["--metrics=m.csv"], "m.csv: must end in .json"),
        (["--out=params.yaml/a.h5"], "params.yaml: cannot be made"),
    ],
)
def test_places_that_cannot_be_written_are_refused_before_the_work(
    rig: Path, folder: Path, options: list[str], message: str
) -> None:
    (folder / "here").mkdir()
    assert message in refusal(folder, "align", "--phone=iphone", f"--root={rig}", *options)


def test_a_run_in_which_every_pair_fails_is_an_error(folder: Path) -> None:
    random = np.random.default_rng(0)
    for camera in ("iphone", "canon"):
        photo = random.integers(0, 255, (300, 400, 3), np.uint8)
        write_photo(folder / "my" / camera / "a.png", photo)
    assert "none of 1 pairs could be aligned" in refusal(
        folder, "align", "--phone", "iphone", "--root", "my"
    )
    assert not (folder / "data/aligned/iphone.h5").exists()
    assert not list((folder / "metrics").rglob("*.json"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["align", "--phone", "ipone"], "unknown phone 'ipone'; the nearest of params.yaml is"),
        (["align", "--phone", "iphone"], "data/rig/iphone: no such folder"),
        (
            ["patches", "--phone", "iphone", "--root", "x"],
            "ppcn-pipeline align --phone iphone",
        ),
        (["teacher", "--phone", "iphone"], "make it with 'ppcn-pipeline features'"),
        (["student", "--phone", "iphone"], "make it with 'ppcn-pipeline teacher --phone iphone'"),
        (["evaluate", "--phone", "iphone"], "make it with 'ppcn-pipeline teacher --phone iphone'"),
        (["sr"], "make it with 'ppcn-pipeline lr'"),
        (["evaluate-sr"], "make it with 'ppcn-pipeline sr'"),
        (["lr"], "data/sample: no such folder"),
        (["report"], "make it with 'ppcn-pipeline align --phone iphone'"),
        (["rig", "--params", "nowhere.yaml"], "nowhere.yaml: no such parameter file"),
    ],
)
def test_what_is_missing_is_named_with_the_command_that_makes_it(
    folder: Path, arguments: list[str], message: str
) -> None:
    assert message in refusal(folder, *arguments)


@pytest.mark.parametrize("root", ["--root=~/mine", "--root ~/mine"])
def test_a_path_may_begin_with_the_home_folder(
    folder: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    message = refusal(folder, "align", "--phone", "iphone", *root.split())
    assert f"{folder}/mine/iphone: no such folder" in message


def test_photos_of_a_phone_without_character_are_named_by_their_folder_alone(folder: Path) -> None:
    edit_yaml(folder / "params.yaml", {"phones.pixel": None})
    named = refusal(folder, "align", "--phone", "pixel", "--root", "my/photos")
    assert "my/photos/pixel: no such folder" in named
    for command in (["align", "--phone", "pixel"], ["rig"]):
        assert "phones.pixel has no character for the rig" in refusal(folder, *command)


def test_a_mistyped_parameter_stops_every_stage(folder: Path) -> None:
    edit_yaml(folder / "params.yaml", {"loss.kd_wieght": 1})
    message = refusal(folder, "rig")
    assert (
        "unknown parameter 'loss.kd_wieght'; the nearest known one is 'loss.kd_weight'" in message
    )


@pytest.mark.slow
def test_ctrl_c_leaves_the_earlier_result_and_nothing_else(rig: Path, tmp_path: Path) -> None:
    """The rig is interrupted while its files are half written."""
    shutil.copytree(rig, tmp_path / "rig")
    shutil.copy(PARAMS, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    command = [sys.executable, "-m", "pipeline", "rig", "--out", "rig", "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--scenes", str(ROOT / "data/sample")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background jobs ignore Ctrl-C; a user's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("rig 1/11")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    del before[tmp_path / "rig"], after[tmp_path / "rig"]
    assert after == before


def test_a_photo_is_never_both_trained_on_and_scored(rig: Path, folder: Path) -> None:
    for name in ("train", "valid"):
        (folder / name).mkdir()
        shutil.copy(rig.parent / "sample/casa-mila.jpg", folder / name / f"{name}.jpg")
    message = refusal(folder, "lr", "--hr-train", "train", "--hr-valid", "valid")
    assert "train/train.jpg: is the held-out photo valid/valid.jpg too" in message


def test_lr_leaves_out_by_name_what_cannot_be_used(folder: Path) -> None:
    with Image.open(ROOT / "data/sample/casa-mila.jpg") as a:
        one = a.convert("RGB").resize((900, 600))
    with Image.open(ROOT / "data/sample/canyon-wren.jpg") as b:
        other = b.convert("RGB").resize((900, 600))
    for name in ("train", "valid"):
        (folder / name).mkdir()
    one.save(folder / "train/a_HR.png")
    one.resize((225, 150)).save(folder / "train/a_LR.png")
    other.resize((1200, 800)).save(folder / "train/twin.jpg", quality=60)
    other.crop((250, 150, 850, 550)).save(folder / "train/part.jpg", quality=70)
    one.resize((300, 200)).save(folder / "train/small.png")
    (folder / "train/broken.png").write_bytes((folder / "train/a_HR.png").read_bytes()[:90000])
    other.save(folder / "valid/b.png")
    done = run(folder, "lr", "--hr-train", "train", "--hr-valid", "valid")
    assert done.returncode == 0, done.stderr
    facts = json.loads((folder / "metrics/lr/photos.json").read_text())
    assert list(facts["crops_by_photo"]) == ["a_HR"]
    left = {Path(path).name: reason for path, reason in facts["left_out"].items()}
    assert left.keys() == {"a_LR.png", "twin.jpg", "part.jpg", "small.png", "broken.png"}
    for copied in ("twin.jpg", "part.jpg"):
        assert "held-out photo valid/b.png" in left[copied]
    other.resize((256, 256)).save(folder / "valid/b.png")
    before = (folder / "data/sr/train.h5").read_bytes()
    message = refusal(folder, "lr", "--hr-train", "train", "--hr-valid", "valid")
    assert "no held-out photo is 256 px high and wide after sr.reduce (2)" in message
    assert (folder / "data/sr/train.h5").read_bytes() == before


def test_outside_a_checkout_the_installed_parameters_are_used_and_named(tmp_path: Path) -> None:
    done = run_apart(tmp_path, "align", "--phone", "iphone", "--root", "nowhere")
    assert done.returncode == 1
    assert "no params.yaml here; using" in done.stdout
    assert done.stderr.startswith("error: nowhere/iphone: no such folder")
    assert done.stderr.count("\n") == 1


def test_two_hr_folders_are_kept_apart(rig: Path, folder: Path) -> None:
    for name, scene in (("train", "casa-mila"), ("valid", "canyon-wren")):
        (folder / name).mkdir()
        shutil.copy(rig.parent / f"sample/{scene}.jpg", folder / name)
    done = run(folder, "lr", "--hr-train", "train", "--hr-valid", "valid")
    assert done.returncode == 0, done.stderr
    with (
        h5py.File(folder / "data/sr/train.h5") as train,
        h5py.File(folder / "data/sr/valid.h5") as valid,
    ):
        assert list(train["stems"]) == [b"casa-mila"]
        assert list(valid) == ["canyon-wren"]
        assert len(train["hr"]) == (1200 // 192) * (800 // 192)
        assert train["lr"].shape[1:] == (48, 48, 3)


@pytest.mark.slow
def test_the_super_resolution_chain(rig: Path, folder: Path) -> None:
    scenes = str(rig.parent / "sample")
    assert run(folder, "lr", "--hr-train", scenes, "--hr-valid", scenes).returncode == 0
    for command in ("sr", "evaluate-sr"):
        done = run(folder, command)
        assert done.returncode == 0, done.stderr
    scores = json.loads((folder / "metrics/evaluate/sr.json").read_text())
    assert scores["protocol"] == "sr_y_shave4"
    assert scores["images"] == 1
    assert scores["bicubic"]["psnr"] > 20
    assert scores["gain_db"] == pytest.approx(
        scores["ppcn_sr"]["psnr"] - scores["bicubic"]["psnr"], abs=1e-5
    )
    _, facts = load_weights(folder / "data/models/sr/ppcn_sr.safetensors")
    assert facts["network"] == "ppcn_sr"
    assert facts["seed"] == 14
    assert facts["training"]["steps"] == 3


@pytest.fixture
def patch_folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three pairs of patches, the last of them identical."""
    random = np.random.default_rng(0)
    folders = tmp_path / "phone patches", tmp_path / "dslr patches"
    for number in range(3):
        patch = random.integers(0, 200, (100, 100, 3), np.uint8)
        write_photo(folders[0] / f"{number}.png", patch)
        write_photo(folders[1] / f"{number}.png", patch + (20 if number < 2 else 0))
    return folders


def test_enhancement_scores_name_protocol_network_and_weights(
    folder: Path, patch_folders: tuple[Path, Path]
) -> None:
    phone, dslr = (str(path) for path in patch_folders)
    source = str(ROOT / "tests/data/student")
    imported = run(
        folder, "import-checkpoint", source, "--network=ppcn_student", "--out=s.safetensors"
    )
    assert imported.returncode == 0, imported.stderr
    pairs = ("--phone-dir", phone, "--dslr-dir", dslr, "--json=scores.json")
    for weights, network in (("do-nothing", "do-nothing"), ("s.safetensors", "ppcn_student")):
        done = run(folder, "score-enhancement", "--weights", weights, *pairs)
        assert done.returncode == 0, done.stderr
        scores = json.loads((folder / "scores.json").read_text())
        assert scores["protocol"] == "pirm2018"
        assert (scores["images"], scores["identical"], scores["network"]) == (3, 1, network)
        if network == "do-nothing":
            assert scores["psnr"] == pytest.approx(20 * np.log10(255 / 20), abs=1e-5)
        else:
            assert set(scores["sha256"]) == {"weights"}
    (patch_folders[1] / "1.png").unlink()
    last = refusal(folder, "score-enhancement", "--weights=do-nothing", *pairs)
    assert "1.png" in last
    write_photo(patch_folders[1] / "1.png", np.zeros((90, 100, 3), np.uint8))
    last = refusal(folder, "score-enhancement", "--weights=do-nothing", *pairs)
    assert "1.png: is not of the size of" in last


def test_super_resolution_is_scored_with_made_or_given_lr_photos(
    folder: Path, scene: np.ndarray
) -> None:
    sharp = scene[:203, :302]
    write_photo(folder / "set/a_SRF_4_HR.png", sharp)
    write_photo(folder / "set/a_SRF_4_LR.png", matlab_shrink(crop_to_multiple(sharp)))
    found = []
    for options, protocol in (
        ((), "sr_y_shave4"),
        (("--lr-dir=set",), "sr_y_shave4_matlab"),
        (("--protocol=sr_y_shave4_matlab",), "sr_y_shave4_matlab"),
    ):
        command = ("score-sr", "--weights=bicubic", "--hr-dir=set", "--json=s.json", *options)
        done = run(folder, *command)
        assert done.returncode == 0, done.stderr
        scores = json.loads((folder / "s.json").read_text())
        assert (scores["protocol"], scores["images"]) == (protocol, 1)
        found.append((scores["psnr"], scores["ssim"]))
    assert found[1] == found[2]
    assert found[0] == pytest.approx(found[1], abs=0.02)
    write_photo(folder / "set/b.png", sharp)
    assert "b.png: marked neither HR nor LR" in refusal(folder, *command)
    (folder / "set/b.png").rename(folder / "set/a_SRF_4-HR.png")
    assert "by another name; remove one" in refusal(folder, *command)
    (folder / "set/a_SRF_4-HR.png").unlink()
    (folder / "lonely").mkdir()
    write_photo(folder / "lonely/b.png", sharp)
    lonely = ("score-sr", "--weights=bicubic", "--hr-dir=set", "--lr-dir=lonely", "--json=s.json")
    assert "lonely has no photo of that name" in refusal(folder, *lonely)


def test_weights_are_scored_by_the_command_that_suits_them(
    folder: Path, patch_folders: tuple[Path, Path]
) -> None:
    save_weights(folder / "v.safetensors", "vdsr", NETWORKS["vdsr"].make(), {})
    save_weights(folder / "s.safetensors", "ppcn_student", NETWORKS["ppcn_student"].make(), {})
    pairs = (f"--phone-dir={patch_folders[0]}", f"--dslr-dir={patch_folders[1]}", "--json=j")
    last = refusal(folder, "score-enhancement", "--weights=v.safetensors", *pairs)
    assert "v.safetensors: holds vdsr, for super-resolution; use score-sr" in last
    hr = f"--hr-dir={patch_folders[1]}"
    last = refusal(folder, "score-sr", "--weights=s.safetensors", hr, "--json=j")
    assert "s.safetensors: holds ppcn_student, for enhancement; use score-enhancement" in last
    assert not (folder / "j").exists()


BASELINE = ("baseline", "--phone=iphone")


@pytest.mark.parametrize(
    "command, sentence",
    [
        ((*BASELINE, "--network=srcn"), "unknown enhancement network 'srcn'; the nearest is"),
        ((*BASELINE, "--network=srcnn", "--recipe=boo"), "unknown recipe 'boo'; the nearest"),
        ((*BASELINE, "--network=srcnn", "--teacher=t"), "srcnn imitates no teacher"),
        ((*BASELINE, "--network=srcnn", "--without=kd"), "srcnn imitates no teacher"),
        ((*BASELINE, "--network=ppcn_student", "--without=kd", "--teacher=t"), "leave out"),
        ((*BASELINE, "--network=srcnn", "--without=noise"), "srcnn has none"),
        ((*BASELINE, "--network=srcnn", "--without=l1"), "the recipe has no such term"),
        (BASELINE, "nothing to train; name a --network, or a --row of tables"),
        ((*BASELINE, "--row=mux_norma"), "no such row; the nearest is 'mux_normal'"),
        ((*BASELINE, "--row=srcnn", "--recipe=boe"), "a row has a network, recipe and teacher"),
        ((*BASELINE, "--row=ppcn_student", "--seed=3"), "ppcn_teacher.safetensors: no such file"),
        (("baseline-sr", "--network=vsdr"), "no key of tables.sr; the nearest is 'vdsr'"),
        (("benchmark", "--size=big"), "give WIDTHxHEIGHT in px"),
        (
            ("tables", "sr"),
            "no such file; make it with 'ppcn-pipeline benchmark --json",
        ),
    ],
)
def test_baselines_refuse_in_one_sentence(
    folder: Path, command: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refusal(folder, *command)


@pytest.mark.slow
def test_the_benchmark_puts_srcnn_beside_the_weights(folder: Path) -> None:
    save_weights(folder / "s.safetensors", "ppcn_student", NETWORKS["ppcn_student"].make(), {})
    rng = np.random.default_rng(0)
    for name in ("phone", "dslr"):
        (folder / "scored" / name).mkdir(parents=True)
        write_photo(folder / f"scored/{name}/1.png", rng.integers(0, 255, (32, 32, 3), np.uint8))
    done = run(
        folder,
        *("benchmark", "--weights=s.safetensors", "--json=b.json", "--markdown=b.md"),
        *("--runtime=torch", "--runtime=openvino", "--precision=float32", "--precision=exact"),
        *("--phone-dir=scored/phone", "--dslr-dir=scored/dslr", "--no-memory"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "b.json").read_text())
    assert (found["size"], found["runs"]) == ("64x48", 1)
    rows = found["rows"]
    assert [(row["network"], row["runtime"], row["precision"]) for row in rows] == [
        ("srcnn (baseline)", "torch", "float32"),
        ("ppcn_student", "torch", "float32"),
        ("ppcn_student", "torch", "exact"),
        ("srcnn (baseline)", "openvino", "float32"),
        ("ppcn_student", "openvino", "float32"),
        ("ppcn_student", "openvino", "exact"),
    ]
    for row in rows:
        base = rows[0] if row["runtime"] == "torch" else rows[3]
        assert row["speedup"] == pytest.approx(base["cpu_ms"] / row["cpu_ms"], rel=1e-3)
        assert ("psnr" in row) == (row["network"] == "ppcn_student")
    scored = rows[1]
    expected = pirm_scores("B", scored["psnr"], scored["ms_ssim"], scored["speedup"])
    assert scored["score_a"] == pytest.approx(expected["A"], abs=1e-2)
    assert scored["psnr"] == pytest.approx(rows[4]["psnr"], abs=1e-3)
    assert found["networks"]["ppcn_student"]["mac_per_pixel"] == 2624
    assert {"processor", "threads", "precision", "runtime", "allocator"} <= set(found["machine"])
    page = (folder / "b.md").read_text()
    assert page.count("| ppcn_student |") == 4
    assert "openvino 20" in page
    assert page in done.stdout
    assert "ram mb" not in page
    unscored = run(folder, "benchmark", "--weights=s.safetensors", "--json=m.json").stdout
    assert "score" not in unscored
    assert "ram mb" in unscored
    for row in json.loads((folder / "m.json").read_text())["rows"]:
        assert 0 < row["ram_mb"] < 2000


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--runtime=opnvino",), "unknown 'opnvino'; choose from torch, openvino, onnx"),
        (("--precision=int4",), "unknown 'int4'; choose from float32, exact, bfloat16, int8"),
        (("--precision=int8",), "runtime torch does not compute in int8"),
        (("--runtime=openvino", "--precision=int8"), "give --calibrate a patch set"),
        (("--phone-dir=scored",), "--phone-dir and --dslr-dir belong together"),
        (("--phone-dir=a", "--dslr-dir=b"), "name some with --weights"),
        (("--weights=none.safetensors",), "none.safetensors: no such file"),
    ],
)
def test_the_benchmark_refuses_in_one_sentence(
    folder: Path, options: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refusal(folder, "benchmark", *options)
