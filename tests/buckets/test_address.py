"""Which folder stands for which address, and what is no address of a storage."""

from pathlib import Path

import pytest

from matopt.buckets.address import is_address, make_copy, place_of, shown, working_copy
from matopt.errors import FailureError, InputError


def test_a_path_below_a_working_copy_says_which_object_it_is_a_copy_of(monkeypatch, tmp_path):
    monkeypatch.setenv("MATOPT_CACHE", str(tmp_path))
    copy = working_copy("s3://rocks/berea/v1/")
    assert copy == tmp_path / "matopt-buckets" / "s3" / "rocks" / "berea" / "v1"
    place = place_of(copy / "labels" / "x.parquet")
    assert (place.bucket, place.key) == ("s3://rocks", "berea/v1/labels/x.parquet")
    assert shown(copy) == "s3://rocks/berea/v1" and shown(working_copy("gs://rocks")) == "gs://rocks"
    assert place_of(Path("/runs/labels")) is None and shown(Path("/runs")) == "/runs"


def test_the_copy_is_in_the_users_cache_unless_another_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("MATOPT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert working_copy("s3://rocks").is_relative_to(tmp_path / "matopt")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert working_copy("s3://rocks").is_relative_to(tmp_path / ".cache" / "matopt")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://host/x", "a storage is a folder, or s3://, gs://, abfs://, abfss://"),
        ("file:///runs", "a storage is a folder"),
        ("s3://", "with the bucket's name"),
        ("s3:///prefix", "expected s3://bucket/prefix"),
        ("s3://rocks/a//b", "'' is no part of a prefix"),
        ("s3://rocks/a/../b", "'..' is no part of a prefix"),
        ("s3://rocks/a b", "'a b' is no part of a prefix"),
        ("s3://me:secret@rocks/a", "expected s3://bucket/prefix"),
    ],
)
def test_what_is_no_address_of_a_storage_is_told_in_a_line_without_passwords(address, said):
    assert is_address(address)
    with pytest.raises(InputError) as caught:
        working_copy(address)
    assert said in str(caught.value) and "\n" not in str(caught.value) and "secret" not in str(caught.value)


def test_a_path_is_no_address():
    assert not is_address("runs") and not is_address("/scratch/s3:/x") and not is_address("C:/runs")


def test_a_copy_that_cannot_be_kept_is_told_with_what_to_set(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MATOPT_CACHE", str(tmp_path / "file"))
    with pytest.raises(FailureError, match=r"the working copy of s3://rocks cannot be kept.*MATOPT_CACHE"):
        make_copy(working_copy("s3://rocks"))
