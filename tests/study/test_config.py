"""Study files: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matopt.data.sources.base import SOURCES
from matopt.design.settings import DesignSettings
from matopt.errors import InputError
from matopt.generators.base import GENERATORS
from matopt.physics.base import SIMULATORS
from matopt.registry import Component, content_key
from matopt.stages.keys import stage_key
from matopt.study.config.differences import differences
from matopt.study.config.study import Study, load_study
from matopt.study.config.study_file import read_study_file

HERE = Path(__file__).parent
EXAMPLE = (HERE / "example.yaml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("parts.py", "radii.csv", "example.yaml"):
        shutil.copy(HERE / name, tmp_path)
    return tmp_path


def edited(folder: Path, old: str, new: str) -> Path:
    assert EXAMPLE.count(old) == 1, old
    path = folder / "example.yaml"
    path.write_text(EXAMPLE.replace(old, new))
    return path


# ------------------------------------------------------------------------------------------------ what a file means


def test_a_study_holds_components_that_can_be_built_from_any_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    study = load_study("example.yaml")
    monkeypatch.chdir("/")
    assert study.storage == folder / "runs" and study.folder == folder
    assert SOURCES.build(study.source, study.folder).table == str(folder / "radii.csv")
    assert [SIMULATORS.build(s).property.name for s in study.simulators] == ["youngs_modulus", "diffusivity"]
    assert SIMULATORS.build(study.simulators[1]).grain_diffusivity == 0.01
    assert GENERATORS.build(study.generator, study.folder).latent_dim == 8
    assert [trait.kind for trait in study.traits] == ["hashin_shtrikman", "parts.py:Mine"]
    assert (study.window.size, study.window.stride, study.split["test"]) == (64, 32, 10)
    assert list(study.objectives) == ["r2", "morphology_distance"]


def test_a_baseline_named_without_settings_has_those_of_the_study_if_it_is_its_own_kind(folder):
    study = load_study(folder / "example.yaml").with_parameters({"generator.morphology_weight": 3.0})
    assert study.baselines["parts.py:Latent"] == study.generator
    assert study.baselines["parts.py:Latent"].settings["morphology_weight"] == 3.0
    assert study.baselines["parts.py:Plain"].settings["steps"] == 5


def test_the_objective_that_is_selected_by_comes_first(folder):
    path = edited(folder, "  trials: 3\n", "  trials: 3\n  select: morphology_distance\n")
    assert list(load_study(path).objectives) == ["morphology_distance", "r2"]


def test_the_configuration_is_whole_plain_and_reads_back_as_itself(folder):
    study = load_study(folder / "example.yaml")
    whole = json.loads(json.dumps(study.as_json))
    assert whole["generator"] == {
        "kind": "parts.py:Latent", "latent_dim": 8, "morphology_weight": 1.0, "style": "random", "pull": "auto",
        "is_flipped": True, "steps": 1, "shape": [8, 8],
    }  # fmt: skip
    assert whole["data"]["source"]["table"] == "radii.csv"
    assert whole["search"]["space"]["augmentation.size"] == {"choice": [0, 50]}
    (folder / "again.yaml").write_text(json.dumps({k: v for k, v in whole.items() if v is not None}))
    assert differences(study.as_json, load_study(folder / "again.yaml").as_json) == []


# --------------------------------------------------------------------------------------------------------- errors

WRONG = [
    ("seed: 7", "seed: seven", 'seed: must be a whole number, got "seven"'),
    ("seed: 7", "seed: -1", "seed: must be at least 0, got -1"),
    ("name: example", "name: a/b", 'it names a folder, got "a/b"'),
    ("stride: 32", "strid: 32", "data.window.strid: no such key; did you mean 'stride'?"),
    ("size: 64", "size: 64.5", "data.window.size: must be a whole number, got 64.5"),
    ("train: 10, ", "", "data.split.train: is missing"),
    ("radius: 3", "radius: -3", "data.source.radius: radius must be positive, got -3"),
    ("radius: 3, ", "", "data.source.radius: is missing; 'parts.py:Grains' needs it"),
    ("table: radii.csv", "table: radi.csv", "data.source.table: there is no "),
    ("youngs_modulus, ", "young_modulus, ", "no simulators called 'young_modulus'; did you mean 'youngs_modulus'?"),
    ("diffusivity: {grain", "diffusvity: {grain", "physics.diffusvity: no such key; did you mean 'diffusivity'?"),
    ("grain_diffusivity:", "boundaryy:", "physics.diffusivity.boundaryy: 'diffusivity' has no such setting; did"),
    ("grain_diffusivity: 1e-2", "boundary: fixedd", "got \"fixedd\"; did you mean 'fixed'?"),
    ("latent_dim: 8,", "latent_dim: 0,", "generator.latent_dim: latent_dim must be at least 1, got 0"),
    ("latent_dim: 8,", "latent_dims: 8,", "'parts.py:Latent' has no such setting; did you mean 'latent_dim'?"),
    ("latent_dim: 8,", "pull: many,", "generator.pull: must be a number, or 'auto', got \"many\""),
    ("latent_dim: 8,", "is_flipped: yes,", 'generator.is_flipped: must be true or false, got "yes"'),
    ("steps: 1}", "steps: -1}", "generator.steps: must be at least 1, got -1"),
    ("steps: 1}", "shape: [3, x]}", 'generator.shape[1]: must be a whole number, got "x"'),
    ('kind: "parts.py:Mean"', "kind: cn", "predictor.kind: no predictors called 'cn'; did you mean 'cnn'?"),
    ('kind: "parts.py:Mean", ', "", "predictor.kind: must be the name of one of the predictors; there are: cnn"),
    ("learning_rate: 1e-3", "learning_rate: 2", "predictor: the rate must be in (0, 1]"),
    ("  hashin_shtrikman: {", "  hashin_strikman: {", "no traits called 'hashin_strikman'; did you mean 'hashin_sh"),
    ('  "parts.py:Mine":', '  "parts.py:NotATrait":', "is not a Trait; derive it from matopt.traits.base.Trait"),
    ('  "parts.py:Mine":', '  "parts.py:Min":', "parts.py has no class 'Min'"),
    ("{weight: 0.1}", "{weight: [0.1]}", "traits.hashin_shtrikman.weight: must be a number, got [0.1]"),
    ("trials: 3", "trials: 3\n  min_complete: 4", "search.min_complete: asks for more complete trials than the 3 that"),
    ("trials: 3", "trials: 3\n  sampler: tpee", "no samplers called 'tpee'; did you mean 'tpe'?"),
    ("trials: 3", "trials: 3\n  select: r4", "search.select: 'r4' is not among the objectives; there are: r2, morph"),
    ("{r2: maximize, ", "{r2: minimize, ", "search.objectives.r2: r2 is better the other way: maximize"),
    ("{r2: maximize, ", "{r3/diffusivity: maximize, ", "no such objective; did you mean 'r2/diffusivity'?"),
    ("{r2: maximize, ", "{'parts.py:Roughness': maximize, ", "parts.py:Roughness is better the other way: minimize"),
    ("{r2: maximize, ", "{'parts.py:Roughnes': minimize, ", "parts.py has no class 'Roughnes'"),
    ("{r2: maximize, ", "{'parts.py:Mine': minimize, ", "parts.py:Mine is not a Metric; derive it from matopt.stag"),
    ("{r2: maximize, ", "{'parts.py:Roughness/diffusivity': minimize, ", "no such objective; there are: "),
    ("{r2: maximize, ", "{s2_eror: minimize, ", "no such objective; did you mean 's2_error'?"),
    ('  "parts.py:Mine":', '  "parts.py:OfAreas":', "it says nothing about youngs_modulus and diffusivity; leave"),
    ("validation: 10", "validation: 1", "data.split.validation: must be at least 2, as its spread is measured, got 1"),
    ("morphology_weight: {log", "morfology_weight: {log", "'parts.py:Latent' has no such setting; did you mean 'morph"),
    ("log: [1e-2, 1e3]", "log: [0, 1e3]", "search.space.generator.morphology_weight: log needs numbers above 0"),
    ("log: [1e-2, 1e3]", "lin: [1, 2]", "must be one of {uniform: [low, high]}, {log: [low, high]}"),
    ("int: [8, 32]", "int: [-8, 32]", "search.space.generator.latent_dim: -8 cannot be used: latent_dim must be at l"),
    ("int: [8, 32]", "uniform: [8, 32]", "must be a whole number, got 8.0; search whole numbers by {int: [low, high]}"),
    ("choice: [0, 50]", "choice: [0, many]", 'augmentation.size: "many" cannot be used: must be a whole number'),
    ("augmentation.size:", "data.window.size:", "a search may change only what is under generator, predictor, augment"),
    ("generator.latent_dim: {int: [8, 32]}", "generator.kind: {choice: ['parts.py:Latent', 'parts.py:Plain']}",
     "search.space.generator.kind: generator.latent_dim: 'parts.py:Plain' has no such setting"),
    ("sizes: [50, 100]", "sizes: [50, 50]", "evaluation.sizes: holds something twice: [50, 50]"),
    ("draws: 2", "draws: two", 'evaluation.draws: must be a whole number, got "two"'),
    ('{kind: "parts.py:Plain", steps: 5}', '"parts.py:Latent"', "generators[1]: parts.py:Latent is listed twice"),
    ("steps: 5}", "steps: 0}", "evaluation.generators[1].steps: must be at least 1, got 0"),
    ("timeout: 600", "timeout: 0", "resources.timeout: must be more than 0"),
    ("timeout: 600", "device: gpu", 'resources.device: must be cpu, cuda, cuda:0 or mps, got "gpu"; did you m'),
    ("timeout: 600", "device: cuda:1", 'must be cpu, cuda or mps, got "cuda:1": Ray gives each process its device'),
    ("trials: 2", "trials: 0", "resources.trials: must be at least 1, or 'auto', got 0"),
    ("timeout: 600", "timeout: 1e30", "resources.timeout: must be at most 1000000000"),
    ("seed: 7", "seed: 9223372036854775808", "seed: must be at most 9223372036854775807, got 9223372036854775808"),
    ("table: radii.csv", "table: $NOWHERE/r.csv", "data.source.table: '$NOWHERE/r.csv': the variable NOWHERE is not"),
    ("table: radii.csv", "table: s3://b/radii.csv", "data.source.table: 's3://b/radii.csv' is an address (s3:)"),
    ("{weight: 0.1}", "{weight: -5}", "traits.hashin_shtrikman.weight: weight must be at least 0, and finite; got -5"),
    ("grain_diffusivity: 1e-2", "tolerance: 0", "physics.diffusivity.tolerance: tolerance must be between 0 and 1"),
    ("grain_diffusivity: 1e-2", "max_iterations: 0", "physics.diffusivity.max_iterations: max_iterations must be"),
    ("augmentation.size: {choice: [0, 50]}", "augmentation: {size: {choice: [0, 50]}}",
     "search.space.augmentation: must not be a section; write the dotted name, augmentation.size: {"),
    ("resources:", "tracking: {uri: ftp://x}\nresources:", "tracking.uri: must be null"),
    ("resources:", "tracking: {uri: 'https://ada:pw@h.org'}\nresources:", "tracking.uri: holds a user or a password"),
    ("resources:", "design: {property: porosity}\nresources:", "design.property: 'porosity' is not simulated"),
    ("resources:", "resourcesz:", "resourcesz: no such key; did you mean 'resources'?"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WRONG, ids=[new or f"no {old}" for old, new, _ in WRONG])
def test_an_error_names_file_line_and_key_and_what_would_be_right(folder, old, new, message):
    path = edited(folder, old, new)
    with pytest.raises(InputError) as caught:
        load_study(path)
    found = next((line for line in str(caught.value).splitlines() if message in line), None)
    assert found is not None, caught.value
    first = EXAMPLE[: EXAMPLE.index(old)].count("\n") + 1
    assert found.startswith(tuple(f"{path}:{line}: " for line in range(first, first + 1 + new.count("\n"))))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (f"seed={'9' * 40}", "seed: must be at most 9223372036854775807, got 999"),
        (
            f"generator.steps={'9' * 40}",
            "generator.steps: must be at most 9223372036854775807, as a whole number, got 999",
        ),
        (f"data.window.size={'9' * 40}", "data.window.size: must be at most 9223372036854775807, got 999"),
        (f"name={'x' * 300}", "name: must have 200 bytes at most, as it names folders and models, got 300"),
        (f"name={'ä' * 101}", "name: must have 200 bytes at most, as it names folders and models, got 202"),
        (f"storage={'/x' * 1800}", "storage: its path is 3600 bytes long; 3071 leave room for the files in it"),
        (f"storage={'x' * 256}", "storage: xxxxxxxxxx"),
        ("storage=ftp://b/runs", "storage: ftp://b/runs: a storage is a folder, or s3://"),
        ("storage=$NOWHERE/runs", "storage: '$NOWHERE/runs': the variable NOWHERE is not set"),
        (f"data.source.table={'x' * 256}", "data.source.table: xxxxxxxxxx"),
    ],
    ids=lambda text: text[:20],
)
def test_what_no_disk_and_no_library_takes_is_told_before_anything_begins(folder, override, message):
    with pytest.raises(InputError) as caught:
        load_study(folder / "example.yaml", [override])
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_an_objective_of_an_older_study_file_is_refused_with_the_name_of_the_new_one(folder):
    overrides = ["search.objectives={interpretability: maximize}", "search.space={}"]
    with pytest.raises(InputError, match=r"interpretability is no longer computed, .*; write response_skill"):
        load_study(folder / "example.yaml", overrides)


def test_a_metric_may_be_asked_for_by_property_and_by_part(folder):
    for part in ("youngs_modulus", "constant_porosity"):
        name = f"response_skill/{part}"
        overrides = [f"search.objectives={{{name}: maximize}}", "search.space={}"]
        assert name in load_study(folder / "example.yaml", overrides).objectives
    with pytest.raises(InputError, match="no such objective; did you mean 'response_skill/constant_porosity'"):
        load_study(folder / "example.yaml", ["search.objectives={response_skill/constant_porosities: maximize}"])


@pytest.mark.parametrize("metric", ["parts.py:Likeness"])
def test_a_metric_of_traits_needs_traits(folder, metric):
    overrides = [f"search.objectives={{{metric}: maximize}}", "search.space={}"]
    assert metric in load_study(folder / "example.yaml", overrides).objectives
    with pytest.raises(
        InputError, match=f"{metric} is computed of traits, and there are none; name some under 'traits'"
    ):
        load_study(folder / "example.yaml", [*overrides, "traits={}"])


def test_a_trait_that_says_nothing_about_the_properties_is_refused(folder):
    overrides = ["physics={properties: [permeability]}", "search.space={}"]
    assert load_study(folder / "example.yaml", [*overrides, "traits={monotonicity: {}}"]).traits
    with pytest.raises(InputError, match=r"traits\.hashin_shtrikman: it says nothing about permeability; leave it out"):
        load_study(folder / "example.yaml", [*overrides, "traits={hashin_shtrikman: {}, monotonicity: {}}"])


@pytest.mark.parametrize(
    ("predictor", "pruning", "said"),
    [
        ("cnn", "{}", "the training of CNN does not foretell morphology_distance; to prune trials however good they"),
        ("cnn", "{objectives: [r3]}", "'r3' is not among the objectives; there are: r2, morphology_distance"),
        ("cnn", "{objectives: [morphology_distance]}", "the training of CNN does not foretell morphology_distance"),
        ("parts.py:Mean", "{objectives: [r2]}", "the training of Mean does not foretell r2, nor any other objective"),
        ("voigt_reuss", "{}", "the training of VoigtReuss does not foretell r2, nor any other objective"),
        ("cnn", "{first: 1.0}", "must be less than 1"),
        ("cnn", "{factor: 1}", "must be at least 2"),
        ("cnn", "{objectives: [r2]}", ""),
        ("ensemble", "{objectives: [r2], first: 0.1, factor: 3, startup: 8}", ""),
    ],
)
def test_a_trial_is_pruned_only_for_what_its_training_foretells(folder, predictor, pruning, said):
    changes = [f"predictor={{kind: '{predictor}'}}", f"search.pruning={pruning}"]
    if not said:
        assert load_study(folder / "example.yaml", changes).config.search.pruning.objectives == ("r2",)
        return
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        load_study(folder / "example.yaml", changes)
    assert len(str(caught.value).splitlines()) == 1


def test_a_property_of_the_users_own_is_searched_and_designed_by_its_name(folder):
    overrides = ["physics={properties: [parts.py:Area]}", "traits={}", "search.space={}"]
    named = [*overrides, "search.objectives={r2/area: maximize}", "design={property: area}"]
    assert list(load_study(folder / "example.yaml", named).objectives) == ["r2/area"]
    with pytest.raises(InputError, match=r"design\.property: 'aria' is not simulated; did you mean 'area'\?"):
        load_study(folder / "example.yaml", [*named, "design={property: aria}"])


def test_a_trait_that_only_the_search_names_must_apply_too(folder):
    path = edited(folder, "traits.parts.py:Mine.weight: {", "traits.parts.py:OfAreas.weight: {")
    with pytest.raises(
        InputError, match=r"traits\.parts\.py:OfAreas\.weight: 0.0 cannot be used: .*it says nothing about"
    ):
        load_study(path)


def test_the_search_follows_from_the_text_of_a_metric_of_the_users_own(folder):
    (folder / "metric.py").write_text((folder / "parts.py").read_text())
    overrides = ["search.objectives={metric.py:Roughness: minimize}"]
    assert load_study(folder / "example.yaml", overrides).metrics == (Component("metric.py:Roughness"),)
    before = [load_study(folder / "example.yaml", overrides).inputs(stage) for stage in ("data", "search")]
    with (folder / "metric.py").open("a") as file:
        file.write("\n# edited\n")
    after = [load_study(folder / "example.yaml", overrides).inputs(stage) for stage in ("data", "search")]
    assert before[0] == after[0] and before[1] != after[1]


def test_paths_are_read_from_the_environment_and_stored_as_they_are_written(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("LAB", str(folder))
    study = load_study(edited(folder, "table: radii.csv", "table: ~/radii.csv"), ["storage=$LAB/runs"])
    assert study.storage == folder / "runs" and study.as_json["storage"] == "$LAB/runs"
    assert study.source.settings["table"] == str(folder / "radii.csv")
    assert study.as_json["data"]["source"]["table"] == "~/radii.csv"
    (folder / "parts.py").rename(folder / "mine (2).py")
    text = EXAMPLE.replace("parts.py:", "$LAB/mine (2).py:")
    (folder / "example.yaml").write_text(text)
    study = load_study(folder / "example.yaml")
    assert GENERATORS.build(study.generator, study.folder).latent_dim == 8
    before = study.inputs("search")
    with (folder / "mine (2).py").open("a") as file:
        file.write("# edited\n")
    assert study.inputs("search") != before


def test_a_dimension_of_the_search_is_set_by_its_dotted_name(folder):
    for override in ("generator.steps={int: [1, 7]}", "generator.steps.int=[1, 7]"):
        space = load_study(folder / "example.yaml", [f"search.space.{override}"]).as_json["search"]["space"]
        assert space["generator.steps"] == {"int": [1, 7]} and len(space) == 5


def test_every_error_has_a_line_of_its_own_in_the_order_of_the_file(folder):
    path = edited(folder, "size: 64", "size: big")
    path.write_text(path.read_text().replace("seed: 7", "seed: x").replace("draws: 2", "draws: 0"))
    with pytest.raises(InputError) as caught:
        load_study(path)
    places = [line.split(": ")[1] for line in str(caught.value).splitlines()]
    assert places == ["seed", "data.window.size", "evaluation.draws"]


def keys(tree: object, key: tuple = ()) -> list[tuple]:
    items = tree.items() if isinstance(tree, dict) else []
    return [key] * bool(key) + [k for name, item in items for k in keys(item, (*key, name))]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
    | st.sampled_from(["vae", "parts.py:Mine", "parts.py:", "mean", "cnn", "youngs_modulus", "kind"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["kind", "size", "a.b", "log", "choice", "properties"]), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


def test_a_value_that_would_break_the_line_is_shown_escaped(folder):
    with pytest.raises(InputError) as caught:
        load_study(edited(folder, "name: ", 'name: "a\\x85b\\u2028" #'))
    assert len(str(caught.value).splitlines()) == 1 and "\\u0085b\\u2028" in str(caught.value)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_value_is_replaced_by_there_is_a_study_or_an_input_error(folder, data):
    text = read_study_file(HERE / "example.yaml")
    key = data.draw(st.sampled_from(keys(text.tree)))
    value = data.draw(PLAIN)
    (folder / "study.yaml").write_text(json.dumps(text.with_value(key, value, "here").tree))
    complaint = ""
    try:
        assert isinstance(load_study(folder / "study.yaml"), Study)
    except InputError as error:
        complaint = str(error)
    assert all(line.startswith(str(folder / "study.yaml")) for line in complaint.splitlines())


# ------------------------------------------------------------------------------------------- overrides, parameters


def test_an_override_is_read_and_checked_like_the_file(folder):
    path = folder / "example.yaml"
    study = load_study(path, ["search.trials=9", "generator.morphology_weight=1e-1", "traits.parts.py:Mine.weight=2",
                              "evaluation.sizes=[5, 6]", "tracking.uri=null", "storage=/elsewhere"])  # fmt: skip
    assert study.config.search.trials == 9
    assert study.generator.settings["morphology_weight"] == 0.1
    assert study.traits[1].settings["weight"] == 2.0
    assert study.config.evaluation is not None and study.config.evaluation.sizes == (5, 6)
    assert study.storage == Path("/elsewhere")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search.trials=x", '--set search.trials=x: search.trials: must be a whole number, got "x"'),
        ("searchh.trials=4", "--set searchh.trials=4: searchh: no such key; did you mean 'search'?"),
        ("search.trialss=4", "--set search.trialss=4: search.trialss: no such key; did you mean 'trials'?"),
        ("search.trials", "--set search.trials: write it as key=value"),
        ("search.trials=[1", "--set search.trials=[1: not YAML"),
        ("name.first=1", "--set name.first=1: 'first' cannot be set inside \"example\""),
        ("generator.steps=0", "--set generator.steps=0: generator.steps: must be at least 1, got 0"),
    ],
)
def test_a_wrong_override_is_named_in_place_of_a_line(folder, override, message):
    with pytest.raises(InputError) as caught:
        load_study(folder / "example.yaml", [override])
    assert str(caught.value).startswith(message)


def test_a_point_of_the_search_is_a_study_of_its_own(folder):
    study = load_study(folder / "example.yaml")
    point = study.with_parameters(
        {"generator.latent_dim": 12, "augmentation.size": 0, "traits.parts.py:Mine.weight": 0.5}
    )
    assert (point.generator.settings["latent_dim"], point.config.augmentation.size) == (12, 0)
    assert point.traits[1] == Component("parts.py:Mine", {"weight": 0.5})
    assert study.generator.settings["latent_dim"] == 8
    with pytest.raises(InputError, match=r"parameter generator\.latent_dim=0: generator\.latent_dim: latent_dim must"):
        study.with_parameters({"generator.latent_dim": 0})


def test_differences_are_told_key_by_key(folder):
    old = load_study(folder / "example.yaml").as_json
    new = load_study(folder / "example.yaml", ["search.trials=4", "traits={}", "search.select=r2"]).as_json
    assert differences(old, old) == []
    assert differences(old, new) == [
        "traits: (not set) -> {}",
        "search.trials: 3 -> 4",
        'search.select: null -> "r2"',
        "traits.hashin_shtrikman.weight: 0.1 -> (not set)",
        "traits.parts.py:Mine.weight: 0.0 -> (not set)",
    ]


def test_a_stage_depends_on_its_own_sections_and_on_the_text_of_users_files(folder):
    def key(stage: str, *overrides: str) -> str:
        return content_key(load_study(folder / "example.yaml", overrides).inputs(stage))

    search, data = key("search"), key("data")
    assert key("search", "search.trials=50", "name=other", "resources.trials=1", "evaluation.draws=3") == search
    assert key("search", "predictor.replicas=2") != search
    assert key("data", "predictor.replicas=2") == data != key("data", "seed=8")
    with (folder / "parts.py").open("a") as file:
        file.write("\n# edited\n")
    assert key("search") != search


def test_not_a_number_is_not_a_setting(folder):
    study = load_study(folder / "example.yaml")
    for number in (math.nan, math.inf):
        with pytest.raises(InputError, match=r"must be a (finite )?number"):
            study.with_parameters({"generator.morphology_weight": number})


@pytest.mark.parametrize("path", sorted((HERE.parents[1] / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_that_is_shipped_is_whole(path, request):
    image = yaml.safe_load(path.read_text())["data"]["source"].get("path")
    found = request.getfixturevalue("shared_data") / Path(image).name if image else None
    study = load_study(path, [f"data.source.path={found}"] if found else [])
    assert study.config.name == path.stem
    assert json.loads(json.dumps(study.as_json))


DESIGN = "design: {property: diffusivity, seeds: 4, steps: 5}\nresources:"


def test_the_other_keys_of_the_design_are_settings_of_its_optimiser(folder):
    limits = "limits: {youngs_modulus: [1.0e+9, null]}"
    study = load_study(
        edited(folder, "resources:", DESIGN.replace("steps: 5", f"steps: 5, optimiser: adam, step_size: 0.1, {limits}"))
    )
    assert study.design == DesignSettings(
        property="diffusivity",
        seeds=4,
        steps=5,
        limits={"youngs_modulus": (1e9, None)},
        spaces=(Component("latent", {"quantile": 0.95}), Component("pixel")),
        optimiser=Component("adam", {"step_size": 0.1, "draws": 64}),
    )
    section = study.as_json["design"]
    assert (section["steps"], section["optimiser"], section["step_size"]) == (5, "adam", 0.1)
    assert section["spaces"] == [{"kind": "latent", "quantile": 0.95}, "pixel"]
    (folder / "again.yaml").write_text(json.dumps(study.as_json))
    assert load_study(folder / "again.yaml").as_json == study.as_json


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("step: 5", "design.step: no such key; did you mean 'steps'?"),
        ("within: 5", "design.within: no such key"),
        (
            "rate: 0.1",
            "design.rate: no such key; there are: property, goal, porosity_tolerance, limits, against, against_goal, "
            "start_porosity, seeds, steps, n_checked, batch_size, spaces, optimiser, baselines, physics_seeds, rounds, "
            "draws",
        ),
        ("steps: 0", "design.steps: must be at least 1, got 0"),
        ("n_checked: 1", "design.n_checked: must be at least 2, got 1"),
        ("goal: more", "design.goal: must be"),
        ("porosity_tolerance: -1", "design.porosity_tolerance: must be at least 0, got -1"),
        ("limits: {permeability: [2.0, 1.0]}", "design.limits: of permeability must be [least, most], got [2.0, 1.0]"),
        ("against: colour, start_porosity: 0.2", "design.against: 'colour' is not simulated"),
        ("against: youngs_modulus", "design.start_porosity: must be given with against: designs of one front share"),
        (
            "against: youngs_modulus, start_porosity: 0.2, goal: 0",
            "design.goal: must be above 0, as diffusivity is weighed by its logarithm, got 0",
        ),
        ("start_porosity: 20", "design.start_porosity: must be above 0 and below 1, got 20"),
        ("limits: {colour: [2.0, null]}", "design.limits.colour: 'colour' is not simulated"),
        ("optimiser: draw_and_screen", "design.optimiser: draw_and_screen needs a space that can draw"),
        ("baselines: [luck]", "design.baselines[0]: must be"),
        ("rounds: -1", "design.rounds: must be at least 0, got -1"),
        ("spaces: [pixel], rounds: 1", "design.rounds: rounds are made in a space that knows the material; add latent"),
        ("steps: many", 'design.steps: must be a whole number, got "many"'),
        ("optimiser: adam, step_size: 0", "design.step_size: step_size must be above 0, got 0"),
        ("spaces: [latnt]", "design.spaces[0]: no spaces called 'latnt'; did you mean 'latent'?"),
        ("spaces: [pixel, pixel]", "design.spaces[1]: pixel is listed twice; keep one"),
        ("spaces: pixel", 'design.spaces: must be a list of spaces, like [latent, pixel, resampling], got "pixel"'),
        ("spaces: [{kind: latent, quantile: 2}]", "design.spaces[0].quantile: quantile must be above 0 and at most 1"),
        ('spaces: ["parts.py:NotATrait"]', "design.spaces[0]: parts.py:NotATrait is not a Space; derive it from"),
        ("optimiser: adm", "design.optimiser: no optimisers called 'adm'; did you mean 'adam'?"),
        ("optimiser: {kind: adam}", "design.optimiser: must be the name of an optimiser, whose settings"),
        ('optimiser: "parts.py:Mine"', "design.optimiser: parts.py:Mine is not an Optimiser; derive it from"),
        ('optimiser: "parts.py:annotations"', "design.optimiser: parts.py:annotations is not an Optimiser"),
        ('optimiser: "parts.py:Plain"', "design.optimiser: its setting 'steps' is a key of every design; rename it"),
    ],
)
def test_a_wrong_setting_of_the_design_is_named(folder, setting, message):
    path = edited(folder, "resources:", DESIGN.replace("steps: 5", setting))
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert f":28: {message}" in str(caught.value)


def test_a_space_and_an_optimiser_of_a_users_own_are_named_in_the_study(folder):
    for name in ("dilation.py", "random_steps.py"):
        shutil.copy(HERE.parent / "design" / name, folder)
    own = 'spaces: [{kind: "dilation.py:Dilation", largest: 3}], optimiser: "random_steps.py:RandomSteps", spread: 0.5'
    study = load_study(edited(folder, "resources:", DESIGN.replace("steps: 5", own)))
    assert study.design.spaces == (Component("dilation.py:Dilation", {"largest": 3.0}),)
    assert study.design.optimiser == Component("random_steps.py:RandomSteps", {"spread": 0.5})
    keys = {stage_key("design", study.design, code="matopt.stages.design", folder=folder)}
    for name in ("dilation.py", "random_steps.py"):
        with (folder / name).open("a") as file:
            file.write("# edited\n")
        keys.add(stage_key("design", study.design, code="matopt.stages.design", folder=folder))
    assert len(keys) == 3
    with pytest.raises(InputError, match=r"design\.larges: no such key; .*spread"):
        load_study(folder / "example.yaml", ["design.larges=2"])


def test_a_design_in_latent_space_needs_a_generator_that_has_one(folder):
    path = edited(folder, "resources:", DESIGN)
    path.write_text(
        path.read_text().replace('"parts.py:Latent", latent_dim: 8, steps: 1', '"parts.py:Plain", steps: 1')
    )
    with pytest.raises(InputError, match=r"design\.spaces: parts\.py:Plain has no latent space; write \[pixel\]"):
        load_study(path, ["search.space={}"])


def test_a_generator_of_volumes_is_refused_where_windows_are_images(folder):
    path, message = folder / "example.yaml", "slices_to_volume draws volumes, and windows are images"
    for place, setting in {
        "generator": "generator={kind: slices_to_volume, steps: 5}",
        "evaluation.generators[0]": "evaluation={generators: [slices_to_volume]}",
        "search.space": "search.space={generator.kind: {choice: [vae, slices_to_volume]}}",
    }.items():
        with pytest.raises(InputError, match=re.escape(f"{place}: {message}")):
            load_study(path, [setting])
    assert load_study(path, ["evaluation={generators: [slices_to_volume]}", "data.window.dimensions=3"])


def test_a_password_in_an_address_is_repeated_in_no_message(folder):
    for uri in (
        "https://ada:secret@h.org",
        "postgresql://ada:secret@h.org/x",
        "ada:secret@h.org",
        "http://h.org/?secret",
    ):
        with pytest.raises(InputError, match=r"tracking\.uri: ") as caught:
            load_study(folder / "example.yaml", [f"tracking.uri={uri}"])
        assert "secret" not in str(caught.value)
