"""What a class behaves like is told by the code that it is written in, and by no other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import matopt
from matopt.data.labels.store import LabelStore
from matopt.errors import InputError
from matopt.physics.base import SIMULATORS
from matopt.provenance import origin
from matopt.registry import Component
from matopt.stages.simulate import simulate
from matopt.testing.images import random_microstructures

SIMULATOR = """
from dataclasses import dataclass
import numpy as np
from matopt.physics.base import Simulator, Solution
from matopt.properties import Property

@dataclass(frozen=True)
class Fraction(Simulator):
    @property
    def property(self):
        return Property("fraction", "f", "1", "1")

    def solve(self, density, voxel_size):
        n = len(density)
        values = 1.0 * density.flatten(1).mean(1)
        return Solution(values, values[:, None], np.full(n, "ok"), np.zeros(n), np.zeros(n, int))
"""


def _printed(folder: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_of_matopts_own_code_what_is_done_counts_and_what_is_said_does_not(tmp_path: Path) -> None:
    shutil.copytree(Path(matopt.__file__).parent, tmp_path / "matopt", ignore=shutil.ignore_patterns("__pycache__"))

    def digest() -> str:
        code = "from matopt.provenance import code_digest; print(code_digest(['matopt.predictors.cnn']))"
        return _printed(tmp_path, code)

    def edit(file: str, change: Callable[[str], str]) -> str:
        path = tmp_path / "matopt" / file
        path.write_text(change(path.read_text()))
        return digest()

    before = digest()
    loop = "training/loop.py"  # the network imports it
    assert edit(loop, lambda text: text.replace('"""', '"""Said otherwise. ', 1) + "\n# A remark.\n") == before
    assert edit("generators/vae.py", lambda text: text + "\nNEW = 1\n") == before
    assert edit(loop, lambda text: text + "\nNEW = 1\n") != before


def test_a_package_counts_by_its_version_and_by_its_text(tmp_path: Path) -> None:
    def found(version: str, text: str) -> str:
        folder = tmp_path / f"{version} {len(text)}"
        (folder / "mine-1.dist-info").mkdir(parents=True)
        (folder / "mine-1.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: mine\nVersion: {version}\n"
        )
        (folder / "mine-1.dist-info" / "top_level.txt").write_text("mine\n")
        (folder / "mine").mkdir()
        (folder / "mine" / "__init__.py").write_text("from mine.traits import Trait")
        (folder / "mine" / "traits.py").write_text(text)
        return _printed(folder, "import mine; from matopt.provenance import origin; print(origin(mine.Trait))")

    texts = "class Trait: x = 1", "class Trait: x = 10"
    assert found("1", texts[0]).startswith("mine 1 ")
    assert len({found("1.1", texts[0]), found("1.1", texts[1]), found("2", texts[0])}) == 3


def test_an_edited_simulator_computes_its_labels_anew(tmp_path: Path) -> None:
    images, store = random_microstructures(4, (8, 8), seed=0), LabelStore(tmp_path / "labels")
    file, component = tmp_path / "mine.py", Component("mine.py:Fraction")

    def label() -> torch.Tensor:
        table = simulate(images, [SIMULATORS.build(component, tmp_path)], store)
        return torch.from_numpy(table.values[:, 0])

    file.write_text(SIMULATOR)
    once = label()
    assert torch.equal(label(), once)
    file.write_text(SIMULATOR.replace("1.0 *", "3.0 *"))
    assert torch.allclose(label(), 3 * once)


def test_a_class_whose_source_nobody_can_read_has_no_origin() -> None:
    typed: dict[str, type] = {"__name__": "__main__"}  # ty: ignore[invalid-assignment]
    exec("class Typed: pass", typed)
    with pytest.raises(InputError, match=r"the source of Typed cannot be read, .*; write it into a file"):
        origin(typed["Typed"])
