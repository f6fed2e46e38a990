"""The one way in which anything is added."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from matopt.errors import InputError
from matopt.registry import Component
from matopt.traits.base import TRAITS

PACKAGE = {
    "more_traits.py": "from matopt import Trait\nclass Always(Trait):\n    name = 'always'\n"
    "    def residual(self, model, density):\n        return 0 * density.flatten(1).sum(1)\n",
    "more_traits-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: more-traits\nVersion: 1.0\n",
    "more_traits-1.0.dist-info/entry_points.txt": "[matopt.traits]\nalways = more_traits:Always\n",
}


def _names_with(folder: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\nfrom matopt.traits.base import TRAITS; print(TRAITS.names())"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_another_package_adds_a_member_by_an_entry_point(tmp_path: Path) -> None:
    done = _names_with(tmp_path, PACKAGE)
    assert done.stdout.strip() == str(sorted([*TRAITS.names(), "always"]))


def test_the_registry_names_a_class_that_has_no_name_of_its_own(tmp_path: Path) -> None:
    assert TRAITS.find("monotonicity").name == "monotonicity"
    head = "from matopt import Trait\nclass Mine(Trait):\n"
    tail = "    def residual(self, model, density):\n        return 0 * density.flatten(1).sum(1)\n"
    (tmp_path / "unnamed.py").write_text(head + tail)
    (tmp_path / "named.py").write_text(head + "    name = 'other'\n" + tail)
    assert TRAITS.find("unnamed.py:Mine", tmp_path).name == "Mine"
    assert TRAITS.find("named.py:Mine", tmp_path).name == "other"


def test_a_broken_package_is_named(tmp_path: Path) -> None:
    done = _names_with(tmp_path, {**PACKAGE, "more_traits.py": "import nothing_of_that_name"})
    assert "InputError: traits 'always' of the package more-traits cannot be loaded" in done.stderr


def test_an_unknown_name_is_told_what_comes_nearest() -> None:
    with pytest.raises(InputError, match="no traits called 'hashin_strikman'; did you mean 'hashin_shtrikman'"):
        TRAITS.find("hashin_strikman")


def test_a_setting_that_is_not_taken_is_named() -> None:
    with pytest.raises(InputError, match=r"traits 'monotonicity': .*unexpected keyword argument 'wait'"):
        TRAITS.build(Component("monotonicity", {"wait": 1.0}))
