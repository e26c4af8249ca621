"""The paper's symbols, each with the assumption that the derivations may use."""

from sympy import IndexedBase, Symbol, symbols

# Scalars. `p` is the paper's retain ratio; everywhere outside theory it is called `retain`.
p, v = symbols("p v", positive=True)
c, mu, moving_mean, batch_var = symbols("c μ E_Moving σ²", real=True)
rho, rho_ax = symbols("ρ ρᵃˣ", real=True)
cos2 = Symbol("θ_cos²", nonnegative=True)  # sorts behind d: the paper writes d cos²θ
s2, eps, beta, sigma, moving_var = symbols("s² ε β σ Var_Moving", nonnegative=True)
d, m, depth, hidden, groups = symbols("d m L h G", integer=True, positive=True)
shift = Symbol("Δ", nonnegative=True)
var_train, var_test = symbols("Var_Train(X) Var_Test(X)", nonnegative=True)
drift = Symbol("δ", real=True)  # of a unit's mean in test, where it was 0 in training
spread = Symbol("τ", positive=True)  # its standard deviation in test, where it was 1 in training
width = Symbol("K", positive=True)  # d cos²θ, where it is varied as one number

gain = Symbol("g", real=True, nonzero=True)  # BN's own scale, gamma in most code
offset = Symbol("b", real=True)  # BN's own shift of the mean, beta in most code

# Indices of the sums.
i, j, k = symbols("i j k", integer=True, positive=True)

# Weights are fixed numbers; inputs (x, y, z) and noises (a, n, r) are random.
w, u = IndexedBase("w", real=True), IndexedBase("u", real=True)
x, y = IndexedBase("x", real=True), IndexedBase("y", real=True)
a, n, r = IndexedBase("a", real=True), IndexedBase("n", real=True), IndexedBase("r", real=True)
W = IndexedBase("W", real=True)
z = Symbol("z", real=True)

INPUTS = frozenset({x.label, y.label, z})
NOISES = frozenset({a.label, n.label, r.label})
RANDOM = INPUTS | NOISES

TEXT_NAMES = {cos2: "cos²θ"}

LATEX_NAMES = {
    rho_ax: r"\rho^{ax}",
    cos2: r"\,\cos^2\theta",
    s2: "s^2",
    batch_var: r"\sigma_B^2",
    moving_mean: r"\mathrm{E}_{\mathrm{Moving}}",
    moving_var: r"\mathrm{Var}_{\mathrm{Moving}}",
    shift: r"\Delta",
    var_train: r"\mathrm{Var}_{\mathrm{Train}}(X)",
    var_test: r"\mathrm{Var}_{\mathrm{Test}}(X)",
    drift: r"\delta",
    spread: r"\tau",
    mu: r"\mu",
    eps: r"\varepsilon",
    rho: r"\rho",
    beta: r"\beta",
    sigma: r"\sigma",
}
