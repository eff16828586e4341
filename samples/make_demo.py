"""Make the demo's pictures from real photographs; the same bytes each time.

    python samples/make_demo.py [--corpus ../shared/corpus]
    python samples/make_demo.py --measures      only write down anew what the engine measures

A virtual phone looks at a photograph as if it were the scene. A hand turns it: slow drift
and 8 to 12 Hz tremor, strong at first, then settling, then what is left of the tremor in a
hand that holds still. Frames are exposed by adding light over the exposure
time, in linear light; the gyroscope reads the same turn. The stills are photographs as
they are, or degraded in linear light.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.assess import assess_image
from capture.assessment import record_of
from capture.gates.profile import load_profile
from capture.images import EncodedImage
from capture.measure.luma import linear_to_srgb, srgb_to_linear

DEMO = Path(__file__).resolve().parent / "demo"
CORPUS = Path(
    os.environ.get("SMART_CAPTURE_CORPUS", Path(__file__).parents[2] / "shared" / "corpus")
)

SEED = 20261121
STILL_LONG_EDGE_PX = 1600
SCENE = "photos_nextcloud/Frog.jpg"

Linear = NDArray[np.float32]
"""(H, W, 3) float32 BGR in linear light, 0 black to 1 white."""


@dataclass(frozen=True, slots=True)
class VirtualCamera:
    """A phone's camera that looks at a photograph as if it were the scene.

    Attributes
    ----------
    preview_width_px, preview_height_px : int
        Size of a preview frame.
    still_width_px, still_height_px : int
        Size of a still; a pixel of it is a pixel of the photograph.
    focal_px : float
        Focal length in pixels of the still; 54 degrees across, as a phone's main camera.
    preview_exposure_time_s, still_exposure_time_s : float
        Of one frame, and of the still to come.
    frame_interval_ms, gyro_interval_ms : float
        From one frame, and from one sample of the gyroscope, to the next.
    """

    preview_width_px: int = 480
    preview_height_px: int = 320
    still_width_px: int = 1440
    still_height_px: int = 960
    focal_px: float = 1400.0
    preview_exposure_time_s: float = 1 / 60
    still_exposure_time_s: float = 1 / 30
    frame_interval_ms: float = 1000 / 30
    gyro_interval_ms: float = 1000 / 400


CAMERA = VirtualCamera()
FRAME_COUNT = 90


class HandShake:
    """How a hand turns a camera: drift and tremor, first strong, then settling.

    Parameters
    ----------
    seed : int
        The same seed gives the same turn.
    """

    # Degrees around x, y and z. Physiological tremor lies at 8 to 12 Hz; drift below 2 Hz.
    DRIFT_DEG = (2.6, 3.4, 2.0)
    TREMOR_DEG = (0.12, 0.12, 0.05)
    SETTLED_DRIFT = 0.02
    SETTLED_TREMOR = 0.03
    SETTLES_FROM_S = 0.9
    SETTLED_BY_S = 1.6

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self._drift_hz = random.uniform(0.6, 1.8, (3, 4))
        self._drift_phase = random.uniform(0, 2 * np.pi, (3, 4))
        self._tremor_hz = random.uniform(8.0, 12.0, (3, 5))
        self._tremor_phase = random.uniform(0, 2 * np.pi, (3, 5))

    def rotation(self, time_s: float) -> NDArray[np.float64]:
        """Return the (3, 3) turn from the camera's axes at `time_s` to those of the photo."""
        strength = self._strength(time_s)
        drift = np.sin(2 * np.pi * self._drift_hz * time_s + self._drift_phase).mean(axis=1)
        tremor = np.sin(2 * np.pi * self._tremor_hz * time_s + self._tremor_phase).mean(axis=1)
        degrees = np.multiply(self.DRIFT_DEG, drift) * self._between(self.SETTLED_DRIFT, strength)
        degrees += np.multiply(self.TREMOR_DEG, tremor) * self._between(
            self.SETTLED_TREMOR, strength
        )
        rotation, _ = cv2.Rodrigues(np.radians(degrees))
        return np.asarray(rotation, dtype=np.float64)

    def angular_speed(self, time_s: float) -> NDArray[np.float64]:
        """Return the (3,) angular speed in the camera's own axes, in radians per second."""
        step_s = 1e-4
        before, after = self.rotation(time_s - step_s), self.rotation(time_s + step_s)
        # Rodrigues rounds small turns to none; the skew part of the rate does not.
        rate = self.rotation(time_s).T @ (after - before) / (2 * step_s)
        return (
            np.array([rate[2, 1] - rate[1, 2], rate[0, 2] - rate[2, 0], rate[1, 0] - rate[0, 1]])
            / 2
        )

    def _strength(self, time_s: float) -> float:
        passed = (time_s - self.SETTLES_FROM_S) / (self.SETTLED_BY_S - self.SETTLES_FROM_S)
        eased = float(np.clip(passed, 0.0, 1.0))
        return 1.0 - eased**2 * (3 - 2 * eased)

    @staticmethod
    def _between(settled: float, strength: float) -> float:
        return settled + (1 - settled) * strength


def frame_times_ms(camera: VirtualCamera = CAMERA) -> NDArray[np.float64]:
    """Return the (FRAME_COUNT,) middle of each frame's exposure, in whole microseconds."""
    return np.round(np.arange(FRAME_COUNT) * camera.frame_interval_ms, 3)


def gyro_samples(shake: HandShake, camera: VirtualCamera = CAMERA) -> Iterator[list[str]]:
    """Yield timestamp_ms, x_rad_s, y_rad_s, z_rad_s with the noise of a phone's gyroscope."""
    random = np.random.default_rng(SEED + 1)
    end_ms = float(frame_times_ms(camera)[-1]) + camera.frame_interval_ms
    for at_ms in np.arange(-camera.frame_interval_ms, end_ms, camera.gyro_interval_ms):
        noisy = shake.angular_speed(at_ms / 1000) + random.normal(0, np.radians(0.05), 3)
        yield [f"{at_ms:.3f}", *(f"{speed:.6f}" for speed in noisy)]


def expose(
    photo: Linear, shake: HandShake, at_ms: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Expose one preview frame: (320, 480, 3) uint8 BGR, with motion blur and noise."""
    # Twice as fine as the frame, so that the area average below is the pixel's own.
    width, height = 2 * CAMERA.preview_width_px, 2 * CAMERA.preview_height_px
    fine = _intrinsics(CAMERA.focal_px * width / CAMERA.still_width_px, width, height)
    to_photo = _intrinsics(CAMERA.focal_px, photo.shape[1], photo.shape[0])
    light = np.zeros((height, width, 3), np.float32)
    moments = (np.arange(16) + 0.5) / 16 - 0.5
    for moment in moments:
        rotation = shake.rotation(at_ms / 1000 + moment * CAMERA.preview_exposure_time_s)
        light += cv2.warpPerspective(
            photo,
            to_photo @ rotation @ np.linalg.inv(fine),
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    size = (CAMERA.preview_width_px, CAMERA.preview_height_px)
    frame = cv2.resize(light / len(moments), size, interpolation=cv2.INTER_AREA)
    return encode_gamma(add_noise(frame.astype(np.float32), random, electrons=4000, read=4))


def add_noise(
    picture: Linear, random: np.random.Generator, *, electrons: float, read: float
) -> Linear:
    """Add photon and read noise; white is `electrons`, `read` their standard deviation."""
    signal = np.maximum(picture, 0) * electrons
    sigma = np.sqrt(signal + read**2)
    noisy = (signal + random.standard_normal(picture.shape) * sigma) / electrons
    return noisy.astype(np.float32)


def shaken(picture: Linear, extent_px: float, seed: int) -> Linear:
    """Blur by a hand's path of `extent_px` pixels during the exposure, in linear light."""
    random = np.random.default_rng(seed)
    progress = np.linspace(-0.5, 0.5, 200)
    angle = random.uniform(0, np.pi)
    along = progress * extent_px
    across = 0.08 * extent_px * np.sin(2 * np.pi * (progress + random.uniform()))
    x = along * np.cos(angle) - across * np.sin(angle)
    y = along * np.sin(angle) + across * np.cos(angle)
    half = int(np.ceil(extent_px))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for dx, dy in zip(x, y, strict=True):
        left, top = int(np.floor(dx)), int(np.floor(dy))
        right_share, lower_share = dx - left, dy - top
        for row, row_share in ((top, 1 - lower_share), (top + 1, lower_share)):
            for column, share in ((left, 1 - right_share), (left + 1, right_share)):
                kernel[half + row, half + column] += row_share * share
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), dtype=np.float32)


def decode_gamma(picture: NDArray[Any]) -> Linear:
    """Turn (H, W, 3) uint8 sRGB into linear light in [0, 1]."""
    table = srgb_to_linear(np.arange(256) / 255).astype(np.float32)
    return np.asarray(table[picture], dtype=np.float32)


def encode_gamma(picture: Linear) -> NDArray[np.uint8]:
    """Turn linear light into (H, W, 3) uint8 sRGB; what exceeds white clips."""
    encoded = linear_to_srgb(np.clip(picture, 0.0, 1.0).astype(np.float64))
    return np.round(encoded * 255).astype(np.uint8)


def read_photo(corpus: Path, name: str) -> Linear:
    """Read a photograph of the corpus into linear light."""
    picture = cv2.imread(str(corpus / name), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"{name} is not in the corpus at {corpus}")
    return decode_gamma(picture)


def reduced(picture: Linear, long_edge_px: int) -> Linear:
    """Reduce by area averaging, in linear light, to a long edge of `long_edge_px`."""
    scale = long_edge_px / max(picture.shape[:2])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def stills(corpus: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the name and the pixels of each still."""
    random = np.random.default_rng(SEED + 2)
    frog = read_photo(corpus, SCENE)
    top = (frog.shape[0] - CAMERA.still_height_px) // 2
    left = (frog.shape[1] - CAMERA.still_width_px) // 2
    seen = frog[top : top + CAMERA.still_height_px, left : left + CAMERA.still_width_px]
    yield "good", encode_gamma(seen)
    board = read_photo(corpus, "focus_stacks/pcb_closeup/pcb_009.JPG")
    yield "defocused", encode_gamma(reduced(board, STILL_LONG_EDGE_PX))
    wren = read_photo(corpus, "photos_budgie_cc0/canyon-wren.jpg")
    darker = reduced(wren, STILL_LONG_EDGE_PX) * 2.0**-0.7
    moved = shaken(darker, extent_px=22, seed=SEED)
    yield "shaken", encode_gamma(add_noise(moved, random, electrons=8000, read=4))
    flowers = reduced(
        read_photo(corpus, "photos_budgie_cc0/blue-periwinkle.jpg"), STILL_LONG_EDGE_PX
    )
    yield "dark", encode_gamma(add_noise(flowers * 2.0**-4, random, electrons=8000, read=4))
    bunch = reduced(read_photo(corpus, "photos_banana/DSC_0429.JPG"), STILL_LONG_EDGE_PX)
    yield "overexposed", encode_gamma(bunch * 2.0**2.5)
    dusk = read_photo(corpus, "camera_originals/Nokia Lumia 800.jpg")
    yield "flat", encode_gamma(reduced(dusk[:1500, :2000], STILL_LONG_EDGE_PX))


def write_burst(corpus: Path, folder: Path) -> None:
    """Write frames, ``timestamps.csv`` and ``gyro.csv`` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    shake, random = HandShake(SEED), np.random.default_rng(SEED + 3)
    photo = read_photo(corpus, SCENE)
    rows = []
    for index, at_ms in enumerate(frame_times_ms()):
        name = f"{index:03}.jpg"
        write_jpeg(folder / name, expose(photo, shake, float(at_ms), random), quality=78)
        rows.append([name, f"{at_ms:.3f}"])
    write_csv(folder / "timestamps.csv", ["file", "captured_at_ms"], rows)
    columns = ["timestamp_ms", "x_rad_s", "y_rad_s", "z_rad_s"]
    write_csv(folder / "gyro.csv", columns, gyro_samples(shake))


def write_jpeg(path: Path, picture: NDArray[np.uint8], quality: int) -> None:
    """Write `picture` as a JPEG of 4:2:0 colour."""
    encoded, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise SystemExit(f"{path.name} could not be encoded")
    path.write_bytes(data.tobytes())


def write_csv(path: Path, columns: list[str], rows: Any) -> None:
    """Write rows under a line of column names."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def write_camera(path: Path) -> None:
    """Write what a client tells the server of this camera."""
    camera = {
        "still_width_px": CAMERA.still_width_px,
        "exposure_time_s": round(CAMERA.still_exposure_time_s, 6),
        "focal_length_px": CAMERA.focal_px,
    }
    path.write_text(json.dumps(camera, indent=2) + "\n")


def write_measures(path: Path) -> None:
    """Write what the engine measures of each still beside what is expected of it."""
    expected = json.loads(path.read_text())
    profile = load_profile(expected["profile"])
    for still in expected["stills"]:
        image = EncodedImage((path.parent / still["file"]).read_bytes())
        record = record_of(still["file"], assess_image(image, profile, None))
        for name in still["measures"]:
            part, field = name.split(".")
            value = record[part][field]
            still["measures"][name] = None if value is None else round(value, 3)
    path.write_text(json.dumps(expected, indent=2) + "\n")


def _intrinsics(focal_px: float, width_px: int, height_px: int) -> NDArray[np.float64]:
    centre_x, centre_y = (width_px - 1) / 2, (height_px - 1) / 2
    return np.array([[focal_px, 0, centre_x], [0, focal_px, centre_y], [0, 0, 1]], np.float64)


def main() -> None:
    """Make everything anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of the photographs")
    parser.add_argument("--output", type=Path, default=DEMO, help="folder to write into")
    parser.add_argument("--measures", action="store_true", help="only measure, make nothing")
    arguments = parser.parse_args()
    if arguments.measures:
        write_measures(arguments.output / "expected.json")
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, picture in stills(arguments.corpus):
        write_jpeg(arguments.output / f"{name}.jpg", picture, quality=88)
    write_burst(arguments.corpus, arguments.output / "burst")
    write_camera(arguments.output / "camera.json")


if __name__ == "__main__":
    main()
