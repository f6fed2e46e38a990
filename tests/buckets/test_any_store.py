"""What holds of a bucket in a store of any kind: conditions, files and their objects, pages."""

import pytest
from object_store import keys

from matopt.buckets.bucket import Bucket
from matopt.buckets.copies import fetch, follow, forget, is_there, keep, listed
from matopt.buckets.pages import Pages
from matopt.errors import FailureError


@pytest.fixture
def copy(anywhere, tmp_path):
    scheme, _, name = anywhere[0].partition("://")
    return tmp_path / "cache" / "matopt-buckets" / scheme / name / "lab"


def test_of_two_who_make_an_object_one_is_told_that_it_is_there(anywhere):
    bucket = Bucket(anywhere[0])
    first = bucket.put_if("lease", b"mine", None)
    assert first and bucket.put_if("lease", b"yours", None) is None
    second = bucket.put_if("lease", b"mine, later", first)
    assert second and second != first
    assert bucket.put_if("lease", b"yours", first) is None
    assert bucket.get("lease")[0] == b"mine, later"


def test_a_file_and_its_object_come_and_go_together(anywhere, copy):
    path = copy / "artifacts" / "ab" / "x.pt"
    assert not is_there(path) and not fetch(path) and not path.exists()
    keep(path, b"model")
    assert is_there(path) and keys(anywhere[1]) == ["lab/artifacts/ab/x.pt"]
    assert fetch(path) and path.read_bytes() == b"model"
    (kept,) = listed(copy)
    assert kept.path == path and kept.size == 5
    assert path.stat().st_mtime == pytest.approx(kept.modified, abs=1)
    forget(path)
    assert not is_there(path) and not path.exists() and keys(anywhere[1]) == []
    assert sorted(entry.name for entry in path.parent.iterdir()) == []  # nothing half-fetched


def test_what_is_new_or_other_in_a_folder_is_copied_and_what_is_here_alone_is_left(anywhere, copy):
    for name, content in {"a": b"1", "b": b"2", "c/d": b"3"}.items():
        keep(copy / name, content)
    there_are = follow(copy, lambda path: path.name != "b")
    assert there_are == {copy / "a", copy / "b", copy / "c" / "d"}
    assert (copy / "a").read_bytes() == b"1" and not (copy / "b").exists() and (copy / "c" / "d").read_bytes() == b"3"
    (copy / "mine").write_bytes(b"4")
    (copy / "a").write_bytes(b"other")
    follow(copy, lambda path: True)
    assert (copy / "a").read_bytes() == b"1" and (copy / "mine").exists()


@pytest.mark.parametrize("name", ["größe", "a b", "100%25", "#1 ~me? $x=1", "it's [a] {b}", "x.pages", ".here"])
def test_files_may_have_any_name(anywhere, copy, name):
    path = copy / "studies" / name / name
    keep(path, b"1")
    assert [kept.path for kept in listed(copy)] == [path] and [kept.path for kept in listed(path.parent)] == [path]
    assert fetch(path) and path.read_bytes() == b"1"
    forget(path)
    assert listed(copy) == []


def test_a_large_file_goes_in_parts_and_comes_back_whole(anywhere, copy):
    content = bytes(range(256)) * (1 << 16)  # 16 MiB
    copy.mkdir(parents=True)
    (copy / "big").write_bytes(content)
    keep(copy / "big")
    (copy / "big").unlink()
    assert fetch(copy / "big") and (copy / "big").read_bytes() == content


def test_a_file_that_grows_is_kept_in_pages_of_which_the_last_is_sent_again(anywhere, copy, monkeypatch):
    monkeypatch.setattr("matopt.buckets.pages._PAGE", 10)
    copy.mkdir(parents=True)
    path = copy / "journal"
    pages = Pages(path)
    pages.pull()
    assert not path.exists()
    whole = b""
    for length in (3, 7, 1, 25, 0, 9):
        whole += bytes([65 + length]) * length
        path.write_bytes(whole)
        pages.push()
        assert b"".join(bytes(anywhere[1].get(key).bytes()) for key in keys(anywhere[1])) == whole
    assert len(keys(anywhere[1])) == 5
    path.write_bytes(whole[:17])  # a damaged end is cut off
    pages.push()
    assert len(keys(anywhere[1])) == 2
    path.unlink()
    again = Pages(path)
    again.pull()
    assert path.read_bytes() == whole[:17]
    path.write_bytes(whole[:21])
    again.push()
    path.write_bytes(whole[:17] + b"???")
    with pytest.raises(FailureError, match="written to by another process"):
        pages.push()
    again.pull()
    assert path.read_bytes() == whole[:21]
