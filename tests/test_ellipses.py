"""Ellipses: of the right size and angle, holding the right share of samples, for every kind of covariance."""

from copy import deepcopy
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawings import assert_like_baseline, new_axes, pixel
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

import helpers
from helpers.ellipses import full_covariances

KINDS = ["full", "tied", "diag", "spherical"]
ANGLES = np.linspace(0, 2 * np.pi, 60)
CIRCLE = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
quick = settings(max_examples=40, deadline=None)


@st.composite
def gaussians(draw):
    """A mean and a covariance: flat or round, at any angle, of any size."""
    mean = np.array([draw(st.floats(-1e3, 1e3)) for _ in range(2)])
    angle = draw(st.floats(0, np.pi))
    standard_deviations = [10 ** draw(st.floats(-2, 2)) for _ in range(2)]
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    half = rotation * standard_deviations
    return mean, half @ half.T


n_stds = st.floats(0.1, 5)


@st.composite
def mixtures(draw):
    """A mixture of any covariance type, with the attributes that scikit-learn's has."""
    kind = draw(st.sampled_from(KINDS))
    n_components = draw(st.integers(1, 5))
    parts = [draw(gaussians()) for _ in range(n_components)]
    means = np.array([mean for mean, _ in parts])
    full = np.array([covariance for _, covariance in parts])
    weights = np.array(draw(st.lists(st.floats(0.01, 1), min_size=n_components, max_size=n_components)))
    covariances = {"full": full, "tied": full[0], "diag": full[:, [0, 1], [0, 1]], "spherical": full[:, 0, 0]}
    return SimpleNamespace(
        means_=means, covariances_=covariances[kind], covariance_type=kind, weights_=weights / weights.sum()
    )


def fitted(kind, n_dims=2, n_components=3, model=GaussianMixture):
    """Fit a mixture of a covariance type to points of three clouds."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, n_dims)) * rng.uniform(0.2, 1, n_dims)
    points[:, 0] += points[:, -1]
    points += np.repeat([0, 4, 9], 100)[:, None]
    return model(n_components=n_components, covariance_type=kind, random_state=0).fit(points)


def inside(patch, points):
    """Return which points lie in what a patch draws."""
    return patch.get_path().transformed(patch.get_patch_transform()).contains_points(points)


# One Gaussian


@quick
@given(gaussians(), n_stds)
def test_axes_and_angle_are_the_eigendecomposition(gaussian, n):
    mean, covariance = gaussian
    (ellipse,) = helpers.plot_gaussian(mean, covariance, ax=new_axes(), n_std=n).patches
    small, large = np.linalg.eigvalsh(covariance)
    assert (ellipse.width / 2) ** 2 == pytest.approx(n**2 * large)
    assert (ellipse.height / 2) ** 2 == pytest.approx(n**2 * small, rel=1e-6)
    direction = np.array([np.cos(np.radians(ellipse.angle)), np.sin(np.radians(ellipse.angle))])
    assert covariance @ direction == pytest.approx(large * direction, abs=1e-9 * large)
    assert ellipse.get_center() == pytest.approx(mean)


@quick
@given(gaussians(), n_stds)
def test_the_outline_lies_n_standard_deviations_from_the_mean(gaussian, n):
    mean, covariance = gaussian
    (ellipse,) = helpers.plot_gaussian(mean, covariance, ax=new_axes(), n_std=n).patches
    steps = ellipse.get_patch_transform().transform(CIRCLE) - mean
    distances = np.sqrt(np.sum(steps * np.linalg.solve(covariance, steps.T).T, axis=1))
    assert distances == pytest.approx(n, rel=1e-4)


@quick
@given(gaussians(), n_stds, st.integers(0, 2**32 - 1))
def test_an_ellipse_holds_its_share_of_samples(gaussian, n, seed):
    mean, covariance = gaussian
    (ellipse,) = helpers.plot_gaussian(mean, covariance, ax=new_axes(), n_std=n).patches
    n_samples = 5000
    samples = np.random.default_rng(seed).multivariate_normal(mean, covariance, n_samples)
    share = 1 - np.exp(-(n**2) / 2)
    spread = np.sqrt(share * (1 - share) / n_samples)
    assert inside(ellipse, samples).mean() == pytest.approx(share, abs=6 * spread + 1e-3)


@pytest.mark.parametrize(("n", "share"), [(1, "39.3 %"), (2, "86.5 %"), (3, "98.9 %")])
def test_the_documented_shares_are_right(n, share):
    assert f"{1 - np.exp(-(n**2) / 2):.1%}".replace("%", " %") == share
    assert share in helpers.plot_gaussian.__doc__


@quick
@given(gaussians(), n_stds)
def test_the_limits_hold_the_ellipses(gaussian, n):
    mean, covariance = gaussian
    ax = helpers.plot_gaussian(mean, covariance, ax=new_axes(), n_std=[0.5 * n, n])
    reach = n * np.sqrt(np.diag(covariance))
    rounding = 1e-9 * np.abs(mean)
    lower, upper = np.transpose([ax.get_xlim(), ax.get_ylim()])
    assert (lower <= mean - reach + rounding).all()
    assert (upper >= mean + reach - rounding).all()


@pytest.mark.parametrize(
    ("axes", "said"),
    [({"projection": "polar"}, "polar"), ({"xscale": "log"}, "log and linear"), ({"yscale": "log"}, "linear and log"), ({"xscale": "symlog", "yscale": "symlog"}, "symlog")],
)
def test_axes_on_which_they_are_no_ellipses_are_refused(axes, said):
    ax = plt.figure().add_subplot(**axes)
    for draw in (
        lambda: helpers.plot_gaussian([1, 1], np.eye(2), ax=ax),
        lambda: helpers.plot_mixture(GaussianMixture(1).fit(CIRCLE), ax=ax),
    ):
        with pytest.raises(ValueError, match=rf"^ax must have straight axes with linear scales, but is {said}: .*no ellipses"):
            draw()
    assert not ax.patches


def test_limits_set_by_hand_stay():
    ax = new_axes()
    ax.set(xlim=(0, 1), ylim=(2, 3))
    helpers.plot_gaussian([0, 0], np.eye(2), ax=ax)
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (2, 3))


def test_smaller_ellipses_lie_on_larger_ones_over_the_points():
    ax = new_axes()
    points = ax.scatter([0], [0])
    helpers.plot_gaussian([0, 0], np.eye(2), ax=ax, n_std=(2, 1, 3))
    assert [patch.width for patch in ax.patches] == pytest.approx([6, 4, 2])
    assert all(patch.zorder > points.zorder for patch in ax.patches)


def test_fillings_show_what_is_inside():
    ax = helpers.plot_gaussian([5, 5], [[1, 0.9], [0.9, 1]], ax=new_axes(), n_std=[1, 2], color="black", alpha=0.5)
    ax.set_axis_off()
    assert pixel(ax, 5, 5) == pytest.approx((64, 64, 64), abs=2)  # in both: a quarter of white is left
    assert pixel(ax, 6.5, 6.5) == pytest.approx((128, 128, 128), abs=2)  # along the long axis: in one
    assert pixel(ax, 6.5, 3.5) == (255, 255, 255)  # as far across it: in none


def test_colour_opacity_and_label():
    ax = helpers.plot_gaussian([0, 0], np.eye(2), ax=new_axes(), color="red", alpha=0.4, label="calm days")
    assert {patch.get_facecolor() for patch in ax.patches} == {(1, 0, 0, 0.4)}
    assert {patch.get_edgecolor() for patch in ax.patches} == {(1, 0, 0, 1)}
    assert ax.get_legend_handles_labels()[1] == ["calm days"]
    plain = helpers.plot_gaussian([0, 0], np.eye(2), ax=new_axes())
    assert plain.patches[0].get_edgecolor()[:3] == to_rgb(helpers.COLORS[0])
    assert plain.get_legend_handles_labels()[1] == []


# Mixtures


@pytest.mark.parametrize("draw", [helpers.plot_gaussian, helpers.plot_mixture])
def test_without_n_std_the_ellipses_are_those_of_one_two_and_three(draw):
    what = ([0, 0], np.eye(2)) if draw is helpers.plot_gaussian else (SimpleNamespace(means_=np.zeros((1, 2)), covariances_=np.eye(2)[None], weights_=[1.0]),)
    drawn, expected = (draw(*what, ax=new_axes(), **n_std).patches for n_std in ({}, {"n_std": (1, 2, 3)}))
    assert [patch.width for patch in drawn] == [patch.width for patch in expected]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n_dims", "n_components"), [(2, 3), (2, 2), (3, 2), (3, 3), (1, 2)])
def test_full_covariances_give_the_density_that_scikit_learn_gives(kind, n_dims, n_components):
    model = fitted(kind, n_dims, n_components)
    points = np.random.default_rng(1).normal(3, 3, size=(20, n_dims))
    covariances = full_covariances(model)
    assert covariances.shape == (n_components, n_dims, n_dims)
    assert not np.shares_memory(covariances, model.covariances_)
    parts = [
        np.log(weight) + multivariate_normal(mean, covariance).logpdf(points)
        for weight, mean, covariance in zip(model.weights_, model.means_, covariances)
    ]
    assert logsumexp(parts, axis=0) == pytest.approx(model.score_samples(points))


@quick
@given(mixtures())
def test_every_type_is_drawn_as_the_same_gaussians_in_full(mixture):
    patches = helpers.plot_mixture(mixture, ax=new_axes(), n_std=2).patches
    assert len(patches) == len(mixture.means_)
    for k, patch in enumerate(patches):
        covariance = mixture.covariances_ if mixture.covariance_type == "tied" else mixture.covariances_[k]
        if mixture.covariance_type == "diag":
            covariance = np.diag(covariance)
        if mixture.covariance_type == "spherical":
            covariance = [[covariance, 0], [0, covariance]]
        (alone,) = helpers.plot_gaussian(mixture.means_[k], covariance, ax=new_axes(), n_std=2).patches
        expected = alone.get_patch_transform().transform(CIRCLE)
        assert patch.get_patch_transform().transform(CIRCLE) == pytest.approx(expected)


@quick
@given(mixtures(), st.floats(0, 1))
def test_opacity_grows_with_weight(mixture, alpha):
    patches = helpers.plot_mixture(mixture, ax=new_axes(), n_std=1, alpha=alpha).patches
    opacities = [patch.get_facecolor()[3] for patch in patches]
    assert opacities == pytest.approx(alpha * mixture.weights_ / mixture.weights_.max())
    assert {patch.get_edgecolor()[3] for patch in patches} == {1}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [GaussianMixture, BayesianGaussianMixture])
def test_fitted_mixtures_are_drawn_and_left_as_they_were(kind, model):
    mixture = fitted(kind, model=model)
    before = deepcopy(vars(mixture))
    ax, figures = new_axes(), plt.get_fignums()
    assert helpers.plot_mixture(mixture, ax=ax, numbers=True) is ax
    assert plt.get_fignums() == figures
    assert len(ax.patches) == 9
    assert vars(mixture).keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_equal(getattr(mixture, name), value)


def test_gaussian_arguments_are_left_as_they_were():
    mean, covariance, n_std = np.zeros(2), np.eye(2), np.array([1.0, 3.0, 2.0])
    ax, figures = new_axes(), plt.get_fignums()
    assert helpers.plot_gaussian(mean, covariance, ax=ax, n_std=n_std) is ax
    assert plt.get_fignums() == figures
    assert (mean == 0).all() and (covariance == np.eye(2)).all() and n_std.tolist() == [1, 3, 2]


def nine():
    """Nine components in a row."""
    return SimpleNamespace(
        means_=np.column_stack([np.arange(9.0), np.zeros(9)]),
        covariances_=np.full(9, 0.02),
        covariance_type="spherical",
        weights_=np.full(9, 1 / 9),
    )


def test_numbers_stand_at_the_means():
    texts = helpers.plot_mixture(nine(), ax=new_axes(), numbers=True).texts
    assert [text.get_text() for text in texts] == list("012345678")
    assert [text.get_position() for text in texts] == [(k, 0) for k in range(9)]
    assert all(text.get_clip_on() for text in texts)  # else those beyond limits set by hand would stand beside the Axes
    assert not helpers.plot_mixture(nine(), ax=new_axes()).texts


@pytest.mark.parametrize(
    ("colors", "expected"),
    [
        (None, helpers.COLORS + helpers.COLORS[:1]),
        ("red", ["red"] * 9),
        (["red", "blue"], ["red", "blue"] * 4 + ["red"]),
    ],
)
def test_colours_are_used_in_turn(colors, expected):
    patches = helpers.plot_mixture(nine(), ax=new_axes(), n_std=1, colors=colors).patches
    assert [patch.get_edgecolor()[:3] for patch in patches] == [to_rgb(color) for color in expected]


def test_without_a_type_covariances_are_full():
    mixture = SimpleNamespace(means_=[[0, 0]], covariances_=[[[4, 0], [0, 1]]], weights_=[1])
    (ellipse,) = helpers.plot_mixture(mixture, ax=new_axes(), n_std=1).patches
    assert (ellipse.width, ellipse.height) == pytest.approx((4, 2))


# Bad input

NAN = float("nan")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ax": None}, TypeError, "ax must be one matplotlib Axes, .* but is NoneType None"),
        ({"ax": np.array([1, 2])}, TypeError, "ax must be one matplotlib Axes, .* but is ndarray"),
        ({"mean": [0, 0, 0]}, ValueError, r"mean must be numbers of shape \(2,\), but has shape \(3,\)"),
        ({"mean": "here"}, ValueError, r"mean must be numbers of shape \(2,\), but is str 'here'"),
        ({"mean": [0, NAN]}, ValueError, "mean must be finite, but 1 of its 2 numbers"),
        ({"covariance": np.eye(3)}, ValueError, r"covariance must be numbers .*, but has shape \(3, 3\)"),
        ({"covariance": [[1, 0], [0]]}, ValueError, r"covariance must be numbers of shape \(2, 2\), but is list"),
        ({"covariance": [[1, 0], [0, np.inf]]}, ValueError, "covariance must be finite, but 1 of its 4 numbers"),
        ({"covariance": [[1, 0.5], [0.4, 1]]}, ValueError, r"covariance must be symmetric, but is \[\[1.0, 0.5\]"),
        ({"covariance": [[1, 2], [2, 1]]}, ValueError, r"covariance must be positive definite, .* eigenvalues \[-"),
        ({"covariance": [[1, 1], [1, 1]]}, ValueError, "covariance must be positive definite"),
        ({"covariance": np.zeros((2, 2))}, ValueError, "covariance must be positive definite"),
        ({"n_std": -1}, ValueError, "n_std must be above 0, but is int -1"),
        ({"n_std": (1, 0)}, ValueError, r"n_std must be above 0, but is tuple \(1, 0\)"),
        ({"n_std": []}, ValueError, r"n_std must be numbers of shape \(n,\), but has shape \(0,\)"),
        ({"n_std": NAN}, ValueError, "n_std must be finite"),
        ({"n_std": [[1, 2]]}, ValueError, r"n_std must be numbers of shape \(n,\), but has shape \(1, 2\)"),
        ({"alpha": 1.1}, ValueError, "alpha must be from 0 to 1, but is float 1.1"),
        ({"alpha": None}, ValueError, "alpha must be finite"),
        ({"color": "blurple"}, ValueError, "color must be a colour, .* but is str 'blurple'"),
        ({"color": ["red", "blue"]}, ValueError, r"color must be a colour, .* but is list \['red', 'blue'\]"),
    ],
)
def test_bad_gaussians_are_refused(arguments, error, message):
    ax = new_axes()
    with pytest.raises(error, match=message):
        helpers.plot_gaussian(**{"mean": [0, 0], "covariance": np.eye(2), "ax": ax} | arguments)
    assert not ax.patches


GOOD = {"means_": np.eye(2), "covariances_": np.ones(2), "covariance_type": "spherical", "weights_": [0.5, 0.5]}


@pytest.mark.parametrize(
    ("attributes", "options", "error", "message"),
    [
        ({}, {"ax": "axes"}, TypeError, "ax must be one matplotlib Axes"),
        ({"means_": [0, 1]}, {}, ValueError, r"mixture.means_ must be numbers of shape \(K, D\), but has shape \(2,\)"),
        ({"means_": np.eye(2, 3)}, {}, ValueError, r"means_ must be numbers of shape \(2, 2\), but has shape \(2, 3\)"),
        ({"means_": [[0, NAN], [1, 1]]}, {}, ValueError, "mixture.means_ must be finite"),
        ({"covariance_type": "round"}, {}, ValueError, "covariance_type must be one of full, tied, .* is str 'round'"),
        ({"covariance_type": "full"}, {}, ValueError, r'type "full" must be numbers of shape \(2, 2, 2\)'),
        ({"covariance_type": "tied"}, {}, ValueError, r'type "tied" must be numbers of shape \(2, 2\)'),
        ({"covariance_type": "diag"}, {}, ValueError, r'type "diag" must be numbers of shape \(2, 2\)'),
        ({"covariances_": [1, 1, 1]}, {}, ValueError, r'type "spherical" must be numbers .*, but has .*\(3,\)'),
        ({"covariances_": [1, -1]}, {}, ValueError, "covariances_ of component 1 must be positive definite"),
        ({"covariances_": [1, NAN]}, {}, ValueError, "covariances_ .* must be finite"),
        ({"covariances_": "abc"}, {}, ValueError, "covariances_ .* must be numbers"),
        ({"weights_": [1]}, {}, ValueError, r"mixture.weights_ must be numbers of shape \(2,\), but has shape \(1,\)"),
        ({"weights_": [1.5, -0.5]}, {}, ValueError, r"mixture.weights_ must be at least 0 and sum to 1, but is .*1\.5"),
        ({"weights_": [0.5, 0.6]}, {}, ValueError, "mixture.weights_ must be at least 0 and sum to 1"),
        ({}, {"n_std": -1}, ValueError, "n_std must be above 0"),
        ({}, {"alpha": 2}, ValueError, "alpha must be from 0 to 1"),
        ({}, {"colors": []}, ValueError, "colors must be colours"),
        ({}, {"colors": ["red", "blurple"]}, ValueError, "colors must be colours.*blurple"),
        ({}, {"colors": 5}, ValueError, "colors must be colours.* but is int 5"),
    ],
)
def test_bad_mixtures_are_refused(attributes, options, error, message):
    ax = new_axes()
    with pytest.raises(error, match=message):
        helpers.plot_mixture(SimpleNamespace(**GOOD | attributes), **{"ax": ax} | options)
    assert not ax.patches


def test_a_full_covariance_that_is_not_symmetric_is_refused():
    mixture = SimpleNamespace(means_=[[0, 0]], covariances_=[[[1, 0.5], [0, 1]]], weights_=[1])
    with pytest.raises(ValueError, match="covariances_ of component 0 must be symmetric"):
        helpers.plot_mixture(mixture, ax=new_axes())


@pytest.mark.parametrize("name", ["means_", "covariances_", "weights_"])
def test_a_mixture_without_an_attribute_is_refused(name):
    mixture = SimpleNamespace(**GOOD)
    delattr(mixture, name)
    with pytest.raises(AttributeError, match=f"attribute {name}, but this SimpleNamespace has none: call its fit"):
        helpers.plot_mixture(mixture, ax=new_axes())


def test_a_mixture_that_was_not_fitted_is_refused():
    with pytest.raises(AttributeError, match="means_, but this GaussianMixture has none: call its fit method first"):
        helpers.plot_mixture(GaussianMixture(2), ax=new_axes())


# What it looks like


def test_a_gaussian_looks_as_before():
    ax = new_axes()
    ax.scatter([0, 1, 2, 4], [0, 1, 0, 2], s=8)
    assert_like_baseline(helpers.plot_gaussian([1, 1], [[2, 1], [1, 1]], ax=ax), "gaussian")


@pytest.mark.parametrize("kind", KINDS)
def test_a_mixture_looks_as_before(kind):
    covariances = {
        "full": [[[1, 0.8], [0.8, 1]], [[2, -0.5], [-0.5, 0.3]], [[0.2, 0], [0, 0.4]]],
        "tied": [[1, 0.8], [0.8, 1]],
        "diag": [[1, 0.2], [0.2, 1], [2, 0.5]],
        "spherical": [0.2, 1, 0.5],
    }
    mixture = SimpleNamespace(
        means_=[[0, 0], [4, 2], [8, 0]],
        covariances_=covariances[kind],
        covariance_type=kind,
        weights_=[0.6, 0.3, 0.1],
    )
    assert_like_baseline(helpers.plot_mixture(mixture, ax=new_axes(), numbers=True), f"mixture-{kind}")
