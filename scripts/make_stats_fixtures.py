#!/usr/bin/env python3
"""Writes tests/fixtures/scipy/stats.json: what SciPy and statsmodels compute, for src/stats/tests.rs to compare with.

Made with SciPy 1.17.1, NumPy 2.4.6 and statsmodels 0.15.0. To run it again:

    python3 -m pip install scipy statsmodels
    python3 scripts/make_stats_fixtures.py

Samples come from a seeded generator: a second run gives the same file.
"""

import itertools
import json
import pathlib

import numpy as np
import pandas
import scipy
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower

FILE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "scipy" / "stats.json"
rng = np.random.default_rng(1)


def samples():
    """Accuracies as runs have them: few or many, near or far apart, with ties (rounded) or without."""
    for m, n, gap, digits in [
        (2, 2, 0.01, 17), (3, 3, 0.004, 17), (3, 5, 0.0, 17), (5, 5, 0.02, 3), (8, 8, 0.003, 17), (8, 8, 0.003, 3),
        (12, 9, 0.001, 17), (20, 20, 0.002, 3), (40, 30, 0.001, 17), (60, 60, 0.001, 3), (3, 3, 0.3, 17),
    ]:
        a = np.round(0.9 + gap + 0.004 * rng.standard_normal(m), digits)
        b = np.round(0.9 + 0.002 * rng.standard_normal(n) * (1 + m % 3), digits)
        yield a, b


def exact_signed_rank(d):
    """All 2^n signs; SciPy's own exact method refuses ties."""
    d = d[d != 0]
    ranks = stats.rankdata(np.abs(d))
    signs = (np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1
    sums = signs @ ranks
    w = ranks[d > 0].sum()
    return min(1.0, 2 * min(np.mean(sums <= w + 1e-9), np.mean(sums >= w - 1e-9)))


def two_samples():
    for a, b in samples():
        t = stats.ttest_ind(a, b, equal_var=False)
        case = {"a": a.tolist(), "b": b.tolist(), "t": t.statistic, "df": t.df, "p": t.pvalue}
        ties = len(np.unique(np.concatenate([a, b]))) < len(a) + len(b)
        if len(a) + len(b) > 50:
            case["rank_sum"] = stats.mannwhitneyu(a, b, method="asymptotic").pvalue
        elif not ties:
            case["rank_sum"] = stats.mannwhitneyu(a, b, method="exact").pvalue
        elif len(a) + len(b) <= 16:
            def statistic(x, y):
                return stats.rankdata(np.concatenate([x, y]))[: len(x)].sum()
            found = stats.permutation_test((a, b), statistic, n_resamples=np.inf, alternative="two-sided")
            case["rank_sum"] = min(1.0, found.pvalue)
        if len(a) == len(b):
            case["paired"] = stats.ttest_rel(a, b).pvalue
            standardised = abs((a - b).mean() / (a - b).std(ddof=1))
            if standardised < 5:
                case["pairs_needed"] = TTestPower().solve_power(standardised, alpha=0.05, power=0.8)
            d = np.round(a - b, 6)
            case["differences"] = d.tolist()
            d = d[d != 0]
            tied = len(np.unique(np.abs(d))) < len(d)
            if len(d) > 50:
                case["signed_rank"] = stats.wilcoxon(d, method="asymptotic").pvalue
            elif not tied:
                case["signed_rank"] = stats.wilcoxon(d, method="exact").pvalue
            elif len(d) <= 20:
                case["signed_rank"] = exact_signed_rank(d)
        pooled = np.sqrt(((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / (len(a) + len(b) - 2))
        g = (a.mean() - b.mean()) / pooled
        case["hedges_g"] = (1 - 3 / (4 * (len(a) + len(b) - 2) - 1)) * g
        # Where two are plainly enough its solver gives up.
        if len(a) == len(b) and abs(g) < 10:
            case["needed"] = TTestIndPower().solve_power(abs(g), alpha=0.05, power=0.8)
        if len(a) >= 5:
            def difference(x, y, axis=-1):
                return x.mean(axis=axis) - y.mean(axis=axis)
            found = stats.bootstrap((a, b), difference, n_resamples=99_999, method="BCa", rng=1)
            case["bootstrap"] = list(found.confidence_interval)
            if len(a) == len(b):
                found = stats.bootstrap((a - b,), np.mean, n_resamples=99_999, method="BCa", rng=1)
                case["bootstrap_paired"] = list(found.confidence_interval)
        yield case


def holm():
    for p in [[0.01], [0.04, 0.01, 0.03], [0.2, 0.01, 0.01, 0.6, 0.04], [1.0, 0.5], rng.random(12).tolist()]:
        yield {"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()}


def crossed():
    """Grids of two or three axes, whole and with points missing, of one seed or several, with the seed as a block or not."""
    for levels, seeds, blocked, missing in [
        ((3, 3), 3, False, 0), ((3, 3), 3, True, 0), ((2, 2, 2), 2, False, 0), ((4, 3), 1, False, 0), ((2, 2, 2), 1, False, 0),
        ((3, 3), 4, False, 2), ((3, 4), 3, True, 3), ((4, 3), 1, False, 2), ((2, 3), 5, False, 0),
    ]:
        points = list(np.ndindex(*levels))
        for k in rng.permutation(len(points))[:missing]:
            points[k] = None
        rows = [(*p, s) for p in points if p is not None for s in range(seeds)]
        table = pandas.DataFrame(rows, columns=[*"abc"[: len(levels)], "seed"])
        axes = list("abc"[: len(levels)])
        table["y"] = 0.9 + 0.004 * table.a + 0.002 * rng.standard_normal(len(table))
        table["y"] += 0.003 * table.seed * blocked + 0.002 * (table.a * table.b > 1)
        table["point"] = table[axes].astype(str).agg("-".join, axis=1)
        block = " + C(seed)" if blocked else ""
        additive = ols("y ~ " + " + ".join(f"C({x})" for x in axes) + block, table).fit()
        whole = ols("y ~ C(point)" + block, table).fit()
        repeated = whole.df_resid > 0
        error = whole if repeated else additive
        squares = anova_lm(additive, typ=2)
        case = {"factors": [table[x].tolist() for x in axes], "values": table.y.tolist(), "df": error.df_resid, "repeated": bool(repeated)}
        case["blocks"] = table.seed.tolist() if blocked else None
        # Least-squares means: over the levels of all other factors alike.
        grids = [sorted(set(table[x])) for x in axes] + [sorted(set(table.seed))]
        grid = pandas.DataFrame([row for row in itertools.product(*grids)], columns=[*axes, "seed"])
        grid["y"] = additive.predict(grid)
        case["means"] = [grid.groupby(x).y.mean().tolist() for x in axes]
        case["effects"] = []
        for x in axes:
            row = squares.loc[f"C({x})"]
            f = row.sum_sq / row.df / error.mse_resid
            case["effects"].append({"f": f, "df": row.df, "p": stats.f.sf(f, row.df, error.df_resid)})
        if repeated:
            row = anova_lm(additive, whole).iloc[1]
            case["together"] = {"f": row.F, "df": row.df_diff, "p": row["Pr(>F)"]}
        yield case


if __name__ == "__main__":
    content = {
        "scipy": scipy.__version__, "two_samples": list(two_samples()), "holm": list(holm()), "crossed": list(crossed()),
    }
    FILE.write_text(json.dumps(content, indent=1) + "\n")
