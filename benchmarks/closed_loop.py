"""Does a predictor that learns from its own designs, as the physics solved them, design better the next time?

    python benchmarks/closed_loop.py ../shared/data/berea.zip [--quick] [--seeds N] [--predictors N] [--rounds N]
        [--generator FILE] [--keep FOLDER]

The rock, the generator, the predictors of fields and the designs are those of design.py; with its folder in ``--keep``
they are not made again. After each round the predictor learns besides, from as many solves: the ends of its designs;
samples of the generator, drawn at random; or those of many samples on which predictors of three seeds differ most. It
then designs from the same starts again, all of them with the same candidates, other ones each round. Beside them stands
the predictor that learnt nothing more. Writes closed_loop.md; the last line is one of JSON: the goals, and whether they
are met. ``--quick``: ten seeds, one predictor, one round, short trainings, into a page of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import design_page
import numpy as np
import torch
from design import MODEL_SEEDS, Bench, Case
from design_models import Models, rock_of
from page import table
from specimens import berea

from matopt.design.optimisers.moves import Moves
from matopt.microstructures import Microstructures

HERE = Path(__file__).parent
NOTHING, SAMPLES, UNSURE, DESIGNS = "nothing more", "samples", "samples that predictors differ on", "its designs"
WAYS = (NOTHING, SAMPLES, UNSURE, DESIGNS)
OFFERED = 10
"""Times as many samples are offered to the choice by spread as it takes."""


class Loop:
    """Rounds of learning and designing.

    Args:
        bench: the rock, its models and what is designed with them.
        draws: that each design starts from.
    """

    def __init__(self, bench: Bench, draws: int) -> None:
        self._bench, self._models = bench, bench.models
        self._optimiser = Moves(draws)

    def run(self, seed: int, rounds: int) -> list[dict]:
        """The rows of all rounds by the predictor of a seed; the number of the first round is 0."""
        size = self._bench.seeds
        row, ends = self._round(0, NOTHING, seed, None)
        found = [row]
        offered = self._bench.generator.draw(OFFERED * size * rounds, 1000 + seed)
        at_random = offered[np.arange(rounds * size)]
        # Those that they differ on most are taken in the first round.
        unsure = offered[np.argsort(-self._spread(offered), kind="stable")[: rounds * size]]
        for number in range(1, rounds + 1):
            taken = np.arange(number * size)
            learnt = {NOTHING: None, SAMPLES: at_random[taken], UNSURE: unsure[taken], DESIGNS: ends}
            for way, further in learnt.items():
                row, its_ends = self._round(number, way, seed, further)
                found.append(row)
                if way == DESIGNS:
                    ends = Microstructures.concatenate([ends, its_ends])
        return found

    def _round(self, number: int, way: str, seed: int, further: Microstructures | None) -> tuple[dict, Microstructures]:
        """The row of a round, and the ends of its designs."""
        case = Case(_name(way, number), "fields", self._optimiser, seed=seed)
        start = time.process_time()
        predictor = self._models.predictor("fields", seed, further)
        designs = self._bench.designs(case, predictor, predictor, 100_000 * number)
        row = self._bench.row(case, designs, time.process_time() - start)
        gain = np.array(row["true"])[:, -1] - np.array(row["true"])[:, 0]
        print(f"{case.name} {seed}: {gain.mean():.1f} GPa in {row['seconds']:.0f} s", flush=True)
        return row, designs.microstructures(-1)

    def _spread(self, samples: Microstructures) -> np.ndarray:
        """``(N,)`` standard deviations of what the predictors say."""
        predictors = [self._models.predictor("fields", seed) for seed in range(MODEL_SEEDS)]
        with torch.no_grad():
            said = [torch.cat([p.predict(part) for part in samples.density().split(64)])[:, 0] for p in predictors]
        return torch.stack(said).std(0).numpy()


def _name(way: str, number: int) -> str:
    return f"round {number}, learnt from {way}"


def goals(kept: dict, rounds: int) -> dict[str, tuple[float, float, bool]]:
    """Value, goal and whether it is met, by name."""
    last = _name(DESIGNS, rounds)
    off = float(abs(_gains(kept, last, "predicted").mean() / _gains(kept, last).mean() - 1))
    found = {"gap between promise and truth after the last round": (round(off, 3), 0.05, off <= 0.05)}
    for way, words in {NOTHING: "no learning", SAMPLES: "as many samples, learnt"}.items():
        _, low, _ = _more(kept, last, _name(way, rounds))
        found[f"lower end of the gain over {words}, GPa"] = (round(low, 3), 0.0, low > 0)
    return found


def markdown(kept: dict, rounds: int) -> str:
    """The page."""
    made = [(0, NOTHING), *((number, way) for number in range(1, rounds + 1) for way in WAYS)]
    reached = [
        {"goal": name, "value": value, "wanted": wanted, "met": "yes" if is_met else "no"}
        for name, (value, wanted, is_met) in goals(kept, rounds).items()
    ]
    predictors = len(design_page.of_case(kept, _name(NOTHING, 0)))
    lines = (
        "# A predictor that learns from its designs",
        f"Berea, 64^2 voxels: {kept['rows'][0]['seeds']} designs of constant porosity by predictors of fields that "
        f"learnt from 100 windows; means over {predictors}. Each round adds as many solved microstructures to "
        "what they learn from as there are designs. Gains and mean errors of the ends in GPa, by physics; brackets: "
        "95 % interval of a mean, seeds resampled; differences are of the same starts and the same candidates.",
        table([_row(kept, *which) for which in made]),
        "## Goals",
        table(reached),
    )
    return "\n\n".join(lines) + "\n"


def _row(kept: dict, number: int, way: str) -> dict:
    name = _name(way, number)
    rows = design_page.of_case(kept, name)
    true = _gains(kept, name)
    low, high = design_page.interval(true)
    more = "{:.2f} [{:.2f}, {:.2f}]".format(*_more(kept, name, _name(NOTHING, number)))
    off = [np.array(row["predicted"])[:, -1] - np.array(row["true"])[:, -1] for row in rows]
    return {
        "round": str(number),
        "learnt besides from": way,
        "solves, each design": str(0 if way == NOTHING else number),
        "promised": float(_gains(kept, name, "predicted").mean()),
        "true": f"{true.mean():.1f} [{low:.1f}, {high:.1f}]",
        "more than without": "" if way == NOTHING else more,
        "error": float(np.abs(off).mean()),
        "inside": f"{100 * np.mean([row['inside'] for row in rows]):.0f} %",
    }


def _gains(kept: dict, name: str, of: str = "true") -> np.ndarray:
    found = design_page.gains(kept, name, of)
    assert found is not None, name
    return found


def _more(kept: dict, name: str, other: str) -> tuple[float, float, float]:
    found = design_page.difference(kept, name, other)
    assert found is not None, (name, other)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="the scan of Berea, a zip archive with berea.tif in it")
    parser.add_argument("--quick", action="store_true", help="few seeds and draws, short trainings")
    parser.add_argument("--seeds", type=int, help="designs; thirty by default, ten with --quick")
    parser.add_argument("--predictors", type=int, help="of as many seeds; three by default, one with --quick")
    parser.add_argument("--rounds", type=int, help="two by default, one with --quick")
    parser.add_argument("--generator", type=Path, help="file of the fitted generator, made where it is not there")
    parser.add_argument("--keep", type=Path, help="folder of models, draws and labels; runs/design by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    is_quick = arguments.quick
    folder = arguments.keep or Path("runs") / ("design_quick" if is_quick else "design")
    folder.mkdir(parents=True, exist_ok=True)
    generator = arguments.generator or folder / "generator.pt"
    models = Models(rock_of(berea(arguments.scan)), folder, generator, is_quick)
    seeds, rounds = arguments.seeds or (10 if is_quick else 30), arguments.rounds or (1 if is_quick else 2)
    draws, steps = (8, 10) if is_quick else (64, 60)
    loop = Loop(Bench(models, seeds, steps), draws)
    path = HERE / ("closed_loop_quick.md" if is_quick else "closed_loop.md")
    kept: dict = {"rows": []}
    for seed in range(arguments.predictors or (1 if is_quick else MODEL_SEEDS)):
        kept["rows"] += loop.run(seed, rounds)
        path.write_text(markdown(kept, rounds))
    print(json.dumps({"goals": goals(kept, rounds)}))


if __name__ == "__main__":
    main()
