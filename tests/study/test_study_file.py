"""YAML as a study file takes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matopt.errors import InputError
from matopt.study.config.study_file import read_study_file, read_value


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**12), 10**12))
def test_every_number_is_read_as_it_was_written(number):
    for text in {repr(number), f"{number:.17e}", f"{number:.17g}"}:
        value = read_value(text, "here")
        assert value == number and isinstance(value, float | int)
    assert isinstance(read_value(f"{int(number)}", "here"), int)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("94.5e9", 94.5e9), ("1e3", 1000.0), (".5", 0.5), ("010", 10), ("no", "no"), ("on", "on"),
     ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), ("true", True), ("~", None), ("", None), ("'1'", "1"),
     ("5.345 um", "5.345 um"), ("[1, 2.0]", [1, 2.0]), ("1_000", "1_000"), (".nan", ".nan"),
     ("/data/run #1", "/data/run #1"), ("'a #b'", "a #b"), ("a#b", "a#b")],
)  # fmt: skip
def test_scalars_mean_what_they_look_like(text, value):
    read = read_value(text, "here")
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", ":3: not YAML"),
        ("a: 1\na: 2\n", ":2: the study: 'a' is given twice"),
        ("x:\n  a: &n 1\n  b: *n\n", "anchors and aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", "a: the tag !!python/object/apply:os.system is not read"),
        ("", "holds no study"),
        ("- 1\n", "holds no study"),
        ("\ta: 1\n", ":1: not YAML"),
        ("a: 1e999\n", ":1: a: 1e999 is too large"),
        ("a: " + "[" * 1100, "nested too deeply"),
        ("a: \x00\n", "not YAML"),
    ],
)
def test_a_file_that_is_no_study_is_one_line(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_study_file(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named_with_the_nearest(tmp_path):
    (tmp_path / "example.yaml").touch()
    with pytest.raises(InputError, match=r"no study file .*examplez.yaml; did you mean .*example.yaml\?"):
        read_study_file(tmp_path / "examplez.yaml")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_study_file(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_study_file(tmp_path / "binary.yaml")
