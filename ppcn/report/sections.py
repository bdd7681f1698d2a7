"""The sections of a run's page: what each phone's pairs, photos and trainings came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ppcn.dataset.patch_set import PatchSet, open_equal_patches
from ppcn.dataset.splits import TEST, TRAIN, VALIDATION
from ppcn.dataset.sr_set import open_held_out
from ppcn.errors import FileError, FileKind
from ppcn.evaluation.protocols import Enhance, bicubic, run_network, run_upscaler
from ppcn.files.artifacts import read_json, sha256
from ppcn.networks.ppcn import Student, Teacher
from ppcn.params import Params
from ppcn.photos.resize import enlarge
from ppcn.report.blocks import (
    Block,
    Card,
    Facts,
    Folded,
    Section,
    Sliders,
    Table,
    titled,
    value_table,
)
from ppcn.report.charts import Columns, curves, read_columns
from ppcn.report.held_out_pictures import (
    SR_SHOWN,
    Counted,
    EnhancedPhoto,
    enhance_test_photos,
    middle_photo,
    patch_gallery,
    photo_slider,
    sr_sliders,
    worst_and_best,
)
from ppcn.report.pair_tables import (
    ALIGNED,
    CUT,
    join_pairs,
    pair_histograms,
    poorest_table,
    quick_looks,
    read_rows,
    reason_table,
)
from ppcn.report.provenance import changed_table, default_values, lock_table, revision
from ppcn.report.score_tables import (
    BICUBIC,
    DO_NOTHING,
    TEST_SETS,
    enhancement_table,
    gain,
    photo_table,
    read_scores,
    score,
    sr_table,
    tables_of_papers,
    time_table,
)
from ppcn.weights import load_network, load_weights, scale_of

STUDENT, TEACHER = "student", "teacher"
SR_NOTE = "The most detailed part of each, enlarged from LR, without loss of compression."


@dataclass(frozen=True)
class Run:
    """Where a run has put what it made.

    Attributes:
        params: its parameters.
        metrics: folder of metrics.
        models: folder of weights.
        aligned: folder of alignments.
        quicklook: folder of pictures of pairs.
        valid: set of held-out photos of super-resolution.
        root: folder of photo folders.
    """

    params: Params
    metrics: Path
    models: Path
    aligned: Path
    quicklook: Path
    valid: Path
    root: Path

    def metric(self, name: str) -> Path:
        """A file of the folder of metrics."""
        return self.metrics / name

    def times(self) -> Mapping[str, Any]:
        """What the benchmark measured; empty where it did not run."""
        path = self.metric("benchmark/networks.json")
        if not path.is_file():
            return {}
        times = read_json(path, FileKind.TIMES)
        if not {"networks", "machine", "size"} <= times.keys():
            raise FileError(path, FileKind.TIMES, "not the times of a benchmark")
        return times


@dataclass(frozen=True)
class Enhancement:
    """What a phone's photos came to.

    Attributes:
        phone: its name.
        scores: of its test patches.
        photos: its test photos; none where only patches are known.
        section: everything about them.
        trained_on: what training and tests had, in a sentence.
    """

    phone: str
    scores: Mapping[str, Any]
    photos: Sequence[EnhancedPhoto]
    section: Section
    trained_on: str


def enhancement(run: Run, phone: str, counted: Counted) -> Enhancement:
    """Scores, photos, patches and trainings of a phone.

    Args:
        run: the run.
        phone: its name.
        counted: given test photos and their number, yields them and tells of progress.

    Raises:
        UserError: something that the run should have made is missing or does not belong to it.
    """
    path = run.metric(f"evaluate/{phone}.json")
    scores = read_scores(path, DO_NOTHING)
    networks = _networks(run, phone, path, scores)
    logs = {name: read_columns(run.metric(f"{name}/{phone}.csv")) for name in (TEACHER, STUDENT)}
    with open_equal_patches(Path(run.params.data.patches) / f"{phone}.h5") as cut:
        aligned = run.aligned / f"{phone}.h5"
        photos = enhance_test_photos(networks, cut, aligned, run.root, counted)
        methods = {name: run_network(networks[name]) for name in (STUDENT, TEACHER)}
        gallery = patch_gallery(cut, methods, run.params.data.reference)
        trained_on = _trained_on(cut)
    tables = [enhancement_table(scores, run.times().get("networks", {}))]
    if "photo" in scores:
        tables.append(photo_table(scores["photo"]))
    blocks = [*tables, *_shown(photos), gallery, _training(logs)]
    section = Section(phone, f"Photos of {phone}", blocks)
    return Enhancement(phone, scores, photos, section, trained_on)


def _networks(run: Run, phone: str, path: Path, scores: Mapping[str, Any]) -> dict[str, nn.Module]:
    """The networks that were scored.

    Raises:
        FileError: weights are missing, or others than those that the scores are of.
    """
    networks: dict[str, nn.Module] = {}
    for name, kind in ((TEACHER, Teacher), (STUDENT, Student)):
        weights = run.models / name / f"{phone}.safetensors"
        networks[name] = load_network(weights, kind)[0]
        check_scored(path, scores, name, weights)
    return networks


def check_scored(path: Path, scores: Mapping[str, Any], name: str, weights: Path) -> None:
    """Make sure that scores are of the weights whose pictures stand beside them.

    Raises:
        FileError: they are of others.
    """
    if scores.get("sha256", {}).get(name) != sha256(weights):
        raise FileError(path, FileKind.METRICS, f"has the scores of other weights than {weights}")


def _trained_on(cut: PatchSet) -> str:
    parts = []
    for title, split in (("trained on", TRAIN), ("validated on", VALIDATION), ("tested on", TEST)):
        rows = np.flatnonzero(cut.split == split)
        photos = len(np.unique(cut.photo[rows]))
        noun = "photo" if photos == 1 else "photos"
        parts.append(f"{title} {len(rows):,d} of {photos:,d} {noun}")
    return f"patches of {cut.size} px, split by scene: {', '.join(parts)}"


def _shown(photos: Sequence[EnhancedPhoto]) -> list[Block]:
    if not photos:
        return []
    chosen = worst_and_best(photos, STUDENT)
    ranks = {chosen[-1].stem: "gains most", chosen[0].stem: "gains least"}
    sliders = [photo_slider(photo, STUDENT, ranks.get(photo.stem, "")) for photo in chosen]
    note = (
        f"Of {len(photos)} test photos, first those that gain least PSNR by the student, last "
        "those that gain most. Move the line by mouse, finger or arrow keys; either side can show "
        "any of the pictures. They are reduced and compressed for this page; the scores are of "
        "the full ones."
    )
    return [Sliders("Test photos, the worst first", note, sliders)]


def _training(logs: Mapping[str, Columns]) -> Block:
    note = (
        "PSNR on the validation photos, the total loss and each of its terms. Point at a curve, "
        "or focus it and use the arrow keys, to read values."
    )
    return curves("Training", note, logs)


def pairs(run: Run, phone: str) -> Section:
    """Alignment, kept and rejected windows, and quick looks of a phone's pairs.

    Raises:
        UserError: something that the run should have made is missing or damaged.
    """
    aligned, cut, truth = (
        run.metric(f"{s}/{phone}.json") for s in ("align", "patches", "accuracy")
    )
    rows = join_pairs(
        read_rows(aligned.with_suffix(".csv"), ALIGNED), read_rows(cut.with_suffix(".csv"), CUT)
    )
    align, patches, accuracy = (read_json(path) for path in (aligned, cut, truth))
    rejected, unpaired = align.pop("refused", {}), align.pop("unpaired", {})
    histograms = patches.pop("histograms", {})
    blocks: list[Block] = [
        pair_histograms(rows, histograms, cut),
        quick_looks(rows, run.quicklook / phone),
        poorest_table(rows, cut.with_suffix(".csv")),
        *reason_table("Rejected pairs", rejected, aligned),
        *reason_table("Photos without a partner", unpaired, aligned),
        Folded(
            "All counts of aligning and cutting",
            [
                value_table("Align", "", align),
                value_table("Patches", "", patches),
                value_table("Accuracy", "", accuracy),
            ],
        ),
    ]
    return Section(f"{phone}-pairs", f"Pairs of {phone}", blocks, _pairs_lead(align, accuracy))


def _pairs_lead(align: Mapping[str, Any], accuracy: Mapping[str, Any]) -> str:
    text = f"{align['aligned']:,d} of {align['pairs']:,d} pairs are aligned." if align else ""
    if "crop_error_px" in accuracy:
        crop, patch = accuracy["crop_error_px"], accuracy["patch_error_px"]
        text += (
            f" Against the rig's known geometry the median error is {crop['median']:.2f} px in the "
            f"common crop (95 % of places: under {crop['p95']:.2f} px) and {patch['median']:.2f} "
            f"px at kept patches ({patch['p95']:.2f} px)."
        )
    return text


def super_resolution(run: Run) -> tuple[Section, Mapping[str, Any]]:
    """Scores, details and training of super-resolution, and the scores themselves.

    Raises:
        UserError: something that the run should have made is missing or does not belong to it.
    """
    own = str(run.params.sr.network)
    path = run.metric("evaluate/sr.json")
    scores = read_scores(path, BICUBIC)
    weights = run.models / "sr" / f"{own}.safetensors"
    network, facts = load_weights(weights)
    check_scored(path, scores, own, weights)
    log = read_columns(run.metric(f"sr/{own}.csv"))
    with open_held_out(run.valid) as held_out:

        def larger(lr: Any) -> Any:
            return enlarge(lr, held_out.scale)

        methods: dict[str, Enhance] = {
            BICUBIC: lambda lr: bicubic(lr, larger),
            own: run_upscaler(facts["network"], network, larger),
        }
        names = held_out.names("test")
        chosen = names[:: -(-len(names) // SR_SHOWN)]
        photos = zip(chosen, held_out.read(chosen), strict=True)
        sliders = list(sr_sliders(photos, methods, own))
    blocks: list[Block] = [
        sr_table(scores, run.times().get("networks", {})),
        Sliders("Details of held-out photos", SR_NOTE, sliders, exact=True),
        curves("Training", "PSNR on held-out photos, the total loss and its terms.", {own: log}),
    ]
    heading = f"Super-resolution x{scale_of(facts)}"
    return Section("sr", heading, blocks), scores


def papers(run: Run) -> list[Section]:
    """Every network and loss trained alike, beside the papers' numbers, as far as it was made."""
    tables: list[Table] = tables_of_papers(run.metric("tables"))
    if not tables:
        return []
    lead = (
        "Every network and every loss of the papers, trained alike on the same patches, beside "
        f"the papers' own numbers. {TEST_SETS}"
    )
    logs = {
        titled(path.stem): read_columns(path)
        for path in sorted(run.metric(f"baseline/{run.params.tables.phone}").glob("*.csv"))
        if "_without_" not in path.stem or path.stem.endswith("distillation")
    }
    note = "Their losses differ, so that only PSNR compares them."
    drawn = [curves("Validation PSNR of every network", note, logs, ["psnr"])] if logs else []
    return [Section("papers", "The papers' tables", [*tables, *drawn], lead)]


def timing(run: Run) -> list[Section]:
    """Times of the networks, if a benchmark was run."""
    times = run.times()
    if not times:
        return []
    return [Section("time", "Time", [time_table(times)])]


def provenance(run: Run, scores: Mapping[str, Any], lock: Path, folder: Path) -> Section:
    """Revision, versions, digests and parameters.

    Args:
        run: the run.
        scores: of a metrics file that names versions.
        lock: DVC's lock file, which may be missing.
        folder: of the repository.
    """
    values = run.params.model_dump(mode="json")
    versions = {"revision": revision(folder), "seed": str(run.params.seed)}
    versions |= scores.get("versions", {})
    inputs = (
        run.metrics,
        run.models,
        run.aligned,
        run.quicklook,
        run.valid,
        Path(run.params.data.patches),
    )
    blocks: list[Block] = [
        Facts("Revision and versions", "", list(versions.items())),
        changed_table(values, default_values(folder)),
        Folded("All parameters", [value_table("params.yaml", "", values)]),
    ]
    if digests := lock_table(lock, inputs):
        blocks.append(Folded("Digests of everything that this page was made from", [digests]))
    return Section("provenance", "Provenance", blocks)


def cards(
    run: Run, made: Enhancement, sr_scores: Mapping[str, Any], accuracy: Mapping[str, Any]
) -> list[Card]:
    """How good a run is: the figures of the first screen."""
    scores = made.scores
    shown = [_card("Student, test patches", scores, STUDENT, DO_NOTHING)]
    if "photo" in scores:
        worse = f"{scores['photo'][STUDENT]['made_worse']:.1%} of windows made worse"
        shown.append(
            _card("Student, whole photos", scores["photo"], STUDENT, DO_NOTHING, f"; {worse}")
        )
    shown.append(_card("Teacher, test patches", scores, TEACHER, DO_NOTHING))
    shown.append(_card("Super-resolution", sr_scores, str(run.params.sr.network), BICUBIC))
    if "patch_error_px" in accuracy:
        error = accuracy["patch_error_px"]
        note = f"median error at kept patches, 95 % under {error['p95']:.2f} px, against the rig"
        shown.append(Card("Alignment", f"{error['median']:.2f} px", "", note))
    times = run.times()
    if "ppcn_student" in times.get("networks", {}):
        machine = times["machine"]
        note = f"{times['size']} px, {machine['device']}, {machine['threads']} threads, "
        note += f"{machine['precision']}, {machine['runtime']}"
        row = times["networks"]["ppcn_student"]
        shown.append(Card("Student, time", f"{row['cpu_ms']:.0f} ms", "", note))
    return shown


def _card(title: str, scores: Mapping[str, Any], method: str, base: str, more: str = "") -> Card:
    untouched = score(scores[base]["psnr"])
    note = f"PSNR, protocol {scores['protocol']}; {titled(base)}: {untouched} dB{more}"
    return Card(title, f"{score(scores[method]['psnr'])} dB", gain(scores, method, base), note)


def first_slider(made: Enhancement) -> list[Block]:
    """The test photo in the middle by what it gains, before and after."""
    if not made.photos:
        return []
    photo = middle_photo(made.photos, STUDENT)
    return [photo_slider(photo, STUDENT, "of the test photos the middle one by what it gains")]
