"""Whatever sections a study has, it runs to its report, and the report says which it has not."""

from __future__ import annotations

import html
import shutil
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from matopt.cli.report import report_writer
from matopt.study.config.study import load_study
from matopt.study.launch import launch
from matopt.study.results import finished

HERE = Path(__file__).parent
FILE = "../my parts (2)/größe#1.py"
NOISE, SOLID = f"{FILE}:Noise", f"{FILE}:Solid"


BASE = {
    "name": "größe",
    "seed": 202611251408,
    "data": {
        "source": {"kind": f"{FILE}:Dots"},
        "window": {"size": 24},
        "split": {"train": 9, "validation": 3, "test": 2},
    },
    "physics": {"properties": ["diffusivity"]},
    "generator": {"kind": NOISE},
    "predictor": {"kind": f"{FILE}:Linear", "floor": 1e-3},
    "resources": {"timeout": 120},
}
ALL = {
    **BASE,
    "physics": {"properties": ["diffusivity", SOLID]},
    "traits": {"monotonicity": {"weight": 0.1}},
    "search": {"objectives": {"r2/solid": "maximize", "response_skill": "maximize"}},
    "evaluation": {"generators": [NOISE], "sizes": [1, 2], "draws": 2},
    "design": {
        "property": "solid", "against": "diffusivity", "start_porosity": 0.3,
        "spaces": ["pixel"], "seeds": 2, "steps": 2, "n_checked": 2,
    },
}  # fmt: skip


@st.composite
def sections(draw: st.DrawFn) -> dict:
    """A study of seconds with any of its optional sections, of the least or of a little more."""
    properties = draw(st.sampled_from([[SOLID], ["diffusivity"], ["diffusivity", SOLID]]))
    split = {"train": draw(st.sampled_from([3, 9])), "validation": 3, "test": draw(st.sampled_from([2, 6]))}
    study = {
        **BASE,
        "data": {**BASE["data"], "split": split},
        "physics": {"properties": properties},
        "generator": {"kind": NOISE},
    }
    if draw(st.booleans()):
        study["augmentation"] = {"size": draw(st.sampled_from([0, 3]))}
    if "diffusivity" in properties and draw(st.booleans()):
        study["traits"] = draw(st.sampled_from([{"monotonicity": None}, {"monotonicity": {"weight": 0.1}}]))
    search = draw(st.sampled_from([None, {}, {"trials": 2}, "one fails", "sampled"]))
    if search == "one fails":
        study["generator"]["fail_above"] = 3
        search = {"trials": 2, "space": {"generator.width": {"choice": [3, 7]}}, "sampler": "grid"}
    elif search == "sampled":
        samplers = ["tpe", "gp", "nsga3", "qmc", {"kind": "nsga2", "population_size": 2}]
        search = {
            "trials": 3,
            "startup": 1,
            "space": {"generator.width": {"int": [1, 7]}, "predictor.ridge": {"uniform": [0, 0.1]}},
            "sampler": draw(st.sampled_from(samplers)),
        }
    if search is not None:
        names = ["r2", "response_skill", "morphology_distance", "grey_share"]
        metrics = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        directions = {"r2": "maximize", "response_skill": "maximize"}
        study["search"] = {**search, "objectives": {m: directions.get(m, "minimize") for m in metrics}}
    if draw(st.booleans()):
        study["evaluation"] = {
            "generators": draw(st.sampled_from([[NOISE], [{"kind": NOISE, "width": 5}]])),
            "sizes": draw(st.sampled_from([[1], [2, 4]])),
            "draws": draw(st.sampled_from([1, 2])),
        }
    if draw(st.booleans()):
        seeds, steps = draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 3]))
        property_ = "solid" if properties == [SOLID] else "diffusivity"
        study["design"] = {"property": property_, "spaces": ["pixel"], "seeds": seeds, "steps": steps, "n_checked": 2}
    return study


def figures_of(study: dict) -> set[str]:
    """The figures that a study asks for."""
    names = {"search"}
    if "evaluation" in study:
        names |= {"samples", "properties", "augmentation", "parity", "responses"} | (
            {"traits"} if "traits" in study else set()
        )
    names |= {"front"} if study.get("design", {}).get("against") else set()
    return names | ({"morphing", "ascent", "designs", "film"} if "design" in study else set())


def run(study: dict) -> None:
    temporary = Path(tempfile.mkdtemp())
    folder = temporary / "study"
    try:
        folder.mkdir()
        (folder / FILE).parent.mkdir()
        shutil.copy(HERE / "tiny_components.py", folder / FILE)
        (folder / "tiny.yaml").write_text(yaml.safe_dump(study))
        loaded = load_study(folder / "tiny.yaml", [f"storage={folder / 'runs'}"])
        result = launch(loaded, make_report=report_writer(loaded))
        page, *pictures = result.report
        assert {path.stem for path in pictures} == figures_of(study)
        assert all(path.is_file() and path.with_suffix(".csv").is_file() for path in pictures)
        text = html.unescape(page.read_text(encoding="utf-8"))
        assert ("as the study asks for no evaluation." in text) == ("evaluation" not in study)
        assert ("as the study asks for no design." in text) == ("design" not in study)
        assert ("as the study names no traits." in text) == ("evaluation" in study and "traits" not in study)
        shutil.rmtree(page.parent)
        assert report_writer(loaded)(finished(loaded)) == result.report
    finally:
        shutil.rmtree(temporary)


@pytest.mark.parametrize("study", [BASE, ALL], ids=["least", "all"])
def test_a_study_of_the_least_or_of_all_sections_runs_to_its_report(study: dict) -> None:
    run(study)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(study=sections())
def test_studies_of_many_sections_run_to_their_reports(study: dict) -> None:
    run(study)
