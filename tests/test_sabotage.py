"""Each sabotage of our code must be noticed, by the paper's checks or by ours: they are only as good as that."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Sabotage:
    """One fault: in `file` the text `right`, which stands there once, becomes `wrong`; then `check` must turn red.

    Attributes:
        told: what the run prints then; that the check failed, if nothing is said.
    """

    name: str
    file: str
    right: str
    wrong: str
    check: str
    told: str | None = None


SABOTAGES = (
    Sabotage(
        "Dropout without its 1/p",
        "simulator/noise.py",
        "        kept /= threshold / values\n",
        "",
        "paper_checks/test_case_a.py::test_a_simulated_standard_normal_unit_shows_both_variances",
    ),
    Sabotage(
        "additive Uout",
        "simulator/noise.py",
        "        r *= 2 * self.beta\n        return x + x * r\n",
        "        r *= 2 * self.beta\n        return x + r\n",
        "paper_checks/test_uout.py::test_simulated_uout_obeys_eq13",
    ),
    Sabotage(
        "padding that repeats the edge",
        "simulator/convolution.py",
        "        kernel = self.weight.shape[2:]\n",
        "        x = np.pad(x, ((0, 0), (0, 0), *((around, around) for around in self.padding)), 'edge')\n"
        "        self = Convolution(self.weight, self.stride, 0, self.groups)\n"
        "        kernel = self.weight.shape[2:]\n",
        "paper_checks/test_maps.py"
        "::test_over_all_masks_a_padded_strided_grouped_convolution_pools_what_the_law_says_of_its_kernel",
    ),
    Sabotage(
        "a residual block without its shortcut",
        "simulator/phases.py",
        "return kept + added",
        "return added",
        "paper_checks/test_law.py::test_with_a_residual_branch_the_law_holds_and_eq10_does_not",
    ),
    Sabotage(
        "biased for unbiased moving variance",
        "simulator/layers.py",
        "biased * m / (m - 1)",
        "biased",
        "paper_checks/test_preliminaries.py::test_bn_accumulates_the_variance_without_bias_and_the_biased_one_is_noticed",
    ),
    Sabotage(
        "biased for unbiased batch variance",
        "simulator/cases.py",
        "var(axis=2, ddof=1)",
        "var(axis=2, ddof=0)",
        "paper_checks/test_case_a.py::test_a_simulated_standard_normal_unit_shows_both_variances",
    ),
    Sabotage(
        "Eq. 9 without its factor",
        "theory/case_b.py",
        "RHO_AX = rho * v / UNIT_VAR_TRAIN",
        "RHO_AX = rho",
        "paper_checks/test_case_b.py::test_eqs_7_to_11_are_derived_as_printed_and_confirmed_with_their_sums_written_out",
    ),
    Sabotage(
        "Eq. 12 with a sign flipped",
        "theory/case_b.py",
        "numerator = v * rho + (v -",
        "numerator = v * rho + (v +",
        "paper_checks/test_case_b.py::test_eq12_is_eq10_wherever_the_weights_do_not_sum_to_zero",
    ),
    Sabotage(
        "the law with w for w^2",
        "theory/law.py",
        "ADDED = s2 * total(w[i] ** 2 *",
        "ADDED = s2 * total(w[i] *",
        "paper_checks/test_law.py::test_eqs_5_to_13_are_special_cases_of_the_law",
    ),
    Sabotage(
        "a digit of Table 2",
        "paper_checks/reported.py",
        '"0.5": "1.013873"',
        '"0.5": "1.013874"',
        "paper_checks/test_tables.py::test_the_transcript_is_the_one_that_was_proof_read",
    ),
    Sabotage(
        "a verdict of the ledger",
        "paper_checks/claims_equations.py",
        'holds("E5",',
        'contradicted("E5",',
        "paper_checks",
        "the ledger and the checks do not fit",
    ),
)

SEEN_IN_THE_WILD = (
    Sabotage(
        "Uout that adds",
        "fullscale/noise.py",
        "return x + x * self.draw(x) if",
        "return x + self.draw(x) if",
        "tests/fullscale/test_noise.py::test_the_noise_multiplies_and_each_element_has_its_own",
    ),
    Sabotage(
        "one r for a whole channel",
        "fullscale/noise.py",
        "torch.empty_like(x).uniform_(",
        "x.new_empty(x.shape[:2] + (1,) * (x.dim() - 2)).uniform_(",
        "tests/fullscale/test_noise.py::test_the_noise_multiplies_and_each_element_has_its_own",
    ),
    Sabotage(
        "retain for drop",
        "fullscale/placement.py",
        "return nn.Dropout(drop)",
        "return nn.Dropout(1 - drop)",
        "tests/fullscale/test_placement.py::test_each_noise_goes_where_it_is_told_each_layer_its_own",
    ),
    Sabotage(
        "statistics re-estimated with Dropout on",
        "fullscale/adjust.py",
        "switch(subject, noise=False, by_batch=True)",
        "switch(subject, noise=True, by_batch=True)",
        "tests/fullscale/test_adjust.py::test_a_bn_behind_a_noise_then_puts_out_variance_one",
    ),
    Sabotage(
        "pooled for batch variance",
        "fullscale/measure.py",
        "_mean(name, own.test.moving_var)",
        "_mean(name, own.test.pooled_var)",
        "tests/fullscale/test_measure.py::test_every_variance_of_a_row_is_its_own_estimator",
    ),
    Sabotage(
        "the best epoch for the last",
        "fullscale/train.py",
        "last = training.epochs[-1]",
        "last = min(training.epochs, key=lambda epoch: epoch.test_error)",
        "tests/fullscale/test_train.py::test_a_record_vouches_for_the_weights_and_tells_the_last_epoch",
    ),
)


def run_check(tree: Path, check: str) -> subprocess.CompletedProcess[str]:
    """Run a check in a copy of the project, which shadows the installed one."""
    command = [sys.executable, "-m", "pytest", check, "-x", "-q", "-p", "no:cacheprovider", "--color=no"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.parametrize("sabotage", SABOTAGES + SEEN_IN_THE_WILD, ids=lambda sabotage: sabotage.name)
def test_a_sabotage_is_noticed(tree: Path, sabotage: Sabotage) -> None:
    file = tree / sabotage.file
    source = file.read_text()
    assert source.count(sabotage.right) == 1, "the text to sabotage must stand there exactly once"
    file.write_text(source.replace(sabotage.right, sabotage.wrong))
    finished = run_check(tree, sabotage.check)
    assert finished.returncode != 0, finished.stdout
    assert (sabotage.told or f"FAILED {sabotage.check}") in finished.stdout + finished.stderr


def test_the_copy_is_what_runs_and_is_green_without_sabotage(tree: Path) -> None:
    check = "paper_checks/test_uout.py::test_simulated_uout_obeys_eq13"
    finished = run_check(tree, check)
    assert finished.returncode == 0, finished.stdout
    (tree / "simulator" / "noise.py").write_text("raise ImportError('the copy was read')")
    assert "the copy was read" in run_check(tree, check).stderr
