"""What is known of tensors, by where their numbers lie."""

import torch

from fullscale.doctor.marks import Marks


def marks() -> Marks[str]:
    return Marks(lambda many: "?".join(sorted(each or "nothing" for each in many)) or None)


def test_a_mark_is_read_from_the_same_elements_however_they_are_reached() -> None:
    known, x = marks(), torch.zeros(4, 6)
    known.mark(x, "x")
    assert known.read(x) == known.read(x[:]) == known.read(x.view(4, 6)) == "x"
    assert known.read(torch.zeros(4, 6)) is None


def test_of_other_elements_of_the_storage_the_blur_is_known() -> None:
    known, x = marks(), torch.zeros(4, 6)
    known.mark(x[:, :2], "left")
    known.mark(x[:, 2:], "right")
    assert known.read(x[:, :2]) == "left"
    assert known.read(x) == known.read(x[:, 1:3]) == known.read(x.view(torch.int32)) == "left?right"


def test_writing_in_place_blurs_what_was_known_of_the_rest() -> None:
    known, x = marks(), torch.zeros(4, 6)
    known.mark(x, "old")
    known.overwrite(x[:, :2], "new")
    assert known.read(x[:, :2]) == "new"
    assert known.read(x) == "new?old"
    known.overwrite(x, "newest")
    assert known.read(x) == "newest"
    assert known.read(x[:, :2]) == "newest"


def test_where_all_is_overwritten_with_nothing_nothing_is_known() -> None:
    known, x = marks(), torch.zeros(4, 6)
    known.mark(x, "old")
    known.overwrite(x[0], None)
    assert known.read(x[0]) is None
    assert known.read(x) == known.read(x[1]) == "nothing?old"
    known.overwrite(x, None)
    assert known.read(x) is None


def test_writing_a_view_of_what_had_no_mark_is_seen_from_the_whole() -> None:
    known, x = marks(), torch.zeros(4, 6)
    known.overwrite(x[1], "row")
    assert known.read(x[1]) == "row"
    assert known.read(x) == known.read(x[2]) == "nothing?row"
    known.overwrite(x[0], None)
    assert known.read(x[0]) is None


def test_a_storage_that_is_gone_leaves_no_mark_to_the_next_at_its_address() -> None:
    known = marks()
    for _ in range(50):
        x = torch.zeros(1000)
        assert known.read(x) is None
        known.mark(x, "x")
        del x


def test_a_view_keeps_the_marks_of_a_tensor_that_is_gone() -> None:
    known, x = marks(), torch.zeros(4, 6)
    known.mark(x, "x")
    view = x[1]
    del x
    assert known.read(view) == "x"
