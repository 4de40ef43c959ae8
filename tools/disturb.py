"""What a kernel runs before a chapter when kinds.py disturbs it: real-valued data are off by up to one part in 10^12.

That is far below what any sensor knows, and far above rounding: a printed digit that moves is not known, and an order
that turns around was a tie. Whole numbers as such, and the choices of a generator, stay what they are.
"""


def disturb():
    import numpy as np
    import pandas as pd
    from sklearn import datasets

    noise = np.random.default_rng(0)

    def off(values):
        return values * (1 + 1e-12 * noise.random(np.shape(values)))

    class Generator(np.random.Generator):
        pass

    def drawn(name):
        draw = getattr(np.random.Generator, name)

        def disturbed(self, *arguments, **options):
            return off(draw(self, *arguments, **options))

        return disturbed

    for name in ("dirichlet", "gamma", "multivariate_normal", "normal", "random", "standard_normal", "standard_t", "uniform"):
        setattr(Generator, name, drawn(name))

    fresh, load_digits, read_csv = np.random.default_rng, datasets.load_digits, pd.read_csv

    def default_rng(seed=None):
        return seed if isinstance(seed, np.random.Generator) else Generator(fresh(seed).bit_generator)

    def disturbed_digits(**options):
        digits = load_digits(**options)
        pair = isinstance(digits, tuple)
        data = off(digits[0] if pair else digits.data)
        if pair:
            return data, digits[1]
        digits.update(data=data, images=data.reshape(digits.images.shape))
        return digits

    def disturbed_table(*arguments, **options):
        table = read_csv(*arguments, **options)
        real = table.select_dtypes(float).columns
        # The same number stays the same: what stands still, or repeats itself, shall be seen to.
        factor = {value: off(1.0) for value in np.unique(table[real].to_numpy())}
        table[real] = table[real].apply(lambda column: column * column.map(factor))
        return table

    # scikit-learn 1.9 cuts the terms of a mixture's density to whole numbers where its rows are whole numbers, and says nothing.
    from sklearn.mixture import _gaussian_mixture

    log_density = _gaussian_mixture._estimate_log_gaussian_prob

    def of_real_numbers(X, *arguments, **options):
        assert np.asarray(X).dtype.kind == "f", "a mixture of Gaussians is asked about whole numbers; give it floats"
        return log_density(X, *arguments, **options)

    _gaussian_mixture._estimate_log_gaussian_prob = of_real_numbers
    np.random.default_rng, datasets.load_digits, pd.read_csv = default_rng, disturbed_digits, disturbed_table


import os  # noqa: E402

if os.environ.get("BOOK_DISTURB"):
    disturb()
del disturb, os
