"""How pictures name keys, and write words and numbers."""

import pytest

from simulator.notation import axis_name, label, symbol, written


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.25, "0.25"),
        (-0.5, "−0.5"),
        (1024.0, "1024"),
        (1 / 3, "0.333333"),
        (1e6, "10⁶"),
        (-1e-7, "−1×10⁻⁷"),
        (2.5e-7, "2.5×10⁻⁷"),
        (11e8, "1.1×10⁹"),
        (1.234567e12, "1.23457×10¹²"),
    ],
)
def test_numbers_have_up_to_six_digits_and_powers_of_ten_as_one_writes_them(value: float, expected: str):
    assert written(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("relu", "ReLU"),
        ("gaussian-dropout", "Gaussian Dropout"),
        ("bottleneck", "bottleneck"),
        ("a\tb\nc", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"),
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 39 + "…"),
        ("$x$", r"\$x\$"),
        ("$" * 41, r"\$" * 39 + "…"),
    ],
)
def test_words_stand_on_one_line_of_up_to_forty_letters_and_are_no_formulas(value: str, expected: str):
    assert written(value) == expected


@pytest.mark.parametrize(
    ("key", "settings", "name", "beside_a_value"),
    [
        ("retain", ["retain"], "retain ratio p", "p"),
        ("correlation", ["correlation"], "correlation ρ", "ρ"),
        ("d_cos2", ["d", "cos2"], "d cos²θ", "d cos²θ"),
        ("bn", ["d"], "depth (number of the BN)", "BN"),
        ("variance", ["noise", "variance"], "noise variance s²", "s²"),
        ("variance", ["inputs", "variance"], "variance", "variance"),
        ("y" * 41, [], "y" * 39 + "…", "y" * 39 + "…"),
    ],
)
def test_a_key_is_named_along_an_axis_and_abbreviated_beside_a_value(
    key: str, settings: list[str], name: str, beside_a_value: str
):
    assert (axis_name(key, settings), symbol(key, settings)) == (name, beside_a_value)


def test_a_lone_word_stands_for_itself_and_two_say_whose_they_are():
    row = {"retain": 0.5, "noise": "uout", "activation": "identity", "variance": 0.1}
    settings = [*row]
    assert label(row, ["retain", "noise"], settings) == "p = 0.5, Uout"
    assert label(row, ["activation", "variance"], settings) == "linear, s² = 0.1"
    assert label(row, ["noise", "activation"], settings) == "noise = Uout, activation = linear"
    assert label({"noise": "identity"}, ["noise"], ["noise"]) == "identity"
    assert label(row, [], settings) == ""
