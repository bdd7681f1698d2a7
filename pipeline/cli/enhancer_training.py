"""What the stages that train an enhancement network share: one training run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from torch import nn

from pipeline.cli.training_run import Result, run_training
from ppcn.dataset.patch_set import open_patches
from ppcn.files.artifacts import provenance
from ppcn.networks.ppcn import Teacher
from ppcn.networks.vgg import load_vgg
from ppcn.params import EnhancerTraining, Params, Recipe
from ppcn.training.batches import PatchSource
from ppcn.training.objective import EnhancementObjective
from ppcn.training.validation import validation_patches

Features = Annotated[Path, typer.Option(help="VGG-19 weights.")]
FEATURES = Path("data/features/vgg19.safetensors")


@dataclass(frozen=True)
class EnhancerRun:
    """One training run.

    Attributes:
        title: shown to the user.
        name: of the network in `NETWORKS`.
        network: freshly initialised.
        phone: whose patches to train on.
        recipe_name: of what to train for, for the record.
        recipe: the same, with what was changed in it.
        training: steps, batch, learning rate.
        teacher: the network that eq. 12 imitates, and its file.
        patches: patch set.
        features: VGG-19 weights.
        out: weights to write.
        metrics: metrics to write, .json; the log goes beside it, .csv.
    """

    title: str
    name: str
    network: nn.Module
    phone: str
    recipe_name: str
    recipe: Recipe
    training: EnhancerTraining
    teacher: tuple[Teacher, Path] | None
    patches: Path
    features: Path
    out: Path
    metrics: Path


def train_enhancer(run: EnhancerRun, params: Params) -> None:
    """Train one enhancement network and write weights, log and metrics."""
    vgg, vgg_facts = load_vgg(run.features)
    teacher, teacher_file = run.teacher or (None, None)
    inputs = {"patches": run.patches, "vgg": run.features}
    inputs |= {"teacher": teacher_file} if teacher_file else {}
    with open_patches(run.patches) as cut:
        source = PatchSource(cut, run.training.batch)
        objective = EnhancementObjective(
            run.recipe,
            params.loss,
            vgg,
            teacher,
            cut.size,
            run.training.warmup_steps,
            source.targets,
        )
        recorded = {"features": vgg_facts, **provenance(params.seed, inputs)}
        settings = {
            "phone": run.phone,
            "cameras": cut.cameras.get("phone", []),
            **_noise(run.network),
            "recipe": {"name": run.recipe_name, **run.recipe.model_dump()},
            "loss": params.loss.model_dump(exclude=_not_used(distils=teacher is not None)),
        }
        result = Result(run.title, run.name, run.out, run.metrics, settings, recorded)
        validation = validation_patches(cut)
        run_training(result, run.network, objective, source, validation, run.training, params)


def _noise(network: nn.Module) -> dict[str, float]:
    """The deviation of a network's noise, if it has some: its weights look alike without."""
    deviation = getattr(network, "noise_deviation", None)
    return {} if deviation is None else {"noise_deviation": round(float(deviation), 6)}


def _not_used(distils: bool) -> set[str]:
    """Keys of `loss` that the run did not read, or that its recipe holds already."""
    weights = {key for key in Recipe.model_fields if key.endswith("_weight")}
    return weights | {"recipe"} | (set() if distils else {"kd_weight", "distillation"})
