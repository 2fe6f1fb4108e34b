"""Text assembly."""

from __future__ import annotations

from scirepeval_harness.model.base import join_parts
from scirepeval_harness.model.transformer import token_separator, with_control_code


def test_parts_are_joined_by_the_separator_with_a_space_on_each_side() -> None:
    assert join_parts(("Title", "Abstract", "2019"), token_separator("[SEP]")) == (
        "Title [SEP] Abstract [SEP] 2019"
    )


def test_empty_parts_leave_no_separator() -> None:
    assert join_parts(("Title", ""), " </s> ") == "Title"
    assert join_parts(("", "Abstract"), " </s> ") == "Abstract"
    assert join_parts((), " </s> ") == ""


def test_parts_are_not_changed() -> None:
    assert join_parts((" a  b ", "c [SEP] d"), " ") == " a  b  c [SEP] d"


def test_control_code_stands_in_front() -> None:
    assert with_control_code("[PRX]", "Title") == "[PRX] Title"
    assert with_control_code(None, "Title") == "Title"
