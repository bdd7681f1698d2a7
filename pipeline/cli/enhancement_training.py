"""What `teacher`, `student` and `baseline` share: one training run on one phone's patches."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import nn

from pipeline.cli.options import usual_patches
from pipeline.cli.training_runs import run_training
from ppcn.networks.ppcn import Teacher
from ppcn.params import EnhancerTraining, Params, Recipe
from ppcn.training.enhancement_run import EnhancementConfig, train_enhancement


class Files(NamedTuple):
    """Files that the user named; None stands for the usual one."""

    patches: Path | None
    features: Path
    out: Path | None
    metrics: Path | None
    also: Sequence[Path] = ()


def train_on_phone(
    params: Params,
    phone: str,
    files: Files,
    *,
    stage: str,
    name: str,
    network: nn.Module,
    training: EnhancerTraining,
    result: str | None = None,
    recipe_name: str | None = None,
    recipe: Recipe | None = None,
    teacher: tuple[Teacher, Path] | None = None,
) -> None:
    """Train one enhancement network on one phone's patches.

    Args:
        params: all parameters.
        phone: name of the phone.
        files: what to read and write.
        stage: which one trains; it names the folders of the results.
        name: of the network in `NETWORKS`.
        network: freshly initialised.
        training: steps, batch, learning rate.
        result: name of the result, in a folder of the phone's; by default there is one result a
            phone.
        recipe_name: name of the recipe, for the record; that of `loss.recipe` by default.
        recipe: what to train for; that of `loss.recipe` by default.
        teacher: the network that eq. 12 imitates, and its file.
    """
    place = f"{stage}/{phone}/{result}" if result else f"{stage}/{phone}"
    config = EnhancementConfig(
        title=f"{result or stage} {phone}",
        name=name,
        network=network,
        training=training,
        phone=phone,
        recipe_name=recipe_name or params.loss.recipe,
        recipe=recipe or params.recipe(),
        teacher=teacher,
        patches=(files.patches or usual_patches(params, phone), *files.also),
        features=files.features,
        out=files.out or Path(f"data/models/{place}.safetensors"),
        metrics=files.metrics or Path(f"metrics/{place}.json"),
    )
    run_training(train_enhancement, config, params)
