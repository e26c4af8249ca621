"""A recipe is complete, follows the paper's schedule, keeps its shape when shortened, and is known by its hash."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscale import recipes
from fullscale.recipes import Recipe, recipe

STEPS_PER_EPOCH = 391
PAPER = [
    ("preresnet-110", 164, 128, 1e-4, {0: 0.1, 80: 0.1, 81: 0.01, 121: 0.01, 122: 0.001, 163: 0.001}),
    ("resnext-29", 300, 128, 5e-4, {0: 0.1, 149: 0.1, 150: 0.01, 224: 0.01, 225: 0.001, 299: 0.001}),
    ("wrn-28-10", 200, 128, 5e-4, {59: 0.1, 60: 0.02, 119: 0.02, 120: 0.004, 159: 0.004, 160: 0.0008}),
    ("densenet-bc-100-12", 300, 64, 1e-4, {149: 0.1, 150: 0.01, 224: 0.01, 225: 0.001}),
]


def made(**changes) -> Recipe:
    return recipe("wrn-10-2", "synthetic", "b", 0, **({"drop": 0.5} | changes))


@pytest.mark.parametrize(("net", "epochs", "batch", "decay", "rates"), PAPER)
def test_the_schedules_are_those_of_the_authors_code_to_the_step(net, epochs, batch, decay, rates) -> None:
    run = recipe(net, "cifar10", "none", 0)
    assert (run.epochs, run.batch, run.weight_decay) == (epochs, batch, decay)
    steps = epochs * STEPS_PER_EPOCH
    for epoch, rate in rates.items():
        first, last = epoch * STEPS_PER_EPOCH, (epoch + 1) * STEPS_PER_EPOCH - 1
        assert (run.rate(first, steps), run.rate(last, steps)) == pytest.approx((rate, rate))


@given(st.integers(10, 400))
def test_a_shorter_run_keeps_the_shape(epochs: int) -> None:
    run, steps = made(epochs=epochs), epochs * 20
    falls = [step for step in range(1, steps) if run.rate(step, steps) != run.rate(step - 1, steps)]
    assert falls == [round(part * steps) for part in (0.3, 0.6, 0.8)]
    assert run.rate(steps - 1, steps) == pytest.approx(0.1 * 0.2**3)


def test_what_is_not_given_is_the_paper_s_and_what_is_given_counts() -> None:
    assert made(lr=None) == made()
    assert (made(lr=0.05).lr, made(epochs=3).epochs, made(images=100).images) == (0.05, 3, 100)


def test_every_field_changes_the_hash() -> None:
    run = made()
    others = {
        "net": "wrn-16-2",
        "data": "cifar10",
        "placement": "a",
        "seed": 1,
        "epochs": 7,
        "batch": 100,
        "lr": 0.2,
        "milestones": (0.5,),
        "gamma": 0.5,
        "weight_decay": 0.0,
        "drop": 0.3,
        "uout": 0.5,
        "sigma": 0.5,
        "images": 9,
        "crop": "normalised",
        "precision": "bf16",
        "channels_last": False,
        "compile": "default",
    }
    assert others.keys() == {field.name for field in dataclasses.fields(Recipe)}
    changed = {dataclasses.replace(run, **{name: value}).hash for name, value in others.items()}
    assert len(changed | {run.hash}) == len(others) + 1


def test_a_field_that_comes_later_leaves_older_recipes_their_hash() -> None:
    later = dataclasses.make_dataclass("Later", [("tau", float | None, None)], bases=(Recipe,), frozen=True)
    older = dataclasses.asdict(made())
    assert later(**older).hash == made().hash
    assert later(**older, tau=0.5).hash != made().hash


def test_a_recipe_survives_json() -> None:
    run = made()
    assert recipes.read(json.loads(json.dumps(dataclasses.asdict(run)))) == run


@pytest.mark.parametrize(("change", "named"), [({"seed": None}, "seed"), ({"colour": 1}, "colour")])
def test_a_recipe_with_a_field_too_few_or_too_many_is_refused(change: dict, named: str) -> None:
    fields = dataclasses.asdict(made()) | change
    if change[named] is None:
        del fields[named]
    with pytest.raises(ValueError, match=f"^recipe = {named}: missing, or not a field of a recipe$"):
        recipes.read(fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("seed", 2**62),
        ("epochs", 0),
        ("batch", 1),
        ("lr", 0.0),
        ("lr", float("inf")),
        ("weight_decay", -0.1),
        ("weight_decay", float("nan")),
    ],
)
def test_a_value_outside_of_its_domain_is_refused_in_one_line(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{name} = .+: must [^\n]+$"):
        dataclasses.replace(made(), **{name: value})


def test_an_unknown_net_is_refused_under_the_name_of_the_argument() -> None:
    with pytest.raises(ValueError, match=r"^net = wrn-11-2: DEPTH must be one of [^\n]+$"):
        recipe("wrn-11-2", "cifar10", "none", 0)
