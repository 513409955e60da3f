import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.evaluation.representation import (
    alignment,
    effective_rank,
    knn_probe,
    knn_scores,
    linear_probe,
    normalized_std,
    uniformity,
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labelled(records, seed, features=8):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(records, features)).astype(np.float32)
    y = (x[:, :3] + 0.7 * generator.normal(size=(records, 3)) > 0.5).astype(np.int64)
    return x * 10 + 3, y


def test_alignment_of_literal_views():
    views = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert alignment(views, 5 * views) == 0.0  # direction counts, length does not
    assert alignment(views, -views) == pytest.approx(4.0)
    assert alignment(views, views.flip(0)) == pytest.approx(2.0)


def test_uniformity_of_a_collapsed_and_an_even_representation():
    assert uniformity(torch.ones(10, 4)) == 0.0
    assert uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])) == pytest.approx(-8.0)
    # In many dimensions squared distances concentrate at 2, so the mean potential at exp(-4).
    assert uniformity(normal(500, 512)) == pytest.approx(-4.0, abs=0.05)


def test_uniformity_equals_a_slow_loop():
    x = normal(12, 3)
    unit = (x / x.norm(dim=1, keepdim=True)).numpy()
    pairs = [np.exp(-2 * ((unit[i] - unit[j]) ** 2).sum()) for i in range(12) for j in range(i)]
    assert uniformity(x) == pytest.approx(np.log(np.mean(pairs)), rel=1e-5)


def test_effective_rank_counts_directions():
    axes = torch.eye(4).repeat_interleave(2, dim=0) * torch.tensor([1.0, -1.0]).repeat(4)[:, None]
    assert effective_rank(axes) == pytest.approx(4.0)
    assert effective_rank(axes[:4] + 100) == pytest.approx(
        2.0, rel=1e-4
    )  # centred: the offset is no direction
    assert effective_rank(normal(50, 1) * torch.ones(1, 8)) == pytest.approx(1.0)
    assert effective_rank(torch.full((20, 6), 0.1)) == 0.0
    assert 28 < effective_rank(normal(2000, 32)) <= 32


def test_effective_rank_of_two_unequal_directions():
    x = torch.tensor([[3.0, 0], [-3.0, 0], [0, 1.0], [0, -1.0]])
    share = np.array([0.75, 0.25])
    assert effective_rank(x) == pytest.approx(np.exp(-(share * np.log(share)).sum()))


def test_normalized_std_is_zero_when_collapsed_and_one_over_root_features_when_healthy():
    assert normalized_std(torch.ones(5, 3) * torch.arange(1, 6)[:, None]) == pytest.approx(0.0, abs=1e-6)
    assert normalized_std(normal(2000, 64)) == pytest.approx(1 / 8, rel=0.02)


def test_knn_equals_a_slow_loop():
    train_x, train_y = labelled(40, 0)
    x, y = labelled(15, 1)
    scores = knn_scores(train_x, train_y, x, k=5, temperature=0.1)
    for row, query in enumerate(x):
        similarity = [query @ known / np.linalg.norm(query) / np.linalg.norm(known) for known in train_x]
        nearest = sorted(range(40), key=lambda i: -similarity[i])[:5]
        votes = np.exp([similarity[i] / 0.1 for i in nearest])
        expected = (votes[:, None] * train_y[nearest]).sum(axis=0) / votes.sum()
        assert scores[row] == pytest.approx(expected, abs=1e-4)
    assert knn_probe(train_x, train_y, x, y, k=5) == macro_auroc(y, knn_scores(train_x, train_y, x, k=5))


def test_knn_of_one_neighbour_copies_its_labels():
    scores = knn_scores(torch.eye(3), np.array([[1, 0], [0, 1], [1, 1]]), torch.eye(3)[[2, 0]], k=1)
    assert scores.tolist() == [[1, 1], [1, 0]]


def test_linear_probe_agrees_with_scikit_learn():
    train_x, train_y = labelled(300, 0)
    x, y = labelled(200, 1)
    probe = linear_probe(train_x, train_y, x, y, l2_grid=[0.01])
    mean, std = train_x.mean(axis=0), train_x.std(axis=0)
    expected = np.column_stack(
        [
            LogisticRegression(C=1 / (0.01 * 300), tol=1e-8, max_iter=1000)
            .fit((train_x - mean) / std, train_y[:, column])
            .predict_proba((x - mean) / std)[:, 1]
            for column in range(3)
        ]
    )
    assert probe.validation_scores == pytest.approx(expected, abs=2e-3)
    assert probe.macro_auroc == macro_auroc(y, probe.validation_scores)
    assert probe.scores(x).tolist() == probe.validation_scores.tolist()
    assert probe.macro_auroc > 0.8


def test_linear_probe_takes_the_penalty_that_is_best_on_validation():
    train_x, train_y = labelled(60, 0, features=50)
    x, y = labelled(300, 1, features=50)
    grid = [1.0, 0.1, 1e-5]
    probe = linear_probe(train_x, train_y, x, y, l2_grid=grid)
    single = {l2: linear_probe(train_x, train_y, x, y, l2_grid=[l2]).macro_auroc for l2 in grid}
    assert probe.l2 == max(single, key=single.get)
    assert probe.l2 != 1e-5
    assert probe.macro_auroc == pytest.approx(single[probe.l2], abs=1e-3)


def test_linear_probe_survives_constant_features_and_does_not_track_gradients():
    train_x, train_y = labelled(100, 0)
    train_x[:, 5] = 1e6
    with torch.no_grad():
        probe = linear_probe(torch.from_numpy(train_x), torch.from_numpy(train_y), train_x, train_y)
    assert probe.macro_auroc > 0.8
    assert not probe.weight.requires_grad
    assert float(probe.weight[5].abs().max()) == 0.0


def test_probes_without_a_defined_class_give_none():
    x, _ = labelled(30, 0)
    zeros = np.zeros((30, 2), dtype=int)
    assert knn_probe(x, zeros, x, zeros, k=3) is None
    assert linear_probe(x, zeros, x, zeros).macro_auroc is None


def test_errors():
    x, y = labelled(10, 0)
    with pytest.raises(ValueError, match="k = 20 neighbours of 10"):
        knn_probe(x, y, x, y)
    with pytest.raises(ValueError, match="train_y has shape"):
        linear_probe(x, y[:5], x, y)
    with pytest.raises(ValueError, match="not positive"):
        linear_probe(x, y, x, y, l2_grid=[0.0])
    with pytest.raises(ValueError, match="two views of the same records"):
        alignment(x, x[:5])
    with pytest.raises(ValueError, match="at least 2 record"):
        uniformity(x[:1])
    with pytest.raises(ValueError, match="NaN or infinite"):
        effective_rank(np.full((3, 2), np.nan))
