"""Training runs of enhancement networks: on one phone's patches, for one recipe."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ppcn.dataset.patch_set import PatchSet, open_equal_patches
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
        patches: patch sets, each drawn from as often as another.
        features: VGG-19 weights.
    """

    training: EnhancerTraining
    phone: str
    recipe_name: str
    recipe: Recipe
    teacher: tuple[Teacher, Path] | None
    patches: tuple[Path, ...]
    features: Path


def train_enhancement(config: EnhancementConfig, params: Params, watch: Watch) -> Row | None:
    """Train one enhancement network and write weights, log and metrics; see `train_to_files`."""
    vgg, vgg_facts = load_vgg(config.features)
    teacher, teacher_file = config.teacher or (None, None)
    with ExitStack() as stack:
        sets = [stack.enter_context(open_equal_patches(path)) for path in config.patches]
        source = PatchSource(sets, config.training.batch)
        objective = EnhancementObjective(
            config.recipe,
            params.loss,
            vgg,
            teacher,
            sets[0].size,
            config.training.warmup_steps,
            source.targets,
        )
        inputs = _inputs(config, teacher_file)
        recorded = {"features": vgg_facts, **provenance(params.seed, inputs)}
        settings = _settings(config, params, sets)
        task = Task(
            objective,
            source,
            validation_patches(sets),
            settings,
            recorded,
            config.training.color_augmentation,
            config.training.discriminator_warmup,
        )
        return train_to_files(config, task, params, watch)


def _inputs(config: EnhancementConfig, teacher: Path | None) -> dict[str, Path]:
    """The files that the weights follow from, by what they are."""
    first, *others = config.patches
    inputs = {"patches": first, "vgg": config.features}
    inputs |= {f"also_{number}": path for number, path in enumerate(others, start=1)}
    return inputs | ({"teacher": teacher} if teacher else {})


def _cameras(sets: Sequence[PatchSet]) -> list[str]:
    """Models of the phones; none where a set is of cameras that nobody knows."""
    known = [patches.cameras.get("phone", []) for patches in sets]
    return sorted({camera for cameras in known for camera in cameras}) if all(known) else []


def _settings(
    config: EnhancementConfig, params: Params, sets: Sequence[PatchSet]
) -> dict[str, Any]:
    """What the weights follow from, beside training, engine and inputs."""
    unused = _not_used(distils=config.teacher is not None)
    return {
        "phone": config.phone,
        "cameras": _cameras(sets),
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
