"""The blur model can be trained anew: a small training, from photos to model and card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data

from capture.measure.blur_model import BlurModel
from capture.prepare.bases import list_skimage_bases
from capture.prepare.blur_set import simulate_benchmark, simulate_training
from capture.prepare.simulated_set import draw_scene, read_set, write_set


def few(color: np.ndarray, rng: np.random.Generator) -> object:
    return simulate_training(color, rng, count=4, night_count=2, crop_px=(256, 192))


def test_a_scene_is_drawn_alike_for_one_seed_and_kept_alike(tmp_path: Path) -> None:
    base = list_skimage_bases()[0]
    drawn = list(draw_scene(base, few, seed=5))
    write_set(tmp_path, [base], few, seed=5)
    kept = list(read_set(tmp_path))
    assert [sample.truth["cause"] for sample in kept] == [s.truth["cause"] for s in drawn]
    for before, after in zip(drawn, kept, strict=True):
        assert np.array_equal(before.luma, after.luma)
        assert np.array_equal(before.sharp_mask, after.sharp_mask)


def test_the_ladder_says_what_it_did() -> None:
    """Slight blur carries no label; a sharp subject before a soft background is sharp."""
    color = skimage.data.astronaut()[100:260, 100:340, ::-1].copy()
    captures = list(simulate_benchmark(color, np.random.default_rng(1)))
    assert sum(capture.is_composite for capture in captures) == 2
    for capture in captures:
        if capture.is_composite:
            assert capture.label == 0
            assert capture.truth()["sigma_px"] == 0.0
            assert capture.sharp_mask.max() == 255
    labels = {(str(c.spread.cause), c.spread.extent_px): c.label for c in captures}
    assert labels["disk", 1] is None
    assert labels["disk", 2] == 1
    assert labels["line", 3] is None
    assert labels["line", 60] == 1


@pytest.mark.prepare
def test_a_small_training_writes_a_model_and_its_card(tmp_path: Path) -> None:
    from capture.prepare.blur_training import Plan, train_blur

    model_path = tmp_path / "blur.npz"
    plan = Plan(captures_per_photo=14, tree_count=20, seed=1)
    train_blur(None, tmp_path / "work", model_path, plan)
    answer = BlurModel.read(model_path).judge(np.zeros((2, 128, 128), np.uint8))
    assert 0 <= answer.probability <= 1
    assert answer.sigma_px >= 0
    card = model_path.with_suffix(".md").read_text()
    assert "seed 1" in card
    assert "6 sharp photos" in card


@pytest.mark.prepare
def test_both_families_are_judged_on_scenes_that_neither_has_seen(tmp_path: Path) -> None:
    """Trees and network, trained for a moment, each give figures and a time."""
    from capture.prepare.blur_training import Plan, train_blur
    from capture.prepare.families import compare_families

    plan = Plan(captures_per_photo=14, tree_count=20, seed=1)
    train_blur(None, tmp_path / "work", tmp_path / "blur.npz", plan)
    compared = compare_families(tmp_path / "work", plan, epoch_count=1)
    assert set(compared) == {"boosted trees", "convolutional network"}
    for figures, elapsed_ms in compared.values():
        assert 0 <= figures.auc <= 1
        assert elapsed_ms > 0


@pytest.mark.prepare
def test_trees_answer_as_the_library_that_grew_them() -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    from capture.prepare.grow_trees import to_trees

    rng = np.random.default_rng(2)
    features = rng.normal(size=(400, 6)).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    target = np.nan_to_num(features[:, 0]) * np.nan_to_num(features[:, 1])
    grown = HistGradientBoostingRegressor(max_iter=30, max_leaf_nodes=16, random_state=0)
    trees = to_trees(grown.fit(features, target), 6)
    ours = [float(trees.predict(row)[0]) for row in features[:50]]
    assert ours == pytest.approx(grown.predict(features[:50]), abs=1e-5)
