"""Stage `baseline`: train any enhancement network for any recipe, all at one budget."""

from pathlib import Path
from typing import Annotated, NamedTuple, get_args

import typer
from torch import nn

from pipeline.cli.enhancement_training import Files, train_on_phone
from pipeline.cli.options import AlsoPatches, ParamsFile, PatchesFile, Phone, load_params
from pipeline.cli.training_runs import FEATURES, Features
from ppcn.errors import UserError, nearest
from ppcn.networks.ppcn import Teacher
from ppcn.params import NetworkName, Params, Recipe, Without
from ppcn.training.base_run import fresh_enhancer
from ppcn.weights import load_network

NetworkToTrain = Annotated[
    str | None,
    typer.Option(help=f"Network to train: one of {', '.join(get_args(NetworkName))}."),
]
TablesRow = Annotated[
    str | None,
    typer.Option(
        help="Row of tables in the parameter file to train, with its network, recipe and teacher, "
        "in place of --network and what goes with it."
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Seed in place of the parameter file's; the usual files are then NAME/SEED in place "
        "of NAME.",
    ),
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


class Choice(NamedTuple):
    """What is trained: a name for the result, and what the options of the same names say."""

    name: str
    network: str
    recipe: str | None
    without: Without
    teacher: Path | None


def baseline(
    phone: Phone,
    network: NetworkToTrain = None,
    row: TablesRow = None,
    recipe: RecipeName = None,
    without: WithoutTerm = "none",
    teacher: TeacherFile = None,
    name: ResultName = None,
    seed: Seed = None,
    patches: PatchesFile = None,
    also: AlsoPatches = None,
    features: Features = FEATURES,
    out: WeightsFile = None,
    metrics: MetricsFile = None,
    params_file: ParamsFile = None,
) -> None:
    """Train one enhancement network at the budget of the tables.

    Any network and any recipe can be named, to be compared with others.
    """
    params = load_params(params_file)
    if seed is not None:
        params = params.model_copy(update={"seed": seed})
    if row:
        if network or recipe or teacher or without != "none":
            raise UserError("--row: a row has a network, recipe and teacher; leave others out")
        choice = _choice_of_row(params, row, phone)
    elif network:
        choice = Choice(network, network, recipe, without, teacher)
    else:
        raise UserError("nothing to train; name a --network, or a --row of tables")
    result = (name or choice.name) + ("" if seed is None else f"/{seed}")
    files = Files(patches, features, out, metrics, also or ())
    _train(params, phone, files, result, choice)


def _choice_of_row(params: Params, row: str, phone: str) -> Choice:
    """What a row of the enhancement tables says; students have the teacher of its first seed."""
    tables = params.tables
    if own := tables.enhancement.get(row):
        return Choice(row, own.network, own.recipe, own.without, None)
    if distilled := tables.distilled.get(row):
        teacher = Path(f"data/models/baseline/{phone}/ppcn_teacher.safetensors")
        return Choice(row, "ppcn_student", distilled.recipe, distilled.without, teacher)
    near = nearest(row, (*tables.enhancement, *tables.distilled))
    raise UserError(f"--row {row}: tables has no such row; the nearest is '{near}'")


def _train(params: Params, phone: str, files: Files, result: str, choice: Choice) -> None:
    network, teacher, without = choice.network, choice.teacher, choice.without
    if network != "ppcn_student" and (teacher or without == "kd"):
        raise UserError(f"{network} imitates no teacher; only ppcn_student does")
    if teacher and without == "kd":
        raise UserError("--without kd: leave out --teacher instead")
    train_on_phone(
        params,
        phone,
        files,
        stage="baseline",
        result=result,
        name=network,
        network=_make(network, params, noise=without != "noise"),
        training=params.baseline.of(network),
        recipe_name=choice.recipe,
        recipe=_recipe(params, choice.recipe, without),
        # After the network: the discriminator's first weights depend on what was drawn before.
        teacher=(load_network(teacher, Teacher)[0], teacher) if teacher else None,
    )


def _make(name: str, params: Params, noise: bool) -> nn.Module:
    known = get_args(NetworkName)
    if name not in known:
        near = nearest(name, known)
        raise UserError(f"unknown enhancement network '{name}'; the nearest is '{near}'")
    options = {}
    if not noise:
        if not name.startswith("mux"):
            raise UserError(f"--without noise: {name} has none; only the mux networks do")
        options["noise_deviation"] = 0.0
    return fresh_enhancer(name, params.seed, params.baseline, **options)


def _recipe(params: Params, name: str | None, without: Without) -> Recipe:
    """The recipe, less one term; distillation and noise are no part of it."""
    recipe = params.recipe(name)
    if without in ("none", "kd", "noise"):
        return recipe
    if not getattr(recipe, f"{without}_weight", 0):
        raise UserError(f"--without {without}: the recipe has no such term")
    return recipe.without(without)
