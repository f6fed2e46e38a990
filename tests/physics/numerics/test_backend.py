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

SHAPES = {"2D": (12, 10), "3D": (6, 8, 5)}

SOLVE = """
import torch
from matopt.physics.base import SIMULATORS

def solved(name, shape):
    density = (torch.rand(2, 1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) < 0.6).double()
    simulator = SIMULATORS.find(name)(tolerance=1e-10)
    values = simulator.solve(density.requires_grad_(), 1.0).values
    (gradient,) = torch.autograd.grad(values.sum(), density)
    return values.tolist(), gradient.flatten().tolist()

"""

BLOCKED = """
import json, sys, warnings
sys.modules["numba"] = None
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always", UserWarning)
    found = {name + case: solved(name, shape) for name in SIMULATORS.names() for case, shape in SHAPES.items()}
print(json.dumps([found, [str(w.message) for w in told if "Numba" in str(w.message)]]))
"""


def answer_of_a_process(code: str):
    return json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(
    ("by_tensors", "room"), [(add_slopes, conduction), (ElasticCellProblem, elastic), (FlowSystem, flow)]
)
def test_a_processor_has_the_compiled_twin_and_other_devices_have_tensors(by_tensors, room):
    assert implementation(by_tensors, torch.device("cpu")) is getattr(room, by_tensors.__name__)
    assert implementation(by_tensors, torch.device("cuda")) is by_tensors


def test_simulators_load_neither_numba_nor_kernels_before_a_processor_solves():
    code = """
import json, sys
from matopt.physics.base import SIMULATORS, simulators
found = [s.property.name for s in simulators(SIMULATORS.names())]
print(json.dumps([found, [m for m in sys.modules if m == "numba" or m.startswith("matopt.physics") and "kernel" in m]]))
"""
    assert answer_of_a_process(code) == [SIMULATORS.names(), []]


def test_without_numba_every_simulator_finds_what_compiled_loops_find_and_says_once_that_it_is_slower():
    found, told = answer_of_a_process(f"SHAPES = {SHAPES}" + SOLVE + BLOCKED)
    names: dict = {}
    exec(SOLVE, names)
    for case, parts in found.items():
        expected = names["solved"](case[:-2], SHAPES[case[-2:]])
        for one, other in zip(parts, expected, strict=True):
            one, other = torch.tensor(one, dtype=torch.float64), torch.tensor(other, dtype=torch.float64)
            assert torch.allclose(one, other, rtol=1e-6, atol=1e-7 * other.abs().max().item()), case
        assert any(parts[0]) and any(parts[1]), case
    assert len(found) == 2 * len(SIMULATORS.names())
    (message,) = told
    assert "Numba cannot be imported" in message and "more slowly" in message
