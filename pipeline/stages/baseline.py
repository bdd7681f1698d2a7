"""Stage `baseline`: train any enhancement network for any recipe, all at one budget."""

from pathlib import Path
from typing import Annotated, get_args

import torch
import typer
from torch import nn

from pipeline.cli.enhancer_training import FEATURES, EnhancerRun, Features, train_enhancer
from pipeline.cli.options import ParamsFile, PatchesFile, Phone, load_params
from ppcn.errors import UserError, nearest
from ppcn.networks import NETWORKS
from ppcn.networks.ppcn import Teacher
from ppcn.params import NetworkName, Params, Recipe, Without
from ppcn.weights import load_network


def baseline(
    network: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(NetworkName))}.")],
    phone: Phone,
    recipe: Annotated[
        str | None, typer.Option(help="Entry of recipes; loss.recipe by default.")
    ] = None,
    without: Annotated[Without, typer.Option(help="A term of the loss to leave out.")] = "none",
    teacher: Annotated[
        Path | None, typer.Option(help="Weights of the teacher that a ppcn_student imitates.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the result; the network's by default.")
    ] = None,
    patches: PatchesFile = None,
    features: Features = FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="data/models/baseline/PHONE/NAME.safetensors by default.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/baseline/PHONE/NAME.json by default.")
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Train one enhancement network at the budget of `baseline`, to compare it with others."""
    params = load_params(params_file)
    if network != "ppcn_student" and (teacher or without == "kd"):
        raise UserError(f"{network} imitates no teacher; only ppcn_student does")
    if teacher and without == "kd":
        raise UserError("--without kd: leave out --teacher instead")
    torch.manual_seed(params.seed)
    name = name or network
    run = EnhancerRun(
        title=f"{name} {phone}",
        name=network,
        network=_make(network, params, noise=without != "noise"),
        phone=phone,
        recipe_name=recipe or params.loss.recipe,
        recipe=_recipe(params, recipe, without),
        training=params.baseline.of(network),
        teacher=(load_network(teacher, Teacher)[0], teacher) if teacher else None,
        patches=patches or Path(params.data.patches) / f"{phone}.h5",
        features=features,
        out=out or Path(f"data/models/baseline/{phone}/{name}.safetensors"),
        metrics=metrics or Path(f"metrics/baseline/{phone}/{name}.json"),
    )
    train_enhancer(run, params)


def _make(name: str, params: Params, noise: bool) -> nn.Module:
    known = get_args(NetworkName)
    if name not in known:
        near = nearest(name, known)
        raise UserError(f"unknown enhancement network '{name}'; the nearest is '{near}'")
    options: dict[str, float | None] = {"initial_deviation": params.baseline.initial_deviation}
    if not noise:
        if not name.startswith("mux"):
            raise UserError(f"--without noise: {name} has none; only the mux networks do")
        options["noise_deviation"] = 0.0
    return NETWORKS[name].make(**options)


def _recipe(params: Params, name: str | None, without: Without) -> Recipe:
    """The recipe, less one term; distillation and noise are no part of it."""
    recipe = params.recipe(name)
    if without in ("none", "kd", "noise"):
        return recipe
    if not getattr(recipe, f"{without}_weight"):
        raise UserError(f"--without {without}: the recipe has no such term")
    return recipe.without(without)
