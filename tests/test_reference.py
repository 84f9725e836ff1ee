"""The mathematics against central finite differences, in float64."""

import numpy as np
import pytest

from fastw2v import reference as ref

N_WORDS, D = 9, 6
CENTRE, OUTSIDE = 4, 2
NEGATIVES = [0, 7, 1, 5]


@pytest.fixture
def matrices():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N_WORDS, D)), rng.normal(size=(N_WORDS, D))


def finite_difference(loss, x, h=1e-5):
    """Central differences of loss() with respect to every element of x, which loss() reads."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + h
        above = loss()
        x[i] = kept - h
        below = loss()
        x[i] = kept
        gradient[i] = (above - below) / (2 * h)
    return gradient


def relative_error(got, expected):
    return np.max(np.abs(got - expected)) / max(np.max(np.abs(expected)), 1e-12)


def assert_gradient(got, loss, x):
    assert relative_error(got, finite_difference(loss, x)) <= 1e-6


def draw_fixed(_outside):
    return NEGATIVES


def test_logistic_is_the_definition():
    x = np.linspace(-20, 20, 401)
    np.testing.assert_allclose(ref.logistic(x), 1 / (1 + np.exp(-x)), rtol=1e-14)
    np.testing.assert_allclose(ref.log_logistic(x), np.log(1 / (1 + np.exp(-x))), rtol=1e-9, atol=1e-15)


def test_logistic_derivative():
    x = np.linspace(-8, 8, 33)
    h = 1e-5
    expected = (ref.logistic(x + h) - ref.logistic(x - h)) / (2 * h)
    assert relative_error(ref.logistic_derivative(x), expected) <= 1e-6
    np.testing.assert_allclose(ref.logistic_derivative(x), ref.logistic(x) * (1 - ref.logistic(x)), rtol=1e-9)


def test_stable_for_huge_logits():
    x = np.array([-1e4, 1e4])
    np.testing.assert_array_equal(ref.logistic(x), [0, 1])
    np.testing.assert_array_equal(ref.logistic_derivative(x), [0, 0])
    np.testing.assert_array_equal(ref.log_logistic(x), [-1e4, 0])
    np.testing.assert_array_equal(ref.softmax(np.array([-1e4, 0, 1e4])), [0, 0, 1])
    U = np.array([[1e4], [-1e4], [0.0]])
    v_c = np.ones(1)
    for outside, expected in [(0, 0.0), (1, 2e4), (2, 1e4)]:
        loss, dv_c, dU = ref.naive_softmax(v_c, outside, U)
        assert loss == expected
        assert np.isfinite(dv_c).all()
        assert np.isfinite(dU).all()
    loss, *gradients = ref.negative_sampling(v_c, 1, [0, 2], U)
    assert loss == pytest.approx(2e4 + np.log(2))
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_naive_softmax_is_cross_entropy(matrices):
    V, U = matrices
    y = np.eye(N_WORDS)[OUTSIDE]
    loss, _, _ = ref.naive_softmax(V[CENTRE], OUTSIDE, U)
    assert loss == pytest.approx(ref.cross_entropy(y, ref.softmax(U @ V[CENTRE])), rel=1e-12)


def test_naive_softmax_gradients(matrices):
    V, U = matrices
    v_c = V[CENTRE]
    _, dv_c, dU = ref.naive_softmax(v_c, OUTSIDE, U)
    assert_gradient(dv_c, lambda: ref.naive_softmax(v_c, OUTSIDE, U)[0], v_c)
    assert_gradient(dU, lambda: ref.naive_softmax(v_c, OUTSIDE, U)[0], U)
    y, yhat = np.eye(N_WORDS)[OUTSIDE], ref.softmax(U @ v_c)
    np.testing.assert_allclose(dv_c, U.T @ (yhat - y), rtol=1e-12)
    np.testing.assert_allclose(dU, np.outer(yhat - y, v_c), rtol=1e-12)


def test_negative_sampling_gradients(matrices):
    V, U = matrices
    v_c = V[CENTRE]

    def loss():
        return ref.negative_sampling(v_c, OUTSIDE, NEGATIVES, U)[0]

    _, dv_c, du_o, du_k = ref.negative_sampling(v_c, OUTSIDE, NEGATIVES, U)
    assert_gradient(dv_c, loss, v_c)
    assert_gradient(du_o, loss, U[OUTSIDE])
    for k, word in enumerate(NEGATIVES):
        assert_gradient(du_k[k], loss, U[word])
    full = ref.add_by_row([OUTSIDE, *NEGATIVES], np.vstack([du_o, du_k]), U.shape)
    assert_gradient(full, loss, U)


def test_negative_sampling_table_rows(matrices):
    """The rows as design.md writes them, each sign spelt out."""
    V, U = matrices
    v_c = V[CENTRE]
    _, dv_c, du_o, du_k = ref.negative_sampling(v_c, OUTSIDE, NEGATIVES, U)
    sigma = ref.logistic
    by_hand = -(1 - sigma(U[OUTSIDE] @ v_c)) * U[OUTSIDE]
    for word in NEGATIVES:
        by_hand = by_hand + (1 - sigma(-U[word] @ v_c)) * U[word]
    np.testing.assert_allclose(dv_c, by_hand, rtol=1e-9)
    np.testing.assert_allclose(du_o, (sigma(U[OUTSIDE] @ v_c) - 1) * v_c, rtol=1e-9)
    np.testing.assert_allclose(du_k, [(1 - sigma(-U[w] @ v_c)) * v_c for w in NEGATIVES], rtol=1e-9)


@pytest.mark.parametrize("m", [2, 3, 5])
def test_repeated_negatives_count_each_time(matrices, m):
    V, U = matrices
    v_c = V[CENTRE]
    once = ref.negative_sampling(v_c, OUTSIDE, [7], U)
    none = ref.negative_sampling(v_c, OUTSIDE, [], U)
    many = ref.negative_sampling(v_c, OUTSIDE, [7] * m, U)
    assert many[0] - none[0] == pytest.approx(m * (once[0] - none[0]), rel=1e-12)
    np.testing.assert_allclose(many[1] - none[1], m * (once[1] - none[1]), rtol=1e-12)
    got = ref.add_by_row([7] * m, many[3], U.shape)
    np.testing.assert_allclose(got[7], m * once[3][0], rtol=1e-12)
    assert not np.delete(got, 7, axis=0).any()
    assert_gradient(got[7], lambda: ref.negative_sampling(v_c, OUTSIDE, [7] * m, U)[0], U[7])


def test_outside_among_negatives_is_refused(matrices):
    V, U = matrices
    with pytest.raises(ValueError, match="among its own negatives"):
        ref.negative_sampling(V[CENTRE], OUTSIDE, [1, OUTSIDE], U)


@pytest.mark.parametrize("pair", [ref.naive_softmax, ref.negative_sampling_pair(draw_fixed)])
def test_window_is_the_sum_of_its_pairs(matrices, pair):
    V, U = matrices
    outsides = [2, 8, 2, 6]
    loss, dV, dU = ref.skipgram_window(CENTRE, outsides, V, U, pair)
    parts = [pair(V[CENTRE], outside, U) for outside in outsides]
    assert loss == pytest.approx(sum(part[0] for part in parts), rel=1e-12)
    np.testing.assert_allclose(dV[CENTRE], sum(part[1] for part in parts), rtol=1e-12)
    np.testing.assert_allclose(dU, sum(part[2] for part in parts), rtol=1e-12)
    assert_gradient(dV, lambda: ref.skipgram_window(CENTRE, outsides, V, U, pair)[0], V)
    assert_gradient(dU, lambda: ref.skipgram_window(CENTRE, outsides, V, U, pair)[0], U)
    assert not np.delete(dV, CENTRE, axis=0).any()  # dJ/dv_w = 0 for w != c


@pytest.mark.parametrize("flipped", ["v_c", "u_o", "u_k"])
def test_a_flipped_sign_is_noticed(matrices, flipped):
    """The check above has teeth: each gradient with its sign turned fails it by far."""
    V, U = matrices
    v_c = V[CENTRE]

    def loss():
        return ref.negative_sampling(v_c, OUTSIDE, NEGATIVES, U)[0]

    _, dv_c, du_o, du_k = ref.negative_sampling(v_c, OUTSIDE, NEGATIVES, U)
    got, x = {"v_c": (dv_c, v_c), "u_o": (du_o, U[OUTSIDE]), "u_k": (du_k[0], U[NEGATIVES[0]])}[flipped]
    with pytest.raises(AssertionError):
        assert_gradient(-got, loss, x)


def test_sgd_step_is_minus_alpha_times_the_gradient(matrices):
    V, U = matrices
    loss, dv_c, du_o, du_k = ref.negative_sampling(V[CENTRE], OUTSIDE, NEGATIVES, U)
    new_V, new_U = V.copy(), U.copy()
    got = ref.update_pair(new_V, new_U, CENTRE, OUTSIDE, np.array(NEGATIVES, np.int32), 1e-3, np.empty(D))
    assert got == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose((new_V - V)[CENTRE], -1e-3 * dv_c, rtol=1e-9)
    expected = -1e-3 * ref.add_by_row([OUTSIDE, *NEGATIVES], np.vstack([du_o, du_k]), U.shape)
    np.testing.assert_allclose(new_U - U, expected, rtol=1e-9, atol=1e-15)
    assert not np.delete(new_V - V, CENTRE, axis=0).any()
