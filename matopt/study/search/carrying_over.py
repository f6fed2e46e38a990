"""Trials that a changed search need not run again: those of the study's earlier searches that lie in its space.

A trial's result follows from its settings, its data and code, not from the space that its point was chosen in. So a
search with another dimension keeps the trials at the value that the study had for it; a narrower space those inside it;
one with other objectives all whose metrics were computed.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import optuna

from matopt.errors import InputError
from matopt.generators.base import GENERATORS
from matopt.predictors.base import PREDICTORS
from matopt.registry import Component, Registry
from matopt.stages.data import Dataset
from matopt.stages.keys import component_identity, stage_key
from matopt.stages.metrics.base import METRICS
from matopt.stages.trial import run_trial
from matopt.study.config.study import Study
from matopt.study.config.study_file import split_key
from matopt.study.search.ledger import Identity, Ledger
from matopt.study.space import Plain, suggest
from matopt.traits.base import TRAITS


def identity_of(study: Study, dataset: Dataset) -> Identity:
    """Say what the result of a trial at the settings of ``study`` follows from."""
    settings = study.trial
    key = stage_key(
        "trial",
        _written_out(GENERATORS, settings.generator, study),
        _written_out(PREDICTORS, settings.predictor, study),
        sorted((_written_out(TRAITS, trait, study) for trait in settings.traits), key=lambda trait: trait.kind),
        settings.augmentation,
        settings.seed,
        study.simulators,
        [Component(name) for name in METRICS.names()],
        dataset.train,
        dataset.validation,
        code=run_trial.__module__,
        folder=study.folder,
    )
    own = {metric.kind: component_identity(metric, study.folder) for metric in settings.metrics}
    return Identity(key, own)


def carry_over(study: Study, dataset: Dataset, ledger: Ledger) -> int:
    """Enter the complete trials of earlier searches that are points of this one; returns how many there were.

    To be called while the ledger holds no trial. A grid begins anew: it keeps count of its points by itself.
    """
    if study.sampler.kind == "grid":
        return 0
    own = identity_of(study, dataset).metrics
    carried: set[str] = set()
    for earlier in ledger.elsewhere():
        key = earlier.identity.key
        if key in carried or any(earlier.identity.metrics.get(m) != found for m, found in own.items()):
            continue
        point = _point_in(study, earlier.params)
        if point is None or identity_of(study.with_parameters(point[0]), dataset).key != key:
            continue
        if ledger.adopt(*point, earlier):
            carried.add(key)
    return len(carried)


def _point_in(
    study: Study, params: Mapping[str, Plain]
) -> tuple[dict[str, Plain], Mapping[str, optuna.distributions.BaseDistribution]] | None:
    """The point of the study's space that has these parameters, and else the study's own; None where it has none."""
    space = study.config.search.space
    fixed = {name: params[name] if name in params else _own_value(study, name) for name in space}
    trial = optuna.trial.FixedTrial(fixed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # all that it does about a value outside
            point = suggest(space, trial)
        study.with_parameters(point)
    except (ValueError, UserWarning, InputError):  # outside, or a setting that this kind does not have
        return None
    return (point, trial.distributions) if point == fixed else None


def _own_value(study: Study, name: str) -> Any:
    """The value of a setting where the search does not change it: what is written, else the default of its class."""
    *path, last = split_key(name, study.as_json)
    section: Any = study.as_json
    for part in path:
        section = section.get(part, {}) if isinstance(section, Mapping) else {}
    if last in section or "kind" not in section:
        return section.get(last)
    for registry in (GENERATORS, PREDICTORS):
        if section["kind"] in registry.names() or ".py:" in section["kind"]:
            return _defaults(registry.find(section["kind"], study.folder)).get(str(last))
    return None


def _written_out(registry: Registry[Any], component: Component, study: Study) -> Component:
    """A component with all its settings, so that one that is left out is what it is by default."""
    defaults = _defaults(registry.find(component.kind, study.folder))
    return Component(component.kind, {**defaults, **component.settings})


def _defaults(kind: type) -> dict[str, Any]:
    parameters = inspect.signature(kind).parameters.values()
    return {
        p.name: p.default for p in parameters if p.default is None or isinstance(p.default, bool | int | float | str)
    }
