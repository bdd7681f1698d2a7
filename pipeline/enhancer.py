"""What the `teacher` and `student` stages share: options and one training run."""

from pathlib import Path
from typing import Annotated

import typer
from torch import nn

from pipeline.progress import showing
from ppcn.artifacts import provenance, write_csv, write_json
from ppcn.batches import patch_batches, validation_patches
from ppcn.datasets import open_patches
from ppcn.networks.ppcn import Teacher
from ppcn.objectives import Enhancement
from ppcn.params import EnhancerTraining, Params
from ppcn.training import train
from ppcn.vgg import load_vgg
from ppcn.weights import save_weights

Features = Annotated[Path, typer.Option(help="VGG-19 weights.")]
FEATURES = Path("data/features/vgg19.safetensors")


def train_enhancer(
    stage: str,
    network: nn.Module,
    master: tuple[Teacher, Path] | None,
    phone: str,
    params: Params,
    training: EnhancerTraining,
    files: tuple[Path | None, Path, Path | None, Path | None],
) -> None:
    """Train one enhancement network and write weights, log and metrics.

    Args:
        stage: `teacher` or `student`.
        network: freshly initialised.
        master: the teacher that eq. 12 imitates, and its file.
        phone: whose patches to train on.
        params: everything else.
        training: the stage's own group.
        files: patch set, VGG-19 weights, weights to write, metrics to write; None for defaults.
    """
    patches, features, out, metrics = files
    patches = patches or Path(params.data.patches) / f"{phone}.h5"
    out = out or Path(f"data/models/{stage}/{phone}.safetensors")
    metrics = metrics or Path(f"metrics/{stage}/{phone}.json")
    vgg, vgg_facts = load_vgg(features)
    with open_patches(patches) as cut, showing(f"{stage} {phone}") as report:
        teacher = master and master[0]
        objective = Enhancement(params.loss, vgg, teacher, cut.size, training.warmup_steps)
        draw, validate = patch_batches(cut, training.batch), validation_patches(cut)
        rows = train(network, objective, draw, validate, training, params.seed, report)
    inputs = {"patches": patches} | ({"teacher": master[1]} if master else {})
    facts = {
        "phone": phone,
        "features": vgg_facts,
        "training": training.model_dump(),
        "loss": params.loss.model_dump(exclude=None if master else {"kd_weight", "distillation"}),
        **provenance(params.seed, inputs),
    }
    save_weights(out, f"ppcn_{stage}", network, facts)
    write_csv(metrics.with_suffix(".csv"), rows)
    figures = {name: rows[-1][name] for name in ("step", "loss", "psnr")}
    recorded = {name: facts[name] for name in ("features", "seed", "versions", "sha256")}
    write_json(metrics, {"validation": figures, **recorded})
    typer.echo(f"{stage} {phone}: validation PSNR {rows[-1]['psnr']:.2f} dB")
