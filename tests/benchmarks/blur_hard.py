"""Rows of the blur benchmark beyond the ladder: real photos, empty frames, fog and macros."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from capture.measure.blur import measure_blur
from capture.prepare.bases import Base
from capture.prepare.figures import roc_auc
from tests.benchmarks.blur_figures import Row, auc_of, interval_of, mean_of, refused_of
from tests.benchmarks.blur_scenes import SEED, judge_hard, judge_night
from tests.benchmarks.real_blur import read_real_photos

FLAT_COUNT = 50


def real_rows(corpus: Path) -> Iterator[Row]:
    """Judge photos that were really blurred."""
    photos = read_real_photos(corpus)
    answers = [measure_blur(photo.luma).probability for photo in photos]
    ours = np.array([answer or 0.0 for answer in answers])
    peer = np.array([-float(cv2.Laplacian(photo.luma, cv2.CV_64F).var()) for photo in photos])
    blurred = np.array([photo.is_blurred for photo in photos])
    doubtful = np.array([photo.in_doubt for photo in photos])
    scenes = np.array([photo.scene for photo in photos])
    for what, kept in (
        ("real photos, as the corpus labels them", np.ones_like(blurred)),
        ("the same without 3 frames of a focus ramp called sharp, soft by eye", ~doubtful),
    ):
        yield Row(
            f"{what} ({int((kept & blurred).sum())} blurred, {int((kept & ~blurred).sum())} "
            "sharp): AUC",
            interval_of(auc_of(ours, kept & blurred, kept & ~blurred), scenes, 3),
            "0.985",
            "0.995",
            f"variance of Laplacian {roc_auc(peer[kept & blurred], peer[kept & ~blurred]):.3f}",
        )
        beside = refused_of(peer, kept & blurred, kept & ~blurred)(np.arange(len(peer)))
        yield Row(
            "the same: sharp refused at 95 % detection",
            interval_of(refused_of(ours, kept & blurred, kept & ~blurred), scenes, 1, 100),
            "8 %",
            "3 %",
            f"variance of Laplacian {100 * beside:.0f} %",
        )
        yield Row(
            "the same at probability 0.5",
            f"detected {100 * (ours[kept & blurred] > 0.5).mean():.0f} %, "
            f"sharp refused {100 * (ours[kept & ~blurred] > 0.5).mean():.0f} %",
        )


def flat_rows() -> Iterator[Row]:
    """Show frames that hold nothing."""
    rng = np.random.default_rng(SEED)
    called = 0
    for _ in range(FLAT_COUNT):
        ends = rng.uniform(0, 255, (2, 2)) if rng.random() < 0.7 else rng.uniform(0, 25, (2, 2))
        plane = cv2.resize(ends, (1000, 700), interpolation=cv2.INTER_LINEAR)
        noisy = plane + rng.normal(0, rng.choice([0, 1, 3, 8]), plane.shape)
        blur = measure_blur(np.clip(noisy, 0, 255).astype(np.uint8))
        called += blur.probability is not None and blur.probability > 0.5
    yield Row("flat, sky and night frames called blurred", f"{called} of {FLAT_COUNT}", "0", "0")


def hard_rows(bases: tuple[Base, ...]) -> Iterator[Row]:
    """Show sharp captures that look soft: dense fog, and a tiny subject as macros have it."""
    for what, name in (
        ("sharp scenes in dense fog (60 to 85 % airlight)", "fog"),
        ("tiny sharp subjects (6 to 12 % of the frame, background blurred by 8 to 14 px)", "macro"),
    ):
        probability, scenes = judge_hard(bases, name)
        called = (np.nan_to_num(probability, nan=0.0) > 0.5).astype(float)
        every = np.ones(len(called), bool)
        unsaid = 100 * np.isnan(probability).mean()
        yield Row(
            f"{what} called blurred ({len(called)} frames; nothing said of {unsaid:.0f} %)",
            interval_of(mean_of(called, every), scenes, 1, 100),
            "",
            "10 %",
        )


def night_rows(bases: tuple[Base, ...]) -> Iterator[Row]:
    """Show lamps at night, whose disks out of focus and whose trails have crisp rims."""
    probability, blurred, scenes = judge_night(bases)
    said = ~np.isnan(probability)
    score = np.nan_to_num(probability, nan=0.0)
    called = (score > 0.5).astype(float)
    yield Row(
        f"lamps at night, out of focus or moved ({int((said & blurred).sum())}), and sharp "
        f"({int((said & ~blurred).sum())}; nothing said of {100 * (~said).mean():.0f} %): AUC",
        interval_of(auc_of(score, said & blurred, said & ~blurred), scenes, 3),
    )
    shares = [
        interval_of(mean_of(called, chosen), scenes, 1, 100)
        for chosen in (said & blurred, said & ~blurred)
    ]
    yield Row("the same at probability 0.5", f"detected {shares[0]}, sharp refused {shares[1]}")
