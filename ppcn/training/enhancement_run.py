"""Training runs of enhancement networks: on one phone's patches, for one recipe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ppcn.dataset.patch_set import PatchSet, open_patches
from ppcn.files.artifacts import provenance
from ppcn.networks.ppcn import Teacher
from ppcn.networks.vgg import load_vgg
from ppcn.params import EnhancerTraining, Params, Recipe
from ppcn.training.base_run import RunConfig, Task, Watch, train_to_files
from ppcn.training.batches import PatchSource
from ppcn.training.objective import EnhancementObjective
from ppcn.training.train_state import Row
from ppcn.training.validation import validation_patches


@dataclass(frozen=True, kw_only=True)
class EnhancementConfig(RunConfig):
    """One training run of an enhancement network.

    Attributes:
        training: as of every run, and the warm-up.
        phone: whose patches to train on.
        recipe_name: of what to train for, for the record.
        recipe: the same, with what was changed in it.
        teacher: the network that eq. 12 imitates, and its file.
        patches: patch set.
        features: VGG-19 weights.
    """

    training: EnhancerTraining
    phone: str
    recipe_name: str
    recipe: Recipe
    teacher: tuple[Teacher, Path] | None
    patches: Path
    features: Path


def train_enhancement(config: EnhancementConfig, params: Params, watch: Watch) -> Row | None:
    """Train one enhancement network and write weights, log and metrics; see `train_to_files`."""
    vgg, vgg_facts = load_vgg(config.features)
    teacher, teacher_file = config.teacher or (None, None)
    inputs = {"patches": config.patches, "vgg": config.features}
    inputs |= {"teacher": teacher_file} if teacher_file else {}
    with open_patches(config.patches) as patches:
        source = PatchSource(patches, config.training.batch)
        objective = EnhancementObjective(
            config.recipe,
            params.loss,
            vgg,
            teacher,
            patches.size,
            config.training.warmup_steps,
            source.targets,
        )
        recorded = {"features": vgg_facts, **provenance(params.seed, inputs)}
        settings = _settings(config, params, patches)
        task = Task(
            objective,
            source,
            validation_patches(patches),
            settings,
            recorded,
            config.training.color_augmentation,
            config.training.discriminator_warmup,
        )
        return train_to_files(config, task, params, watch)


def _settings(config: EnhancementConfig, params: Params, patches: PatchSet) -> dict[str, Any]:
    """What the weights follow from, beside training, engine and inputs."""
    unused = _not_used(distils=config.teacher is not None)
    return {
        "phone": config.phone,
        "cameras": patches.cameras.get("phone", []),
        **_noise(config.network),
        "recipe": {"name": config.recipe_name, **config.recipe.model_dump()},
        "loss": params.loss.model_dump(exclude=unused),
    }


def _noise(network: nn.Module) -> dict[str, float]:
    """The deviation of a network's noise, if it has some: its weights look alike without."""
    deviation = getattr(network, "noise_deviation", None)
    return {} if deviation is None else {"noise_deviation": round(float(deviation), 6)}


def _not_used(distils: bool) -> set[str]:
    """Keys of `loss` that the run did not read, or that its recipe holds already."""
    weights = {key for key in Recipe.model_fields if key.endswith("_weight")}
    return (
        weights
        | {"recipe"}
        | (set() if distils else {"kd_weight", "kd_output_weight", "distillation"})
    )
