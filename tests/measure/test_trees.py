"""Sums of trees answer as if each tree were walked from its root."""

from __future__ import annotations

import numpy as np
import pytest

from capture.measure.trees import MAX_LEAF_COUNT, Trees, mean_of


def tree(questions: list[tuple[int, float, int]], leaves: list[float], baseline: float) -> Trees:
    """One sum of one tree; a question is its feature, its threshold and the leaves on its left."""
    value = np.zeros((1, MAX_LEAF_COUNT), np.float32)
    value[0, : len(leaves)] = leaves
    features, thresholds, left = zip(*questions, strict=True)
    return Trees(
        np.array([features]).T,
        np.array([thresholds], np.float32).T,
        np.array([left], np.uint16).T,
        value,
        np.zeros(1, np.int64),
        np.array([baseline]),
    )


@pytest.fixture
def picky() -> Trees:
    """x <= 1 gives 10; else y <= 5 gives 20, and 30 otherwise."""
    return tree([(0, 1.0, 0b001), (1, 5.0, 0b010)], [10.0, 20.0, 30.0], 0.5)


@pytest.mark.parametrize(
    ("features", "expected"),
    [((0.0, 9.0), 10.5), ((1.0, 9.0), 10.5), ((1.5, 5.0), 20.5), ((1.5, 5.5), 30.5)],
)
def test_a_tree_gives_the_leaf_that_its_questions_lead_to(
    picky: Trees, features: tuple[float, float], expected: float
) -> None:
    assert picky.predict(np.array(features, np.float32)).tolist() == [expected]


@pytest.mark.parametrize(("taken_for", "expected"), [(0, 1.0), (2, 2.0)])
def test_a_missing_feature_is_answered_as_the_question_says(
    taken_for: int, expected: float
) -> None:
    """The number of features is added where a missing one is to be answered no."""
    one = tree([(1 + taken_for, 3.0, 0b01)], [1.0, 2.0], 0.0)
    assert one.predict(np.array([7.0, np.nan], np.float32)).tolist() == [expected]


def test_sums_of_different_depth_are_evaluated_at_once(picky: Trees) -> None:
    flat = tree([(1, 0.0, 0b01)], [-1.0, 1.0], 2.0)
    both = Trees.stack([picky, flat])
    assert both.predict(np.array([4.0, 4.0], np.float32)).tolist() == [20.5, 3.0]


def test_the_mean_of_sums_is_one_sum(picky: Trees) -> None:
    flat = tree([(1, 0.0, 0b01)], [-1.0, 1.0], 2.0)
    mean = mean_of([picky, flat])
    assert mean.predict(np.array([4.0, 4.0], np.float32)).tolist() == [(20.5 + 3.0) / 2]


def test_what_was_written_is_read(picky: Trees) -> None:
    kept = Trees.from_arrays(picky.arrays())
    features = np.array([4.0, 6.0], np.float32)
    assert kept.predict(features).tolist() == picky.predict(features).tolist()
