"""A notebook for students: an equation, its number, what a small simulation finds, and a curve, under sliders."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Variance shift, explored")

with app.setup:
    import marimo as mo

    from paper_checks.side_by_side import (
        EXPLORED,
        LABELS,
        PAIR,
        START,
        WHERE,
        apart,
        by_formula,
        by_simulation,
        curve,
        knobs,
        steps,
    )
    from theory import EQUATIONS


@app.cell
def _():
    mo.md("""
    # Variance shift, explored

    Dropout adds variance in training, and BN remembers it; in test Dropout is off, and BN divides by too much. Choose
    an equation and move the sliders. The formula is derived; the simulation draws the same setting without knowing it.
    """)


@app.cell
def _():
    _titles = {f"{EQUATIONS[key].source.split(', ')[-1]}: {EQUATIONS[key].title}": key for key in EXPLORED}
    equation = mo.ui.dropdown(_titles, value=list(_titles)[EXPLORED.index("eq10")], label="Equation", full_width=True)
    again = mo.ui.button(value=0, on_click=lambda seed: seed + 1, label="Draw again")
    return again, equation


@app.cell
def _():
    _kept = dict(START)  # what the sliders were set to, which are made anew where what they may be set to changes

    def slider(key: str, allowed: list[float]) -> mo.ui.slider:
        """A slider at the value that it had, or the nearest there is."""
        return mo.ui.slider(
            steps=allowed,
            value=min(allowed, key=lambda value: abs(value - _kept[key])),
            on_change=lambda value: _kept.update({key: value}),
            label=LABELS[key],
            show_value=True,
            full_width=True,
        )

    return (slider,)


@app.cell
def _(equation, slider):
    # Apart from the other sliders, since it decides which correlations there are.
    needed = knobs(equation.value)
    d = slider("d", steps("d", equation.value)) if "d" in needed else None
    over = mo.ui.dropdown({LABELS[key]: key for key in needed}, value=LABELS[needed[0]], label="Curve over")
    return d, needed, over


@app.cell
def _(d, equation, needed, slider):
    width = PAIR if d is None else int(d.value)
    others = {key: slider(key, steps(key, equation.value, width)) for key in needed if key != "d"}
    sliders = mo.ui.dictionary(others)
    return sliders, width


@app.cell
def _(d, equation, over, sliders, width):
    name, along = equation.value, over.value
    setting = sliders.value if d is None else {"d": width, **sliders.value}
    return along, name, setting


@app.cell
def _(again, d, equation, needed, over, sliders, width):
    limits = []
    if d is not None:
        lowest = -steps("rho", equation.value, width)[0]
        limits = [
            f"No {width} inputs share a correlation below −1/(d − 1), about −{lowest:.3g}.",
            f"d cos²θ is {width * sliders.value['cos2']:.4g}, of at most d.",
        ]
    moved = [sliders[key] if d is None or key != "d" else d for key in needed]
    controls = mo.vstack([*moved, *map(mo.md, limits), over, again])
    return (controls,)


@app.cell
def _(again, name, setting):
    try:
        number, estimate, refusal = by_formula(name, setting), by_simulation(name, setting, seed=again.value), ""
    except ValueError as error:
        number, estimate, refusal = None, None, str(error)
    return estimate, number, refusal


@app.cell
def _(estimate, number, refusal):
    if estimate is None:
        numbers = mo.callout(f"Neither has a value here: {refusal}.", kind="warn")
    else:
        told = f"{apart(number, estimate):.1f} standard errors apart"
        derived = mo.stat(f"{number:.4g}", label="By formula", caption="derived", bordered=True)
        drawn = mo.stat(f"{estimate}", label="By simulation", caption=told, bordered=True)
        numbers = mo.hstack([derived, drawn], widths="equal", align="stretch")
    return (numbers,)


@app.cell
def _(again, along, estimate, name, setting):
    _drawn = curve(name, setting, along, again.value)
    _legend = "Line: the formula. Dots: simulated, ±2 standard errors. Ring: where the sliders are."
    _ends = f"The line ends where there is no value: {_drawn.refusal}." if _drawn.refusal else ""
    _svg = _drawn.svg({} if estimate is None else {setting[along]: estimate})
    picture = mo.vstack([mo.Html(_svg), mo.md(f"{_legend} {_ends}")]) if _drawn.points else mo.md("")
    return (picture,)


@app.cell
def _(controls, equation, name, numbers, picture):
    where = f"where ${EQUATIONS[WHERE[name]].latex()}$" if name in WHERE else ""
    formula = mo.vstack([mo.md(f"$$\n{EQUATIONS[name].latex()}\n$$"), mo.md(where).center()])
    needs = mo.accordion({"What it needs": mo.md("\n".join(f"- {one}" for one in EQUATIONS[name].conditions))})
    # On a telephone the sliders come last, so that what they change stands right above them.
    mo.Html(f"""
    {equation}
    <div style="display: flex; flex-wrap: wrap-reverse; align-items: flex-end; gap: 1rem 2.5rem; margin-block: 1rem">
        <div style="flex: 1 1 17rem; min-width: 0">{controls}</div>
        <div style="flex: 2 1 20rem; min-width: 0">{mo.vstack([formula, numbers, picture])}</div>
    </div>
    {needs}
    """)


if __name__ == "__main__":
    app.run()
