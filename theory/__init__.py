"""The algebra of variance shift: derived and verified step by step, never sampled."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from theory import case_a, case_b, chain, law, limits, noises, preliminaries
from theory.derivation import Derivation, DerivationError, Step
from theory.equation import Equation

_BUILDERS: dict[str, Callable[[], Equation]] = {
    "eq1": preliminaries.eq1,
    "eq2": preliminaries.eq2,
    "eq3": preliminaries.eq3,
    "eq4": preliminaries.eq4,
    "eq5": case_a.eq5,
    "eq6": case_a.eq6,
    "eq7": case_b.eq7,
    "eq8": case_b.eq8,
    "eq9": case_b.eq9,
    "eq10": case_b.eq10,
    "eq11": case_b.eq11,
    "eq12": case_b.eq12,
    "eq13": noises.eq13,
    "law": law.law,
    "law-shared": law.law_shared,
    "law-residual": law.law_residual,
    "shift": law.general_shift,
    "two-convolutions": law.two_convolutions,
    "noise-dropout": noises.dropout_noise,
    "noise-uout": noises.uout_noise,
    "noise-gaussian": noises.gaussian_noise,
    "equal-noise": noises.equal_noise,
    "scaled-in-test": noises.scaled_in_test,
    "affine": noises.affine,
    "moving-correlated": chain.moving_correlated,
    "rho-bound": limits.rho_bound,
    "cos2-bound": limits.cos2_bound,
    "width-needed": limits.width_needed,
    "rho-ax-bound": limits.rho_ax_bound,
    "spectrum": limits.spectrum,
    "deficit": limits.deficit,
    "case-a-best": case_a.case_a_best,
    "a-against-b": limits.a_against_b,
    "monotone-retain": limits.monotone_retain,
    "monotone-width": limits.monotone_width,
    "limit-retain": limits.limit_retain,
    "limit-width": limits.by_width,
    "limit-uncorrelated": limits.uncorrelated,
    "constant-in-retain": limits.table2_constant,
    "chain": chain.chain,
    "drift": chain.drift_of_means,
    "relu-mean": chain.relu_mean,
    "relu-power": chain.relu_power,
    "relu-variance": chain.relu_variance,
    "relu-drift": chain.relu_drift,
}


@cache
def _built(name: str) -> Equation:
    return _BUILDERS[name]()


class _Equations(Mapping[str, Equation]):
    """Every equation by its name; derived and verified when it is first asked for."""

    def __getitem__(self, name: str) -> Equation:
        return _built(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_BUILDERS)

    def __len__(self) -> int:
        return len(_BUILDERS)


EQUATIONS: Mapping[str, Equation] = _Equations()

__all__ = ["EQUATIONS", "Derivation", "DerivationError", "Equation", "Step"]
