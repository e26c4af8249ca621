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
    """One fault: in `file` the text `right`, which stands there once, becomes `wrong`; then `checks` must turn red.

    Attributes:
        noticed_by: a check that fails, or a message, as the run prints it.
    """

    name: str
    file: str
    right: str
    wrong: str
    checks: str
    noticed_by: str


SABOTAGES = (
    Sabotage(
        "Dropout without its 1/p",
        "simulator/noise.py",
        "        kept /= threshold / values\n",
        "",
        "paper_checks/test_case_a.py",
        "test_a_simulated_standard_normal_unit",
    ),
    Sabotage(
        "additive Uout",
        "simulator/noise.py",
        "        r *= 2 * self.beta\n        return x + x * r\n",
        "        r *= 2 * self.beta\n        return x + r\n",
        "paper_checks/test_uout.py",
        "test_simulated_uout_obeys_eq13",
    ),
    Sabotage(
        "padding that repeats the edge",
        "simulator/convolution.py",
        "        kernel = self.weight.shape[2:]\n",
        "        x = np.pad(x, ((0, 0), (0, 0), *((around, around) for around in self.padding)), 'edge')\n"
        "        self = Convolution(self.weight, self.stride, 0, self.groups)\n"
        "        kernel = self.weight.shape[2:]\n",
        "paper_checks/test_maps.py",
        "test_over_all_masks_a_padded_strided_grouped_convolution",
    ),
    Sabotage(
        "a residual block without its shortcut",
        "simulator/phases.py",
        "return kept + added",
        "return added",
        "paper_checks/test_law.py",
        "test_with_a_residual_branch_the_law_holds",
    ),
    Sabotage(
        "biased for unbiased moving variance",
        "simulator/layers.py",
        "biased * m / (m - 1)",
        "biased",
        "paper_checks/test_preliminaries.py",
        "test_bn_accumulates_the_variance_without_bias",
    ),
    Sabotage(
        "biased for unbiased batch variance",
        "simulator/cases.py",
        "var(axis=2, ddof=1)",
        "var(axis=2, ddof=0)",
        "paper_checks/test_case_a.py",
        "test_a_simulated_standard_normal_unit",
    ),
    Sabotage(
        "Eq. 9 without its factor",
        "theory/case_b.py",
        "RHO_AX = rho * v / UNIT_VAR_TRAIN",
        "RHO_AX = rho",
        "paper_checks/test_case_b.py",
        "test_eqs_7_to_11",
    ),
    Sabotage(
        "Eq. 12 with a sign flipped",
        "theory/case_b.py",
        "numerator = v * rho + (v -",
        "numerator = v * rho + (v +",
        "paper_checks/test_case_b.py",
        "test_eq12",
    ),
    Sabotage(
        "the law with w for w^2",
        "theory/law.py",
        "ADDED = s2 * total(w[i] ** 2 *",
        "ADDED = s2 * total(w[i] *",
        "paper_checks/test_law.py",
        "test_eqs_5_to_13_are_special_cases",
    ),
    Sabotage(
        "a digit of Table 2",
        "paper_checks/reported.py",
        '"0.5": "1.013873"',
        '"0.5": "1.013874"',
        "paper_checks/test_tables.py",
        "test_the_transcript",
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
        "tests/fullscale/test_noise.py",
        "test_the_noise_multiplies",
    ),
    Sabotage(
        "one r for a whole channel",
        "fullscale/noise.py",
        "torch.empty_like(x).uniform_(",
        "x.new_empty(x.shape[:2] + (1,) * (x.dim() - 2)).uniform_(",
        "tests/fullscale/test_noise.py",
        "each_element_has_its_own",
    ),
    Sabotage(
        "retain for drop",
        "fullscale/placement.py",
        "return nn.Dropout(drop)",
        "return nn.Dropout(1 - drop)",
        "tests/fullscale/test_placement.py::test_each_noise_goes_where_it_is_told_each_layer_its_own",
        "test_each_noise_goes_where_it_is_told",
    ),
    Sabotage(
        "statistics re-estimated with Dropout on",
        "fullscale/adjust.py",
        "switch(subject, noise=False, by_batch=True)",
        "switch(subject, noise=True, by_batch=True)",
        "tests/fullscale/test_adjust.py",
        "test_a_bn_behind_a_noise_then_puts_out_variance_one",
    ),
    Sabotage(
        "pooled for batch variance",
        "fullscale/measure.py",
        "_mean(name, own.test.moving_var)",
        "_mean(name, own.test.pooled_var)",
        "tests/fullscale/test_measure.py::test_every_variance_of_a_row_is_its_own_estimator",
        "test_every_variance_of_a_row",
    ),
    Sabotage(
        "the best epoch for the last",
        "fullscale/train.py",
        "last = training.epochs[-1]",
        "last = min(training.epochs, key=lambda epoch: epoch.test_error)",
        "tests/fullscale/test_train.py::test_a_record_vouches_for_the_weights_and_tells_the_last_epoch",
        "test_a_record_vouches",
    ),
)


def run_checks(tree: Path, checks: str) -> subprocess.CompletedProcess[str]:
    """Run some checks in a copy of the project, which shadows the installed one."""
    command = [sys.executable, "-m", "pytest", checks, "-x", "-q", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.parametrize("sabotage", SABOTAGES + SEEN_IN_THE_WILD, ids=lambda sabotage: sabotage.name)
def test_a_sabotage_is_noticed(tree: Path, sabotage: Sabotage) -> None:
    file = tree / sabotage.file
    source = file.read_text()
    assert source.count(sabotage.right) == 1, "the text to sabotage must stand there exactly once"
    file.write_text(source.replace(sabotage.right, sabotage.wrong))
    finished = run_checks(tree, sabotage.checks)
    assert finished.returncode not in (0, 5), finished.stdout
    assert sabotage.noticed_by in finished.stdout + finished.stderr


def test_the_copy_is_what_runs_and_is_green_without_sabotage(tree: Path) -> None:
    finished = run_checks(tree, "paper_checks/test_uout.py")
    assert finished.returncode == 0, finished.stdout
    (tree / "simulator" / "noise.py").write_text("raise ImportError('the copy was read')")
    assert "the copy was read" in run_checks(tree, "paper_checks/test_uout.py").stderr
