"""Objects of a bucket on a server that speaks S3: conditions, outages, and what is wrong with an address."""

import threading
import time
import warnings

import pytest
from object_store import Line, client, s3_server, store

from matopt.buckets import bucket as bucket_module
from matopt.buckets.bucket import Bucket, be_patient
from matopt.errors import FailureError, InputWarning


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(bucket_module, "_patience", bucket_module._patience)
    return be_patient


@pytest.mark.parametrize("lost", ["the request", "the answer"])
def test_a_store_that_says_nothing_is_asked_again_and_what_it_took_counts_as_put(
    there, server, monkeypatch, patience, lost
):
    monkeypatch.setitem(bucket_module._CLIENT, "read_timeout", "1s")
    silent = threading.Event()
    silent.set()

    def carry(sent):
        return b"" if silent.is_set() else sent

    line = Line(server, carry) if lost == "the request" else Line(server, answer=carry)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
    patience(30)
    threading.Timer(0.7, silent.clear).start()
    begun = time.monotonic()
    with pytest.warns(InputWarning, match=r"does not answer \((it timed out|the connection was cut)"):
        version = Bucket("s3://rocks").put_if("lease", b"mine", None)
    assert 0.7 <= time.monotonic() - begun < 10
    assert bytes(there.get("lease").bytes()) == b"mine" and there.head("lease")["e_tag"] == version["e_tag"]


def test_an_outage_is_waited_for_and_told_once(there, server, monkeypatch, patience):
    line = Line(server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
    bucket = Bucket("s3://rocks")
    bucket.put("a", b"1")
    patience(30)
    line.cut()
    threading.Timer(1.0, line.mend).start()
    begun = time.monotonic()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        bucket.put("b", b"2")
    assert 0.9 < time.monotonic() - begun < 10 and bucket.get("b")[0] == b"2"
    assert [str(w.message) for w in said] == [
        f"s3://rocks does not answer (connection refused at http://127.0.0.1:{line.port}); it is asked again, for 30 s"
        " at most"
    ]


def test_an_outage_that_stays_ends_in_a_line_and_the_patience_is_had_once(there, server, monkeypatch, patience):
    line = Line(server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
    bucket = Bucket("s3://rocks")
    bucket.put("a", b"1")
    patience(1.5)
    line.cut()
    for least, most in ((1.4, 6), (0, 0.5)):
        begun = time.monotonic()
        with pytest.raises(FailureError, match="does not answer: connection refused") as caught:
            bucket.get("a")
        assert least <= time.monotonic() - begun < most and "\n" not in str(caught.value)
    line.mend()
    assert bucket.get("a")[0] == b"1"
    line.cut()
    begun = time.monotonic()
    with pytest.raises(FailureError):
        bucket.get("a")
    assert time.monotonic() - begun > 1.4  # it had answered: another outage


def test_what_is_wrong_with_an_address_is_told_at_once_in_a_line(there, server, monkeypatch):
    with pytest.raises(FailureError, match="s3://nowhere: there is no such bucket; make it, or name another"):
        Bucket("s3://nowhere").put("a", b"")
    with pytest.raises(FailureError, match="s3://nowhere: there is no such bucket"):
        Bucket("s3://nowhere").get("a")
    with pytest.raises(FailureError, match="s3://nowhere: there is no such bucket"):
        Bucket("s3://nowhere").objects("")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1:9000")
    with pytest.raises(FailureError, match=r"its endpoint is http://, .*AWS_ALLOW_HTTP=true") as caught:
        Bucket("s3://rocks").get("a")
    assert "\n" not in str(caught.value)


def test_keys_that_are_refused_and_rights_that_are_missing_are_told_in_a_line(there, tmp_path, monkeypatch):
    with s3_server(tmp_path / "log.txt", INITIAL_NO_AUTH_ACTION_COUNT="3") as port:
        store(port, "rocks")
        users = client("iam", port)
        users.create_user(UserName="guest")
        guest = users.create_access_key(UserName="guest")["AccessKey"]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(FailureError, match=r"its credentials are refused \(InvalidAccessKeyId\)"):
            Bucket("s3://rocks").put("a", b"")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", guest["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", guest["SecretAccessKey"])
        for asked in (lambda: Bucket("s3://rocks").put("a", b""), lambda: Bucket("s3://rocks").objects("")):
            with pytest.raises(FailureError, match=r"s3://rocks/a?: access is denied \(AccessDenied\)") as caught:
                asked()
            assert "\n" not in str(caught.value)


def test_an_endpoint_that_is_none_and_no_credentials_are_told_in_a_line(there, monkeypatch, patience):
    patience(0.3)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(FailureError, match=r"s3://rocks does not answer: connection refused at http://127.0.0.1:9;"):
        Bucket("s3://rocks").get("a")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FailureError) as caught:
        Bucket("s3://rocks").get("a")
    assert str(caught.value).startswith("s3://rocks: no credentials are set: for S3 AWS_ACCESS_KEY_ID")
    assert "\n" not in str(caught.value)
