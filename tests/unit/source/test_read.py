"""The files of an inventory are found, and what cannot be read is named."""

import os
from pathlib import Path

from tandem.errors import Problems
from tandem.source import Source, read
from tests.unit.sample import BILLING_1, SUITE, write


def reading(directory: Path) -> tuple[Source, list[str]]:
    problems = Problems()
    source = read(directory, problems)
    return source, sorted(str(problem) for problem in problems.found)


def test_the_path_of_a_file_is_its_path_in_the_tree(tmp_path: Path) -> None:
    source, problems = reading(write(tmp_path, {"options/installation.yml": "", BILLING_1: ""}))
    assert problems == []
    assert sorted(source.options) == [
        (), ("cluster_suite",), ("cluster_suite", "billing", "billing-1"), ("database_suite",),
    ]  # fmt: skip
    assert sorted(source.files) == [
        "installation.yml",
        SUITE,
        BILLING_1,
        "options/database_suite.yml",
        "options/installation.yml",
    ]
    assert source.files[SUITE] == (tmp_path / SUITE).read_bytes()


def test_a_missing_installation_is_named_with_its_whole_path(tmp_path: Path) -> None:
    _, problems = reading(write(tmp_path, {"installation.yml": None}))
    assert problems == [f"{tmp_path}/installation.yml: does not exist"]


def test_what_is_no_readable_file_is_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"installation.yml": None, "options/README": "x", "options/admin.yaml": "", "options/.admin.yml.swp": "x"},
    )
    (tmp_path / "installation.yml").mkdir()
    (tmp_path / "options/web_suite.yml").mkdir()
    (tmp_path / "options/other.yml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "options/pipe.yml")
    _, problems = reading(tmp_path)
    assert problems == [
        f"{tmp_path}/installation.yml: is a directory; a file belongs here",
        "options/README: is no option file; call it README.yml or move it out of options/",
        "options/admin.yaml: is no option file; call it admin.yml or move it out of options/",
        "options/other.yml: does not exist, it is a link to nothing",
        "options/pipe.yml: is not a regular file",
        "options/web_suite.yml: is a directory; a file belongs here",
    ]


def test_options_that_are_no_directory_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"options/database_suite.yml": None, SUITE: None})
    (tmp_path / "options").write_text("")
    assert reading(tmp_path)[1] == ["options: cannot be read as a directory: Not a directory"]


def test_an_inventory_may_set_no_option(tmp_path: Path) -> None:
    source, problems = reading(write(tmp_path, {"options/database_suite.yml": None, SUITE: None}))
    assert (source.options, problems) == ({}, [])
