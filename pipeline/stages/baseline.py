"""Stage `baseline`: train any enhancement network for any recipe, all at one budget."""

from pathlib import Path
from typing import Annotated, get_args

import typer
from torch import nn

from pipeline.cli.enhancement_training import Files, train_on_phone
from pipeline.cli.options import ParamsFile, PatchesFile, Phone, load_params
from pipeline.cli.training_runs import FEATURES, Features
from ppcn.errors import UserError, nearest
from ppcn.networks.ppcn import Teacher
from ppcn.params import NetworkName, Params, Recipe, Without
from ppcn.training.base_run import fresh_network
from ppcn.weights import load_network

NetworkToTrain = Annotated[
    str, typer.Option(help=f"Network to train: one of {', '.join(get_args(NetworkName))}.")
]
RecipeName = Annotated[
    str | None,
    typer.Option(
        help="Total loss to train for: an entry of recipes in the parameter file; "
        "loss.recipe by default."
    ),
]
WithoutTerm = Annotated[
    Without,
    typer.Option(help="Term of the loss to leave out, or noise for the mux networks' noise."),
]
TeacherFile = Annotated[
    Path | None,
    typer.Option(
        help="Weights file of the teacher that a ppcn_student imitates; without it, it learns "
        "from the photos alone."
    ),
]
ResultName = Annotated[
    str | None, typer.Option(help="Name of the result; the network's by default.")
]
WeightsFile = Annotated[
    Path | None,
    typer.Option(
        help="Weights file to write; data/models/baseline/PHONE/NAME.safetensors by default."
    ),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        help="Metrics file to write, with the log of the training as .csv beside it; "
        "metrics/baseline/PHONE/NAME.json by default."
    ),
]


def baseline(
    network: NetworkToTrain,
    phone: Phone,
    recipe: RecipeName = None,
    without: WithoutTerm = "none",
    teacher: TeacherFile = None,
    name: ResultName = None,
    patches: PatchesFile = None,
    features: Features = FEATURES,
    out: WeightsFile = None,
    metrics: MetricsFile = None,
    params_file: ParamsFile = None,
) -> None:
    """Train one enhancement network at the budget of the tables.

    Any network and any recipe can be named, to be compared with others.
    """
    params = load_params(params_file)
    if network != "ppcn_student" and (teacher or without == "kd"):
        raise UserError(f"{network} imitates no teacher; only ppcn_student does")
    if teacher and without == "kd":
        raise UserError("--without kd: leave out --teacher instead")
    name = name or network
    train_on_phone(
        params,
        phone,
        Files(patches, features, out, metrics),
        stage="baseline",
        result=name,
        name=network,
        network=_make(network, params, noise=without != "noise"),
        training=params.baseline.of(network),
        recipe_name=recipe,
        recipe=_recipe(params, recipe, without),
        # After the network: the discriminator's first weights depend on what was drawn before.
        teacher=(load_network(teacher, Teacher)[0], teacher) if teacher else None,
    )


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
    return fresh_network(name, params.seed, **options)


def _recipe(params: Params, name: str | None, without: Without) -> Recipe:
    """The recipe, less one term; distillation and noise are no part of it."""
    recipe = params.recipe(name)
    if without in ("none", "kd", "noise"):
        return recipe
    if not getattr(recipe, f"{without}_weight", 0):
        raise UserError(f"--without {without}: the recipe has no such term")
    return recipe.without(without)
