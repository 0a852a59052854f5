"""Names of files that come from outside stay below their folder, whatever they say."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeii.fetch.names import refuse_clashes, refuse_ours, safe_name

WORDS = st.sampled_from(
    ["..", ".", "", "a", "A", "é", "e\u0301", "C:", "x y", "\\", "\x00", "con", "~", "-rf", "\udcff"]
)
NAMES = st.lists(WORDS, min_size=1, max_size=6).map("/".join) | st.text(max_size=40)


@given(NAMES)
def test_a_name_is_refused_or_lies_below_the_folder(name: str) -> None:
    try:
        safe = safe_name(name, "list")
    except ValueError as error:
        assert str(error).startswith("list: refused, the file name ")
        return
    folder = Path("/data/raw")
    assert (folder / safe).resolve().is_relative_to(folder)
    assert PurePosixPath(safe).parts == tuple(safe.split("/"))
    assert not set(safe) & set("\\\x00\n\r")
    assert safe_name(safe, "list") == safe
    assert safe.encode()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x", "climbs out"),
        ("a/../../x", "climbs out"),
        ("/etc/passwd", "absolute"),
        ("//host/x", "absolute"),
        ("C:/x", "drive letter"),
        ("c:x", "drive letter"),
        ("a\\..\\x", "backslash"),
        ("a\nb", "control character"),
        ("a\x00b", "control character"),
        ("\udc80", "no text"),
        ("", "empty"),
        (".", "empty"),
        ("a//b", "empty component"),
        ("x" * 300, "more than"),
    ],
)
def test_each_kind_of_unsafe_name_says_what_it_is(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        safe_name(name, "list")


def test_what_tar_writes_for_a_folder_is_a_name() -> None:
    assert safe_name("./a/b/", "list") == "a/b"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b", "a"], "'a' occurs twice"),
        (["Readme", "README"], "differs from 'Readme' by case alone"),
        (["stra\u00dfe", "STRASSE"], "by case alone"),
        (["Z\u00fcrich", "Zu\u0308rich"], "by case alone"),
        (["a", "a/b"], "'a' is a file and the folder of 'a/b'"),
        (["A/b/c", "a"], "'a' is a file and the folder of 'A/b/c'"),
    ],
)
def test_two_names_of_one_file_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        refuse_clashes(names, "list")


@given(st.lists(st.sampled_from(["a", "b", "a/b", "a/c", "b/a", "A", "a/b/c", "B/x"]), unique=True))
def test_names_that_pass_can_be_written_side_by_side(names: list[str]) -> None:
    try:
        refuse_clashes(names, "list")
    except ValueError:
        return
    folded = {name.casefold() for name in names}
    assert len(folded) == len(names)
    assert not any(other.startswith(f"{name}/") for name in folded for other in folded)


@pytest.mark.parametrize("name", ["manifest.json", "SHA256SUMS", "Manifest.JSON", ".fetched/state.json"])
def test_names_of_our_own_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="one the study writes"):
        refuse_ours([name], "list")
    refuse_ours(["sub/manifest.json", "SHA256SUMS.txt"], "list")
