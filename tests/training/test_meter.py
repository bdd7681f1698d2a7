import json

import pytest
import torch

from ppcn.training.meter import LossMeter


def test_a_meter_goes_on_where_it_was_saved() -> None:
    """Steps with and without a term, whose names may hold anything, through JSON."""
    steps = [{"l1": 1.0, "a+b.c": 4.0}, {"l1": 3.0}, {"l1": 5.0, "a+b.c": float("nan")}]
    whole, saved = LossMeter(), LossMeter()
    for step, terms in enumerate(steps):
        for meter in (whole, saved):
            meter.add({name: torch.tensor(value) for name, value in terms.items()}, step)
        tensors, facts = saved.save()
        saved = LossMeter()
        saved.load(tensors, json.loads(json.dumps(facts)), torch.device("cpu"))
    assert saved.first_bad() == whole.first_bad() == (2, "a+b.c")
    assert saved.means() == pytest.approx(whole.means(), nan_ok=True)
    assert saved.means()["l1"] == pytest.approx(3)
    saved.clear()
    assert saved.means() == {}
    assert saved.first_bad() is None
