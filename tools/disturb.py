"""What a kernel runs before a chapter when kinds.py disturbs it: real numbers are off by up to one part in 10^12.

That is far below what any sensor knows and far above rounding, so a printed digit that moves is not known, and an order
that turns around was a tie. Disturbed are what a generator draws from a density, the tables, and the rows of every fit.
Pixels and counts are whole numbers, exact on every machine: outside of fits they stay what they are.
"""


def disturb():
    import joblib
    import numpy as np
    import pandas as pd
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA, FactorAnalysis
    from sklearn.mixture import GaussianMixture, _gaussian_mixture

    joblib.parallel_config(backend="threading")  # where this script is known, as it is not in processes of their own
    noise = np.random.default_rng(0)

    def off(values):
        return values * (1 + 1e-12 * noise.random(np.shape(values)))

    class Generator(np.random.Generator):
        pass

    def drawn(draw):
        return lambda self, *arguments, **options: off(draw(self, *arguments, **options))

    for name in ("gamma", "multivariate_normal", "normal", "random", "standard_normal", "standard_t", "uniform"):
        setattr(Generator, name, drawn(getattr(np.random.Generator, name)))

    def fitted(fit):
        def disturbed(self, X, *arguments, **options):
            rows, place = np.unique(np.asarray(X), axis=0, return_inverse=True)  # rows that are equal stay equal
            return fit(self, off(rows)[place.ravel()], *arguments, **options)

        return disturbed

    for model in (GaussianMixture, KMeans, PCA, FactorAnalysis):
        model.fit = fitted(model.fit)

    fresh, read_csv, log_density = np.random.default_rng, pd.read_csv, _gaussian_mixture._estimate_log_gaussian_prob

    def default_rng(seed=None):
        return seed if isinstance(seed, np.random.Generator) else Generator(fresh(seed).bit_generator)

    def disturbed_table(*arguments, **options):
        table = read_csv(*arguments, **options)
        real = table.select_dtypes(float).columns
        # The same number stays the same: what stands still, or repeats itself, shall be seen to.
        factor = {value: off(1.0) for value in np.unique(table[real].to_numpy())}
        table[real] = table[real].apply(lambda column: column * column.map(factor))
        return table

    # scikit-learn 1.9 cuts the terms of a mixture's density to whole numbers where its rows are whole numbers, and says nothing.
    def of_real_numbers(X, *arguments, **options):
        assert np.asarray(X).dtype.kind == "f", "a mixture of Gaussians is asked about whole numbers; give it floats"
        return log_density(X, *arguments, **options)

    np.random.default_rng, pd.read_csv = default_rng, disturbed_table
    _gaussian_mixture._estimate_log_gaussian_prob = of_real_numbers


import os  # noqa: E402

if os.environ.get("BOOK_DISTURB"):
    disturb()
del disturb, os
