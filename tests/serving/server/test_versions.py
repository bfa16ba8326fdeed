"""Versions: the folders that count as versions, and the policies that choose among them."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.file_system_storage_path_source_pb2 import (
    FileSystemStoragePathSourceConfig,
)

from tfdepthviz.serving.server import versions

POLICIES = [
    ("", {12}),
    ("latest {}", {12}),
    ("latest { num_versions: 1 }", {12}),
    ("latest { num_versions: 2 }", {12, 3}),
    ("latest { num_versions: 9 }", {12, 3, 2}),
    ("all {}", {12, 3, 2}),
    ("specific { versions: 2 }", {2}),
    ("specific { versions: 2 versions: 12 versions: 7 }", {2, 12}),
]


@pytest.mark.parametrize("text, expected", POLICIES)
def test_policies(text, expected):
    policy = FileSystemStoragePathSourceConfig.ServableVersionPolicy()
    assert versions.to_serve(text_format.Parse(text, policy), {2, 3, 12}) == expected
    assert versions.to_serve(policy, set()) == set()


def test_names_of_version_folders(tmp_path):
    for name in ("1", "007", "20", "-3", "4.5", "five", ".6.part", "8 ", "٩", str(2**63)):
        (tmp_path / name).mkdir()
    (tmp_path / "30").write_text("a file")
    folders = versions.on_disk(tmp_path)
    assert folders == {n: str(tmp_path / name) for n, name in ((1, "1"), (7, "007"), (20, "20"))}


def test_missing_base_path_and_no_version(tmp_path):
    assert versions.on_disk(tmp_path / "nowhere") is None
    assert versions.on_disk(tmp_path) == {}
