"""Training runs of x4 super-resolution networks."""

from dataclasses import dataclass
from pathlib import Path

from ppcn.dataset.sr_set import CropSet, HeldOutPhotos, open_crops, open_held_out
from ppcn.errors import UserError
from ppcn.files.artifacts import provenance
from ppcn.networks import NETWORKS
from ppcn.params import Params, SRLoss, SRTraining
from ppcn.photos.resize import SCALE
from ppcn.training.base_run import RunConfig, Task, Watch, train_to_files
from ppcn.training.batches import CropSource
from ppcn.training.sr_objective import SRObjective
from ppcn.training.sr_teacher import SRTeacher
from ppcn.training.train_state import Row
from ppcn.training.validation import validation_photos


@dataclass(frozen=True, kw_only=True)
class SRConfig(RunConfig):
    """One training run of a super-resolution network.

    Attributes:
        training: as of every run, and the size of the crops.
        loss: weights of its terms.
        train_set: training crops.
        valid_set: held-out photos.
    """

    training: SRTraining
    loss: SRLoss
    train_set: Path
    valid_set: Path


def train_sr(config: SRConfig, params: Params, watch: Watch) -> Row | None:
    """Train one super-resolution network and write its files; see `train_to_files`."""
    enlarged = NETWORKS[config.name].input != "lr"
    teacher = SRTeacher(Path(config.loss.teacher)) if config.loss.teacher else None
    objective = SRObjective(config.loss, config.training.steps, teacher)
    inputs = {"train": config.train_set, "valid": config.valid_set}
    inputs |= {"teacher": teacher.path} if teacher else {}
    with open_crops(config.train_set) as crops, open_held_out(config.valid_set) as held_out:
        _check_scale(config.name, crops, held_out)
        if teacher and teacher.scale != crops.scale:
            raise UserError(
                f"{teacher.path}: enlarges x{teacher.scale}, and {crops.path} is of scale "
                f"{crops.scale}; name a teacher of that scale in sr.teacher"
            )
        source = CropSource(crops, config.training, enlarged)
        validation = validation_photos(held_out, enlarged)
        settings = {"loss": objective.weights, "scale": crops.scale, **crops.lr}
        recorded = provenance(params.seed, inputs)
        task = Task(objective, source, validation, settings, recorded)
        return train_to_files(config, task, params, watch)


def _check_scale(network: str, crops: CropSet, held_out: HeldOutPhotos) -> None:
    """Make sure that network, crops and held-out photos are of one scale."""
    if crops.scale != held_out.scale:
        raise UserError(
            f"{held_out.path}: is of scale {held_out.scale}, {crops.path} of {crops.scale}; make "
            "both alike"
        )
    if NETWORKS[network].input == "lr" and crops.scale != SCALE:
        raise UserError(
            f"{crops.path}: is of scale {crops.scale}, and {network} enlarges x{SCALE} only"
        )
