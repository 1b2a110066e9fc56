"""Keys to file names and back."""

import contextlib
import json
import os
import pathlib

import hypothesis
import hypothesis.strategies as st
import pytest

from volant_core.blobstore import layout

VECTORS = json.loads((pathlib.Path(__file__).parent / "layout.json").read_text())
keys = st.lists(
    st.one_of(st.sampled_from(["", ".", "..", "~", "%", "%7E", "~m", "a"]), st.text(max_size=8)),
    min_size=1,
    max_size=6,
).map("/".join)


@pytest.mark.parametrize("vector", VECTORS["files"], ids=lambda v: v["key"][:20])
def test_vectors(vector):
    assert layout.path_of(vector["key"]) == vector["path"]
    assert layout.key_of(vector["path"]) == vector["key"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda v: v["because"])
def test_refused(vector):
    with pytest.raises(layout.InvalidKeyError, match=vector["because"]):
        layout.path_of(vector["key"])


def test_lone_surrogates_are_refused():
    with pytest.raises(layout.InvalidKeyError):
        layout.path_of("a\ud800")


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None)
@hypothesis.given(keys)
def test_every_key_comes_back_and_stays_in_its_folder(key):
    try:
        path = layout.path_of(key)
    except layout.InvalidKeyError:
        return
    assert layout.key_of(path) == key
    *folders, name = path.split("/")
    assert all(folder.endswith("~") and folder.count("~") == 1 for folder in folders)
    assert "~" not in name
    assert not {"", ".", ".."} & {name, *(folder.removesuffix("~") for folder in folders)}
    assert os.path.normpath(path) == path


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None)
@hypothesis.given(keys, keys)
def test_two_keys_never_share_a_file(one, other):
    with contextlib.suppress(layout.InvalidKeyError):
        assert (layout.path_of(one) == layout.path_of(other)) == (one == other)


@pytest.mark.parametrize("bucket", ["volant", "my-s3-bucket", "a.b.c", "abc", "0" * 63])
def test_bucket_names(bucket):
    layout.check_bucket(bucket)


@pytest.mark.parametrize(
    "bucket", ["", "ab", "..", "a..b", "A23", "a/b", ".abc", "abc-", "a_b", "0" * 64, "abc\n", "a\x00c"]
)
def test_not_bucket_names(bucket):
    with pytest.raises(layout.InvalidKeyError):
        layout.check_bucket(bucket)
