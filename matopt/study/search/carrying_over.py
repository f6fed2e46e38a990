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
from matopt.registry import Component, Registry, content_key
from matopt.stages.data import Dataset
from matopt.stages.keys import component_identity, stage_key
from matopt.stages.metrics.base import METRICS
from matopt.stages.trial import run_trial
from matopt.study.config.study import Study
from matopt.study.config.study_file import split_key
from matopt.study.search.ledger import Identity, Ledger
from matopt.study.space import Plain, suggest
from matopt.traits.base import TRAITS


class Identities:
    """Says what the results of a study's trials follow from.

    Args:
        study: what is the same for all of its trials counts, as it is now.
        dataset: that its trials learn from.
    """

    def __init__(self, study: Study, dataset: Dataset) -> None:
        metrics = [Component(name) for name in METRICS.names()]
        fixed = (study.simulators, metrics, dataset.train, dataset.validation)
        self._fixed = stage_key("trial", *fixed, code=run_trial.__module__, folder=study.folder)
        self._known: dict[str, dict[str, Any]] = {}

    def of(self, study: Study) -> Identity:
        """The identity of a trial at the settings of ``study``."""
        settings = study.trial
        found = [self._settings(GENERATORS, settings.generator, study)]
        found += [self._settings(PREDICTORS, settings.predictor, study)]
        found += [self._settings(TRAITS, t, study) for t in sorted(settings.traits, key=lambda trait: trait.kind)]
        key = content_key(self._fixed, found, settings.augmentation, settings.seed)
        return Identity(key, {metric.kind: component_identity(metric, study.folder) for metric in settings.metrics})

    def _settings(self, registry: Registry[Any], component: Component, study: Study) -> dict[str, Any]:
        """All settings of a component, those that are left out too, and what its class is made of."""
        if component.kind not in self._known:
            defaults = _defaults(registry.find(component.kind, study.folder))
            self._known[component.kind] = {**defaults, **component_identity(Component(component.kind), study.folder)}
        return {**self._known[component.kind], **component.settings}


def carry_over(study: Study, dataset: Dataset, ledger: Ledger) -> int:
    """Enter the complete trials of earlier searches that are points of this one; returns how many there were.

    To be called while the ledger holds no trial. A grid begins anew: it keeps count of its points by itself.
    """
    if study.sampler.kind == "grid":
        return 0
    identities = Identities(study, dataset)
    own = identities.of(study).metrics
    carried: set[str] = set()
    for earlier in ledger.elsewhere():
        key = earlier.identity.key
        if key in carried or any(earlier.identity.metrics.get(m) != found for m, found in own.items()):
            continue
        point = _point_in(study, earlier.params)
        if point is None or identities.of(study.with_parameters(point[0])).key != key:
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


def _defaults(kind: type) -> dict[str, Any]:
    parameters = inspect.signature(kind).parameters.values()
    return {
        p.name: p.default for p in parameters if p.default is None or isinstance(p.default, bool | int | float | str)
    }
