"""The publisher's list: every form in use is read, and nothing in it is skipped or guessed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeii.artifacts.manifest import IntegrityError
from codeii.fetch.listing import Wanted, chosen, pinned, read_listing, to_unpack
from codeii.schema.published import Pin

A, B = "a" * 64, "b" * 64


def names(wanted: list[Wanted]) -> list[str]:
    return [file.name for file in wanted]


def test_sums_are_read_as_sha256sum_and_physionet_write_them() -> None:
    text = f"{A}  one.dat\n{B} *two words.dat\r\n\n{A.upper()} sub/three.dat\n{B}  *four\n"
    wanted = read_listing(text.encode(), "sha256sums", "SHA256SUMS.txt")
    assert [(file.name, file.sha256) for file in wanted] == [
        ("one.dat", A),
        ("two words.dat", B),
        ("sub/three.dat", A),
        ("*four", B),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<!DOCTYPE html><html>", "line 1 is '<!DOCTYPE html><html>', expected a sha256"),
        (f"{A}  one\nnonsense", "line 2 is 'nonsense'"),
        (f"{A[:-1]}  one", "line 1"),
        (f"\\{A}  a\\nb", "line 1"),
        ("", "names no file"),
        (f"{A}  one\n{B}  one", "occurs twice"),
        (f"{A}  ../one", "line 1: refused"),
    ],
)
def test_a_list_that_is_none_is_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_listing(text.encode(), "sha256sums", "SHA256SUMS.txt")
    assert words in str(caught.value)


def test_a_list_of_bytes_that_are_no_text_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="no UTF-8 text"):
        read_listing(b"\xff\xfe\x00", "sha256sums", "SHA256SUMS.txt")


@given(st.binary(max_size=300), st.sampled_from(["sha256sums", "zenodo"]))
def test_any_bytes_give_a_list_or_a_sentence(content: bytes, form: str) -> None:
    try:
        assert read_listing(content, form, "list")
    except ValueError as error:
        assert str(error).startswith("list")


def record(**changes: object) -> bytes:
    entry = {"key": "exams.csv", "size": 3, "checksum": f"md5:{'c' * 32}", **changes}
    return json.dumps({"id": 1, "files": [entry]}).encode()


def test_a_zenodo_record_gives_names_sizes_and_md5() -> None:
    assert read_listing(record(), "zenodo", "1") == [Wanted("exams.csv", None, "c" * 32, 3, "1")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{}", "not the record of a Zenodo deposit"),
        (b"[1]", "not the record of a Zenodo deposit"),
        (b'{"files": []}', "names no file"),
        (record(checksum="sha512:00"), "expected md5"),
        (record(size="much"), "not the record"),
        (record(key="../x"), "climbs out"),
    ],
)
def test_what_is_no_zenodo_record_is_a_sentence(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_listing(content, "zenodo", "1")


def test_a_folder_of_the_list_is_taken_and_its_namesakes_are_not() -> None:
    listed = [Wanted(name) for name in ("t/cpsc_2018/a", "t/cpsc_2018/g1/b", "t/cpsc_2018_extra/c", "LICENSE.txt")]
    assert names(chosen(listed, ["t/cpsc_2018/", "LICENSE.txt"], "list")) == [
        "t/cpsc_2018/a",
        "t/cpsc_2018/g1/b",
        "LICENSE.txt",
    ]
    assert chosen(listed, [], "list") == listed
    with pytest.raises(ValueError, match="'t/cpsc' of `only` matches none of its 4 files"):
        chosen(listed, ["t/cpsc"], "list")


def test_a_pin_adds_to_the_list_and_must_not_contradict_it() -> None:
    listed = [Wanted("one", md5="c" * 32, known_from="1"), Wanted("two", sha256=A, known_from="1")]
    both = pinned(listed, {"one": Pin(sha256=B)}, "sources.s.primary.files")
    assert (both[0].sha256, both[0].md5, both[0].known_from) == (B, "c" * 32, "sources.s.primary.files.one")
    with pytest.raises(IntegrityError, match=f"upstream changed: two: sha256 is {A} in 1, pinned is {B}"):
        pinned(listed, {"two": Pin(sha256=B)}, "sources.s.primary.files")
    with pytest.raises(ValueError, match=r"files\.three: no such file among the 2"):
        pinned(listed, {"three": Pin()}, "sources.s.primary.files")


def test_archives_are_named_by_pattern() -> None:
    listed = [Wanted(f"exams_part{number}.zip") for number in range(3)] + [Wanted("exams.csv")]
    assert to_unpack(listed, ["exams_part*.zip"]) == {"exams_part0.zip", "exams_part1.zip", "exams_part2.zip"}
    with pytest.raises(ValueError, match=r"'\*\.tar' matches none of the 4 files"):
        to_unpack(listed, ["*.tar"])
