"""Compiled loops and operations on tensors: which serves, and that both find the same."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from matopt.physics.base import SIMULATORS
from matopt.physics.conduction import compiled as conduction
from matopt.physics.conduction.slopes import add_slopes
from matopt.physics.elastic import compiled as elastic
from matopt.physics.elastic.cell_problem import ElasticCellProblem
from matopt.physics.flow import compiled as flow
from matopt.physics.flow.system import FlowSystem
from matopt.physics.numerics.backend import implementation

PAIRS = [(add_slopes, conduction), (ElasticCellProblem, elastic), (FlowSystem, flow)]
SHAPES = {"2D": (12, 10), "3D": (6, 8, 5)}

SOLVE = """
import json, sys
import torch
from matopt.physics.base import SIMULATORS

def solved(name, shape):
    density = (torch.rand(2, 1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) < 0.6).double()
    simulator = SIMULATORS.find(name)(tolerance=1e-10)
    values = simulator.solve(density.requires_grad_(), 1.0).values
    (gradient,) = torch.autograd.grad(values.sum(), density)
    return values.tolist(), gradient.flatten().tolist()
"""


def answered_by_a_process(code: str) -> dict:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(("by_tensors", "room"), PAIRS, ids=lambda x: getattr(x, "__name__", ""))
def test_a_processor_has_the_compiled_twin_and_other_devices_have_tensors(by_tensors, room):
    assert implementation(by_tensors, torch.device("cpu")) is getattr(room, by_tensors.__name__)
    assert implementation(by_tensors, torch.device("cuda")) is by_tensors


@pytest.mark.parametrize("name", SIMULATORS.names())
def test_a_simulator_loads_numba_when_a_processor_solves_and_not_before(name):
    code = f"""
import sys
from matopt.physics.base import simulators
simulators([{name!r}])
import json
print(json.dumps([m for m in sys.modules if m == "numba" or m.startswith("matopt.physics") and "kernels" in m]))
"""
    assert answered_by_a_process(code) == []


def test_every_simulator_solves_where_numba_is_absent_and_finds_what_compiled_loops_find():
    names = SIMULATORS.names()
    asked = f"print(json.dumps({{n + s: solved(n, x) for n in {names} for s, x in {SHAPES}.items()}}))"
    found = answered_by_a_process("import sys; sys.modules['numba'] = None" + SOLVE + asked)
    expected = answered_by_a_process(SOLVE + asked)
    assert found.keys() == expected.keys() and len(found) == 2 * len(names)
    for case, parts in expected.items():
        for part, other in zip(parts, found[case], strict=True):
            one, other = torch.tensor(part, dtype=torch.float64), torch.tensor(other, dtype=torch.float64)
            assert torch.allclose(one, other, rtol=1e-6, atol=1e-7 * one.abs().max().item()), case
        assert any(parts[0]), case


def test_who_solves_without_numba_is_told_once():
    code = """
import sys, warnings, json
sys.modules["numba"] = None
import torch
from matopt.physics.youngs_modulus import YoungsModulus
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for _ in range(2):
        YoungsModulus().solve(torch.ones(1, 1, 4, 4), 1.0)
print(json.dumps([str(w.message) for w in told]))
"""
    (message,) = answered_by_a_process(code)
    assert "Numba cannot be imported" in message and "more slowly" in message
