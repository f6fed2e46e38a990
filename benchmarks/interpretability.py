"""Which score foretells whether a model designs well? A zoo of models, what they foretell, and what came of designs.

Usage: python benchmarks/interpretability.py berea.zip [--quick] [--seeds N] [--keep FOLDER]

Models of the stiffness of Berea sandstone, from the physics to a constant, are scored on windows that none of them has
seen: R2, the response skill, the similarity of traits that matopt once called interpretability, and violations. Each of
them then makes designs of other windows, stiffer at the same porosity: the same starts, choices and moves for all, and
the physics solves the ends. What a model measured is kept in interpretability.json beside this file and not measured
again, trained models and labels in the folder of --keep; the page interpretability.md is made anew of all rows, the
worst designs first. --quick trains for a tenth of the steps, with one seed, into files of its own: it shows that all
works, and not what is good. The last line of the output is the table of goals, as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import page
import torch
from kept_rows import KeptRows
from scipy import stats
from specimens import berea
from zoo import Rock, Zoo
from zoo_designs import Contest

from matopt.stages.audit import compare, residuals
from matopt.stages.r2 import r2
from matopt.stages.responses.reference import CONSTANT_POROSITY, Responses, responses
from matopt.stages.responses.skill import mean_skill, response_skill
from matopt.traits.base import TRAITS, PropertyModel

HERE = Path(__file__).parent
GOAL = 0.9
AUDITED = 8
OLD = ("hashin_shtrikman", "monotonicity")
"""The traits whose similarity was called interpretability."""

SCORES = ("R2", "skill", "skill, constant porosity", "skill, single moves", "correlation", "old similarity")
GAINS = ("gain", "screened", "climbed")


Correlations = dict[tuple[str, str], tuple[float, float, float]]


class Judge:
    """What every model is measured by: the same windows, moves and starts."""

    def __init__(self, zoo: Zoo, contest: Contest, windows: int) -> None:
        rock = self._rock = zoo.rock
        self._physics = zoo.physics
        self._contest = contest
        self.responses: Responses = responses(rock.test, rock.label, windows=windows)
        self._audited = rock.test.microstructures[:AUDITED].density()
        self._traits = [TRAITS.find(name)() for name in TRAITS.names()]
        self._reference = residuals(self._physics, self._audited, self._traits)

    def row(self, name: str, seed: int, model: PropertyModel) -> dict:
        start = time.process_time()
        rows = response_skill(model, self.responses)
        test = self._rock.test
        ours = residuals(model, self._audited, self._traits, properties=self._physics.properties)
        alike = [np.maximum(0, 1 - np.abs(ours[t] - self._reference[t])).mean() for t in OLD]
        designs = self._contest.run(model)
        return {
            "model": name,
            "seed": seed,
            "gain": float(designs.gained.mean()),
            "error": float(designs.gained.std(ddof=1) / len(designs.gained) ** 0.5),
            "promised": float(designs.promised.mean()),
            "screened": float(designs.screened.mean()),
            "climbed": float(designs.climbed.mean()),
            "R2": r2(model, test.microstructures, test.labels)["youngs_modulus"],
            "skill": mean_skill(rows),
            "skill, constant porosity": mean_skill(rows, CONSTANT_POROSITY),
            "skill, single moves": float(np.mean([r.skill for r in rows if r.steps == 1])),
            "correlation": float(np.mean([r.correlation for r in rows])),
            "old similarity": float(np.mean(alike)),
            **{f"{r.trait}": r.model_residual for r in compare(ours, self._reference)},
            "seconds": time.process_time() - start,
        }


def means(rows: list[dict]) -> list[dict]:
    """One row a model, the mean over its seeds; worst designs first."""
    found = []
    for name in dict.fromkeys(row["model"] for row in rows):
        of_model = [row for row in rows if row["model"] == name]
        columns = [c for c in of_model[0] if c not in ("model", "seed", "seconds")]
        mean = {c: float(np.mean([row[c] for row in of_model])) for c in columns}
        found.append({"model": name, "seeds": len(of_model), **mean})
    return sorted(found, key=lambda row: row["gain"])


def ranks(rows: list[dict], score: str, gain: str) -> tuple[float, float, float]:
    """Spearman's correlation of a score with a gain, and its 95 % interval: models drawn with replacement."""
    pairs = np.array([[row[score], row[gain]] for row in rows])
    random, found = np.random.default_rng(0), []
    while len(found) < 2000:
        drawn = pairs[random.integers(len(pairs), size=len(pairs))]
        if (drawn.std(0) > 0).all():
            found.append(_spearman(drawn))
    return (_spearman(pairs), *np.quantile(found, [0.025, 0.975]).tolist())


def _spearman(pairs: np.ndarray) -> float:
    return float(np.corrcoef(stats.rankdata(pairs, axis=0), rowvar=False)[0, 1])


def write(path: Path, rows: list[dict], correlations: Correlations, blind: float) -> None:
    shown = ("model", "seeds", "gain", "promised", "screened", "climbed", *SCORES, *TRAITS.names())
    zoo = [{c: round(v, 3) if isinstance(v := row[c], float) else v for c in shown} for row in means(rows)]
    ranked = [
        {
            "score": score,
            **{f"with {gain}": "{:.2f} [{:.2f}, {:.2f}]".format(*correlations[score, gain]) for gain in GAINS},
        }
        for score in SCORES
    ]
    path.write_text(
        "# Which score foretells designs\n\n"
        "Stiffness of Berea sandstone, windows of 64^2, designs of the same porosity, solved by the physics, in GPa. "
        "Gain: the model chose the start among forty windows and then climbed; over the mean of the forty. Screened: "
        "its choice alone. Climbed: the climb alone, from starts that are the same for all; whoever takes every move "
        f"gains {blind:.1f}. Worst designs first; the last columns are mean residuals of traits.\n\n"
        f"{page.table(zoo)}\n\n## Rank correlation over the models, with 95 % intervals\n\n{page.table(ranked)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="a tenth of the training, one seed, few designs")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each model")
    parser.add_argument("--keep", type=Path, default=HERE / "kept", help="where models and labels are kept")
    parser.add_argument("--models", nargs="+", help="only these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    quick, seeds = arguments.quick, 1 if arguments.quick else arguments.seeds
    rock = Rock(berea(arguments.scan), arguments.keep)
    zoo = Zoo(rock, 60 if quick else 600, arguments.keep / "models")
    contest = Contest(rock, starts=8, moves=10) if quick else Contest(rock)
    judge = Judge(zoo, contest, windows=20 if quick else 400)
    path = HERE / ("interpretability_quick.json" if quick else "interpretability.json")
    kept = KeptRows(path, ("model", "seed"), ["youngs_modulus"], version=3)
    for seed in range(seeds):
        for name, make in zoo.members.items():
            is_trained = name not in ("physics", "physics, half the resolution", "constant", "knows porosity alone")
            is_known = kept.find(model=name, seed=seed) is not None
            if is_known or (seed and not is_trained) or (arguments.models and name not in arguments.models):
                continue
            row = judge.row(name, seed, make(seed))
            kept.keep(row)
            print(name, seed, {c: round(v, 3) for c, v in row.items() if isinstance(v, float)}, flush=True)
    averaged = means(kept.rows)
    correlations = {(score, gain): ranks(averaged, score, gain) for score in SCORES for gain in GAINS}
    write(path.with_suffix(".md"), kept.rows, correlations, contest.blind())
    print(path.with_suffix(".md").read_text())
    skill, plain = correlations["skill", "gain"][0], correlations["R2", "gain"][0]
    goals = {
        "rank correlation of response skill and true gain": [skill, GOAL, skill >= GOAL],
        "the same of R2, to be below": [plain, skill, plain < skill],
    }
    print(json.dumps({"goals": goals}))


if __name__ == "__main__":
    main()
