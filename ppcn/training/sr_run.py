"""Training runs of x4 super-resolution networks."""

from dataclasses import dataclass
from pathlib import Path

from ppcn.dataset.sr_set import open_crops, read_photos
from ppcn.files.artifacts import provenance
from ppcn.networks import NETWORKS
from ppcn.params import Params, SRLoss, SRTraining
from ppcn.training.base_run import RunConfig, Task, Watch, train_to_files
from ppcn.training.batches import CropSource
from ppcn.training.objective import SRObjective
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
    validation = validation_photos(read_photos(config.valid_set), enlarged)
    objective = SRObjective(config.loss)
    inputs = {"train": config.train_set, "valid": config.valid_set}
    recorded = provenance(params.seed, inputs)
    with open_crops(config.train_set) as crops:
        source = CropSource(crops, config.training, enlarged)
        task = Task(objective, source, validation, {"loss": objective.weights}, recorded)
        return train_to_files(config, task, params, watch)
