"""A record is what it was, after it was saved and loaded without running any code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from matopt.microstructures import Microstructures
from matopt.properties import Property, PropertyTable
from matopt.registry import Component
from matopt.stages.audit import AuditRow
from matopt.stages.codec import pack, unpack
from matopt.stages.data import Dataset, LabelledSet
from matopt.stages.dataset import SavedDataset
from matopt.stages.records import (
    CurvePoint,
    DesignResult,
    Evaluation,
    GeneratorResult,
    SampleSet,
    SpaceResult,
)
from matopt.stages.responses.skill import ResponseSkill


def saved_and_loaded(record: Any) -> Any:
    file = BytesIO()
    torch.save(pack(record), file)
    file.seek(0)
    return unpack(type(record), torch.load(file, weights_only=True))


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if is_dataclass(one):
        for f in fields(one):
            assert_same(getattr(one, f.name), getattr(other, f.name))
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and one.shape == other.shape
        assert torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)
    elif isinstance(one, np.ndarray):
        assert one.dtype.kind == other.dtype.kind and one.shape == other.shape
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, tuple | list):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            assert_same(mine, theirs)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_same(one[name], other[name])
    else:
        assert one == other


def samples(n: int, sheet: torch.Tensor) -> SampleSet:
    return SampleSet(sheet, torch.rand(n).double(), torch.rand(n, 2).double(), torch.rand(n, 2) < 0.5)


def evaluation(generators: int, audit: int) -> Evaluation:
    return Evaluation(
        properties=("youngs_modulus", "permeability"),
        authentic=samples(5, torch.ones(3, 8, 8, dtype=torch.uint8)),
        generators=tuple(
            GeneratorResult(f"g{i}", f"key{i}", {"s2_error": 0.1 * i}, samples(4, torch.rand(2, 8, 8).half()))
            for i in range(generators)
        ),
        curve=(CurvePoint("authentic", 0, 0, {"youngs_modulus": 0.5, "permeability": float("inf")}),),
        predicted=torch.rand(5, 2),
        audit=tuple(AuditRow(f"t{i}", 0.1, 0.2, 0.3, 0.4) for i in range(audit)),
        skills=tuple(ResponseSkill("blocks", i, "p", 0.1, 0.0, 0.15, 0.2, 3) for i in range(audit)),
    )


def design(spaces: int) -> DesignResult:
    space = SpaceResult(
        space="pixel",
        role="design",
        checked=(0, 2, 4),
        predicted=torch.rand(3, 3),
        true=torch.rand(3, 3).double(),
        usable=torch.ones(3, 3, dtype=torch.bool),
        volume_fraction=torch.rand(3, 3).double(),
        distance=torch.full((3, 3), float("nan")),
        limit=None if spaces else 0.25,
        snapshots=torch.randint(0, 2, (3, 3, 8, 8), dtype=torch.uint8),
        solves=torch.full((3,), 7),
        morphology_distance=(0.5, 0.25, 0.125),
    )
    return DesignResult("youngs_modulus", 3e10 if spaces else "maximize", 0.01, (space,) * spaces, (space,))


@pytest.mark.parametrize(
    "record",
    [evaluation(2, 3), evaluation(0, 0), design(2), design(0), Component("vae", {"steps": 3, "of": [1.5, None]})],
    ids=["evaluation", "least evaluation", "design", "no design", "component"],
)
def test_every_record_comes_back_as_it_was(record: Any) -> None:
    assert_same(saved_and_loaded(record), record)


@pytest.mark.parametrize("n", [3, 0])
def test_a_dataset_comes_back_with_the_properties_of_the_simulators(n: int) -> None:
    columns = (Property("p", "p", "1", "1"), Property("q", "q", "Pa", "GPa", 1e-9, "log", (("modulus", 37e9),)))
    status = np.array([["ok", "non_percolating"], ["not_converged", "ok"], ["ok", "ok"]])[:n]
    images = Microstructures(np.random.default_rng(0).integers(0, 2, (n, 6, 6), np.uint8), 1e-6)
    split = LabelledSet(images, PropertyTable(columns, np.full((n, 2), np.pi), status, np.full((n, 2), 1e-9)))
    found = saved_and_loaded(SavedDataset.of(Dataset(split, split, split))).restored(columns)
    assert_same(found, Dataset(split, split, split))
    assert found.train.key == split.key


@dataclass(frozen=True)
class Kinds:
    array: np.ndarray
    text: np.ndarray
    pair: tuple[str, float]
    nested: Mapping[str, tuple[CurvePoint, ...]]
    listed: list[CurvePoint]
    perhaps: CurvePoint | None
    either: int | str
    number: float
    added: int = 3
    more: list[int] = field(default_factory=lambda: [1])


POINT = CurvePoint("vae", 5, 0, {"p": 0.5})
KINDS = Kinds(
    np.arange(6, dtype=np.int32).reshape(2, 3),
    np.array([["a", ""], ["bc", "é"]]),
    ("a", 1.0),
    {"x": (POINT,), "y": ()},
    [POINT],
    POINT,
    "word",
    float(np.float64(0.1)),
)


def test_every_kind_of_field_comes_back_as_it_was() -> None:
    assert_same(saved_and_loaded(KINDS), KINDS)
    nothing = Kinds(np.zeros((0, 2)), np.zeros((0, 2), "U4"), ("", 0.0), {}, [], None, 7, 0.0, 4, [])
    assert_same(saved_and_loaded(nothing), nothing)


def test_a_numpy_number_is_saved_as_a_plain_one() -> None:
    point = CurvePoint("vae", np.int64(5), 0, {"p": np.float64(0.5)})  # ty: ignore[invalid-argument-type]
    assert_same(saved_and_loaded(point), POINT)


def test_what_a_payload_has_beyond_the_record_is_left_alone_and_what_it_lacks_takes_its_default() -> None:
    payload = pack(KINDS) | {"unknown": torch.zeros(3)}
    del payload["added"], payload["more"]
    assert_same(unpack(Kinds, payload), KINDS)


def test_a_field_without_a_default_must_be_there() -> None:
    payload = pack(KINDS)
    del payload["array"], payload["number"]
    with pytest.raises(KeyError, match="Kinds lacks array, number"):
        unpack(Kinds, payload)


def test_of_a_view_only_what_is_seen_is_saved() -> None:
    file = BytesIO()
    torch.save(pack(samples(1, torch.zeros(1000, 64, 64)[:1])), file)
    assert file.tell() < 64 * 64 * 4 + 10_000


@pytest.mark.parametrize("value", [Path("x"), {1, 2}, b"bytes", np.array([object()]), lambda: 0])
def test_what_would_need_code_to_be_read_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        pack(CurvePoint("vae", value, 0, {}))
