"""The measured columns of a sweep, what pictures call them and the keys, and how they write a word or a number."""

from collections.abc import Collection, Mapping, Sequence

# In the order of the file.
MEASURED = {
    "moving_mean": "moving mean",
    "moving_var": "moving variance",
    "real_mean": "real mean",
    "real_var": "real variance",
    "shift": "shift Δ = Var_Test / Var_Train",
    "shift_ratio": "shift ratio max(Δ, 1/Δ)",
}
# What a key is called along an axis, and its symbol beside a value.
NOTATION = {
    "retain": ("retain ratio p", "p"),
    **dict.fromkeys(("rho", "correlation"), ("correlation ρ", "ρ")),
    "d": ("width d", "d"),
    "cos2": ("cos²θ", "cos²θ"),
    "d_cos2": ("d cos²θ", "d cos²θ"),
    "bn": ("depth (number of the BN)", "BN"),
}
NOISE_VARIANCE = ("noise variance s²", "s²")  # where noises are swept; else `variance` may be the inputs'
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
WORDS = {"relu": "ReLU", "dropout": "Dropout", "uout": "Uout", "gaussian-dropout": "Gaussian Dropout"}
WORDS |= {"activation identity": "linear"}  # an identity in place of a noise is none


def axis_name(key: str, settings: Collection[str]) -> str:
    """Name a key of a sweep with these settings, or `bn` or `d_cos2`, along an axis."""
    return _notation(key, settings)[0]


def symbol(key: str, settings: Collection[str]) -> str:
    """Return what stands for a key beside a value."""
    return _notation(key, settings)[1]


def label(row: Mapping[str, float | str], keys: Sequence[str], settings: Collection[str]) -> str:
    """Say what a row has at some keys: a lone word stands for itself."""
    words = [key for key in keys if isinstance(row[key], str)]
    values = {key: written(WORDS.get(f"{key} {row[key]}") or row[key]) for key in keys}
    return ", ".join(values[key] if words == [key] else f"{symbol(key, settings)} = {values[key]}" for key in keys)


def written(value: float | str, _: int | None = None) -> str:
    """Write a word or a number on one line, and out of the hands of matplotlib's formulas."""
    if isinstance(value, str):
        word = "".join(
            letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in WORDS.get(value, value)
        )
        return (word if len(word) <= 40 else word[:39] + "…").replace("$", r"\$")
    digits, times, power = f"{value:.6g}".partition("e")
    factor = f"×10{str(int(power)).translate(SUPERSCRIPTS)}" if times else ""
    return (digits.replace("-", "−") + factor).removeprefix("1×")


def _notation(key: str, settings: Collection[str]) -> tuple[str, str]:
    known = NOTATION | ({"variance": NOISE_VARIANCE} if "noise" in settings else {})
    return known.get(key, (written(key), written(key)))
