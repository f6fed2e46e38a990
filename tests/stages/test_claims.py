"""Processes that need the same model at the same time: one fits it, and where that one dies another does."""

import queue
import subprocess
import sys
import threading
from pathlib import Path

FITTER = """
import sys
from pathlib import Path

import numpy as np

from matopt.microstructures import Microstructures
from matopt.properties import PropertyTable
from matopt.registry import Component
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.data import LabelledSet
from matopt.stages.models import GeneratorTask, ModelContext, fit_generator

context = ModelContext(ArtifactStore(Path(sys.argv[2])), Path(sys.argv[1]))
images = Microstructures((np.random.default_rng(0).random((4, 8, 8)) < 0.7).astype(np.uint8), 1e-6)
data = LabelledSet(images, PropertyTable((), np.zeros((4, 0)), np.full((4, 0), "ok"), np.zeros((4, 0))))

def report(step, /, **scalars):
    if not scalars or not step:
        print("fits" if scalars else "waits", flush=True)
    return False

print("ready", flush=True)
for seed in sys.stdin:
    task = GeneratorTask(Component("tiny_components.py:Noise", {"seconds": 3.0}), data, data, int(seed))
    waited = context.artifacts.waited
    print(fit_generator(task, context, report), context.artifacts.waited - waited > 0.4, flush=True)
"""


class Fitter:
    """A process that fits what it is told to."""

    def __init__(self, store):
        components = Path(__file__).parents[1] / "study"
        command = [sys.executable, "-c", FITTER, str(components), str(store)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._said = queue.Queue()
        threading.Thread(target=lambda: [self._said.put(line.strip()) for line in self.process.stdout]).start()

    def fit(self, seed):
        self.process.stdin.write(f"{seed}\n")
        self.process.stdin.flush()

    def says(self):
        return self._said.get(timeout=120)

    def until_done(self):
        said = [self.says()]
        while said[-1] in ("fits", "waits"):
            said.append(self.says())
        return said


def test_of_two_that_need_one_model_at_once_one_fits_it_and_where_that_one_is_killed_the_other_does(tmp_path):
    first, second = fitters = [Fitter(tmp_path), Fitter(tmp_path)]
    try:
        assert [fitter.says() for fitter in fitters] == ["ready"] * 2
        for fitter in fitters:
            fitter.fit(0)
        said = [fitter.until_done() for fitter in fitters]
        (fits, keeps), (waits, *_, finds) = sorted(said)
        assert (fits, waits) == ("fits", "waits")
        assert keeps.split()[0] == finds.split()[0] and keeps.endswith(" False") and finds.endswith(" True")

        first.fit(1)
        assert first.says() == "fits"
        second.fit(1)
        assert second.says() == "waits"
        first.process.kill()
        said = second.until_done()
        assert said.count("fits") == 1
    finally:
        for fitter in fitters:
            fitter.process.kill()
