"""What are artificial microstructures worth to a predictor, beside exact symmetries and beside more rock?

    python benchmarks/augmentation.py ../shared/data/berea.zip [--quick] [--volumes] [--sources NAME ...] [--draws N]
        [--authentic N ...] [--added N ...] [--predictor NAME]

Predictors learn from a few authentic windows of Berea, alone or with microstructures added: more rock (the ceiling),
the process model of sandstone, levelled Gaussian fields, perturbed copies, and the samples of each generator that
learnt from the same few windows. Their R2 is of windows of another part of the scan. What a case measured is kept in
augmentation.json beside this file and not measured again; fitted generators and labels are kept in the folder of
``--keep``. The page, the table and the figure are made anew of all that is there. The last line is one of JSON: the
goals, and whether they are met. ``--quick`` asks for Young's modulus alone with short trainings, into files of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from inspect import signature
from itertools import product
from pathlib import Path

import augmentation_page as page
import numpy as np
import torch
from augmentation_page import AUTHENTIC, FIXED_MRF, GAUSSIAN, NONE, PERTURBATIONS, PROCESS, SEEDS, Case
from generators import OF_IMAGES, SHORT
from kept_rows import KeptRows
from specimens import VOXEL, berea, windows
from textures import gaussian_field

from matopt.data.labels.store import LabelStore
from matopt.data.sources.sandstone import Sandstone
from matopt.data.windows.window import Window
from matopt.generators.base import GENERATORS
from matopt.microstructures import Microstructures
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.predictors.base import PREDICTORS
from matopt.registry import Component
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.data import LabelledSet
from matopt.stages.models import GeneratorTask, ModelContext, fit_generator, load_generator
from matopt.stages.r2 import r2
from matopt.stages.simulate import simulate

HERE = Path(__file__).parent
TRAIN = VALIDATION = 100
SIMULATORS = {"youngs_modulus": YoungsModulus(), "diffusivity": Diffusivity(flow="all"), "permeability": Permeability()}
OF_VOLUMES = SIMULATORS | {"permeability": Permeability(flow="all")}
"""Volumes are sealed: labels along all axes let predictors learn by exchanges, as those of diffusivity do."""

QUICK_GENERATORS = tuple({**SHORT, "examples": 60_000}.items())
"""Settings of generators with ``--quick``, of those that have them."""


@dataclass(frozen=True)
class Scope:
    """How much is measured.

    Attributes:
        properties: by name.
        authentic: how many authentic windows are learnt from.
        added: how many microstructures are added to them.
        draws: of each case.
        predictor: by its registered name.
        settings: of the predictor.
        generator: settings of the generators, of those that have them.
        dimensions: of the windows: 64^2 or 32^3 voxels.
    """

    properties: tuple[str, ...] = tuple(SIMULATORS)
    authentic: tuple[int, ...] = (10, 25, 50, 100)
    added: tuple[int, ...] = (50, 100, 200, 300, 500, 700, 1000)
    draws: int = 10
    predictor: str = "cnn"
    settings: tuple[tuple[str, int], ...] = (("steps", 1000),)
    generator: tuple[tuple[str, int], ...] = ()
    dimensions: int = 2

    @property
    def name(self) -> str:
        """The beginning of the names of its files."""
        parts = ["augmentation", "3d" * (self.dimensions == 3), self.predictor * (self.predictor != "cnn")]
        return "_".join(filter(None, [*parts, "quick" * self.is_quick]))

    @property
    def is_quick(self) -> bool:
        """Whether trainings are too short for more than a first look."""
        return bool(self.generator)

    @property
    def can_do_without_symmetries(self) -> bool:
        """Whether the predictor can be told not to learn by symmetries."""
        return "symmetries" in signature(PREDICTORS.find(self.predictor)).parameters


QUICK = Scope(("youngs_modulus",), (25, 100), (200,), 1, settings=(("steps", 300),), generator=QUICK_GENERATORS)
VOLUMES = Scope(added=(50, 100, 200, 500), draws=6, settings=(), dimensions=3)


class Study:
    """The sets of a scan and what predictors learn of them.

    Args:
        rock: ``(400, 400, 400)`` uint8.
        scope: how much is measured.
        keep: the folder of labels and generators.
    """

    def __init__(self, rock: np.ndarray, scope: Scope, keep: Path) -> None:
        self.scope = scope
        self.store = LabelStore(keep / "labels")
        self.context = ModelContext(ArtifactStore(keep / "artifacts"), HERE)
        size = self.size = 64 if scope.dimensions == 2 else 32
        # Slices of training 5 apart; nothing of it within 8 voxels of the validation, which is 20 from the test.
        shuffled = np.random.default_rng(0).permutation
        learnt = windows(rock, size, scope.dimensions, range(0, 165, 5))
        held = windows(rock, size, scope.dimensions, range(174 if scope.dimensions == 2 else 168, 200, 5))
        learnt, held = learnt[shuffled(len(learnt))], held[shuffled(len(held))]
        self.train, self.spare = learnt[:TRAIN], learnt[TRAIN:]
        self.validation = held[:VALIDATION]
        self.test = windows(rock, size, scope.dimensions, range(220, 400, 10))

    def labelled(self, microstructures: Microstructures, property_: str) -> LabelledSet:
        """Look up or compute a property."""
        simulators = SIMULATORS if self.scope.dimensions == 2 else OF_VOLUMES
        return LabelledSet(microstructures, simulate(microstructures, [simulators[property_]], self.store))

    def measure(self, case: Case) -> float:
        """Fit the predictor of a case; its R2."""
        seed = case.draw % SEEDS
        train = self.labelled(self.authentic(case.authentic, seed), case.property)
        if case.added:
            pool = self.pool(case.source, case.authentic, seed)
            chosen = np.random.default_rng([1, case.draw]).permutation(len(pool))[: case.added]
            if len(chosen) < case.added:
                raise SystemExit(f"{case.source} has only {len(pool)} windows to add, not {case.added}")
            train = train + self.labelled(pool[chosen], case.property)
        without = {} if case.symmetries else {"symmetries": False}
        predictor = PREDICTORS.build(Component(self.scope.predictor, {**dict(self.scope.settings), **without}))
        held, test = self.labelled(self.validation, case.property), self.labelled(self.test, case.property)
        predictor.fit(train.microstructures, train.labels, (held.microstructures, held.labels), seed=case.draw)
        return r2(predictor, test.microstructures, test.labels)[case.property]

    def authentic(self, count: int, seed: int) -> Microstructures:
        """The authentic windows that are learnt from: for each seed others."""
        return self.train[np.random.default_rng([0, seed]).permutation(TRAIN)[:count]]

    @cache  # noqa: B019  one study a process
    def pool(self, source: str, count: int, seed: int) -> Microstructures:
        """The microstructures that a source offers to be added to ``count`` authentic ones."""
        largest = self.scope.added[-1]
        if source == AUTHENTIC:
            return self.spare
        if source == PROCESS:
            window = Window(self.size, dimensions=self.scope.dimensions)
            return Sandstone(VOXEL).split(window, {"pool": largest}, seed)["pool"]
        if source == GAUSSIAN:
            few = self.authentic(count, seed)
            return gaussian_field(few[np.arange(largest) % count], seed)
        component = Component(source)
        if source == FIXED_MRF:
            component = Component("mrf", {"model": "tree", "fraction": "fixed"})
        settings = _taken(component.kind, dict(self.scope.generator)) | dict(component.settings)
        # Generators learn from images alone; what they are labelled with is no matter.
        sets = [self.labelled(m, self.scope.properties[0]) for m in (self.authentic(count, seed), self.validation)]
        task = GeneratorTask(Component(component.kind, settings), *sets, seed)
        return load_generator(fit_generator(task, self.context), self.context).draw(largest, seed)


def cases(scope: Scope, sources: list[str]) -> Iterator[Case]:
    """All cases, draw by draw, so that an interrupted run has something of each.

    Volumes take minutes to learn from, so symmetries are left out of one draw alone, of nothing added and of rock.
    """
    most, all_of_them = scope.added[-1], scope.authentic[-1]
    bare = sources if scope.dimensions == 2 else [source for source in sources if source == AUTHENTIC]
    for draw, p in product(range(scope.draws), scope.properties):
        is_bare = scope.can_do_without_symmetries and (scope.dimensions == 2 or draw == 0)
        ways = (True, False) if is_bare else (True,)
        for count, symmetries in product(scope.authentic, ways):
            yield Case(p, count, NONE, 0, draw, symmetries)
            if PERTURBATIONS in sources:
                yield Case(p, count, PERTURBATIONS, min(10 * count, most), draw, symmetries)
        for count, source in product(scope.authentic[:1] if scope.is_quick else scope.authentic, sources):
            yield Case(p, count, source, most, draw, True)
        if scope.is_quick:
            continue
        for source, symmetries in product(bare, ways[1:]):
            yield Case(p, all_of_them, source, most, draw, symmetries)
        for added, source in product(scope.added[:-1], sources):
            yield Case(p, all_of_them, source, added, draw, True)


def _taken(kind: str, settings: dict[str, int]) -> dict[str, int]:
    """Those of the settings that the generator has."""
    return {name: value for name, value in settings.items() if name in signature(GENERATORS.find(kind)).parameters}


def main() -> None:
    """Measure what is not kept yet, and write page, table and figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path, help="berea.zip")
    parser.add_argument("--quick", action="store_true", help="Young's modulus alone, one draw, short trainings")
    parser.add_argument("--volumes", action="store_true", help="volumes of 32^3 in place of sections of 64^2")
    parser.add_argument("--properties", nargs="+", choices=SIMULATORS, help="by name; all three by default")
    parser.add_argument(
        "--sources", nargs="+", help="what is added; by default rock, the process model, all generators"
    )
    parser.add_argument("--draws", type=int, help="of each case")
    parser.add_argument("--authentic", nargs="+", type=int, help="how many authentic windows are learnt from")
    parser.add_argument("--added", nargs="+", type=int, help="how many microstructures are added to them")
    parser.add_argument("--predictor", choices=PREDICTORS.names(), help="cnn by default; others as they are by default")
    parser.add_argument("--keep", type=Path, default=Path("runs/augmentation"), help="folder of labels and generators")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scope = QUICK if arguments.quick else VOLUMES if arguments.volumes else Scope()
    asked = {name: getattr(arguments, name) for name in ("draws", "authentic", "added", "properties")}
    scope = replace(
        scope, **{name: value if name == "draws" else tuple(value) for name, value in asked.items() if value}
    )
    if arguments.predictor not in (None, "cnn"):
        scope = replace(scope, predictor=arguments.predictor, settings=())
    known = GENERATORS.names() if scope.dimensions == 3 else OF_IMAGES
    sources = arguments.sources or [AUTHENTIC, PROCESS, GAUSSIAN, *known, *([FIXED_MRF] if "mrf" in known else [])]

    label = [field.name for field in fields(Case)]
    kept = KeptRows(HERE / f"{scope.name}.json", label)
    todo = [case for case in dict.fromkeys(cases(scope, sources)) if not kept.find(**vars(case))]
    study = Study(berea(arguments.image), scope, arguments.keep) if todo else None
    for number, case in enumerate(todo, start=1):
        assert study is not None
        start = time.perf_counter()
        score = study.measure(case)
        seconds = time.perf_counter() - start
        kept.keep({**vars(case), "r2": score, "seconds": round(seconds, 1)})
        print(f"{number}/{len(todo)}  {case}: {score:.3f} ({seconds:.1f} s)", flush=True)

    results = {Case(**{name: row[name] for name in label}): row["r2"] for row in kept.rows}
    page.write(HERE / f"{scope.name}.md", results)
    page.draw(HERE / f"{scope.name}.png", results)
    print(json.dumps({"goals": page.goals(results)}))


if __name__ == "__main__":
    main()
