"""Make the conformance pack: small pictures of CC0 photos, and what the engine finds in them.

``python -m capture.prepare.conformance --corpus CORPUS`` draws the pictures and their values;
``--values-only`` keeps the pictures and takes the values anew. A change of a value is a change
of the engine: say in the commit what moved and why.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from capture import __version__
from capture.conformance import TABLE, flat_record, golden_values
from capture.measure.luma import linear_to_srgb
from capture.prepare.degrade import LinearColor, blur, to_linear
from capture.prepare.point_spread import disk, line, shake

PACK = Path("samples/conformance")
SEED = 20261121
LONG_EDGE_PX = 640

PHOTOS = {
    "wren": "003_photos_budgie_cc0.jpg",
    "lake": "007_photos_budgie_cc0.jpg",
    "otters": "008_photos_budgie_cc0.jpg",
    "osprey": "010_photos_budgie_cc0.jpg",
    "colosseum": "012_photos_budgie_cc0.jpg",
    "cityscape": "013_photos_budgie_cc0.jpg",
    "spices": "015_photos_budgie_cc0.jpg",
    "periwinkle": "002_photos_budgie_cc0.jpg",
}
"""Photos of the training bases, all CC0, by what they show."""

BLURRED_PHOTOS = ("otters", "osprey", "colosseum", "spices", "cityscape")


def draw_pictures(corpus: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every picture.

    Raises
    ------
    FileNotFoundError
        If a photo is not in the corpus.
    """
    rng = np.random.default_rng(SEED)
    scenes = {name: _read_scene(corpus / "training_bases" / file) for name, file in PHOTOS.items()}
    for name, scene in scenes.items():
        yield f"{name}-sharp.jpg", _jpeg(scene)
    for index, name in enumerate(BLURRED_PHOTOS):
        scene, angle_deg = scenes[name], 15.0 + 36.0 * index
        yield f"{name}-disk-2.jpg", _jpeg(blur(scene, disk(2.0)))
        yield f"{name}-disk-5.jpg", _jpeg(blur(scene, disk(5.0)))
        yield f"{name}-line-10.jpg", _jpeg(blur(scene, line(10.0, angle_deg)))
        yield f"{name}-shake-16.jpg", _jpeg(blur(scene, shake(16.0, rng)))
    spices = scenes["spices"]
    for stops in (-4, -2, 2, 3):
        yield f"spices-{stops:+d}ev.jpg", _jpeg(spices * np.float32(2.0**stops))
    noise = rng.standard_normal(spices.shape, np.float32) * np.sqrt(np.float32(4e-3) * spices)
    yield "spices-noise.jpg", _jpeg(spices + noise)
    grey = cv2.cvtColor(_encoded(spices), cv2.COLOR_BGR2GRAY)
    yield "spices-grey.png", _png(np.asarray(grey, np.uint8))
    yield "spices-haze.jpg", _jpeg(spices * np.float32(0.08) + np.float32(0.5))
    ramp = np.linspace(0.15, 0.45, 360, dtype=np.float32)[:, None, None]
    sky = np.broadcast_to(ramp, (360, 640, 3)) * np.array([1.0, 0.7, 0.5], np.float32)
    yield "sky.jpg", _jpeg(sky + rng.standard_normal(sky.shape, np.float32) * np.float32(0.004))
    yield "black.png", _png(np.zeros((240, 320, 3), np.uint8))
    yield "white.png", _png(np.full((240, 320, 3), 255, np.uint8))
    yield "tiny.png", _png(_encoded(spices)[:40, :40])
    yield "truncated.jpg", _jpeg(spices)[:9_000]


def write_pack(folder: Path, pictures: dict[str, bytes]) -> None:
    """Write the pictures, and the table of what this engine finds in them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, data in sorted(pictures.items()):
        (folder / name).write_bytes(data)
        values = golden_values(flat_record(name, data))
        rows.append({"file": name, "sha256": hashlib.sha256(data).hexdigest(), "values": values})
    table = {"engine_version": __version__, "profile": "default", "pictures": rows}
    (folder / TABLE).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _read_scene(path: Path) -> LinearColor:
    color = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if color is None:
        raise FileNotFoundError(f"no readable photo at {path}")
    scale = LONG_EDGE_PX / max(color.shape[:2])
    size = round(color.shape[1] * scale), round(color.shape[0] * scale)
    return to_linear(np.asarray(cv2.resize(color, size, interpolation=cv2.INTER_AREA), np.uint8))


def _encoded(scene: LinearColor) -> NDArray[np.uint8]:
    return (255 * linear_to_srgb(np.clip(scene, 0, 1)) + 0.5).astype(np.uint8)


def _jpeg(scene: LinearColor) -> bytes:
    _, data = cv2.imencode(".jpg", _encoded(scene), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return data.tobytes()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return data.tobytes()


def main() -> None:
    """Make the pack from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--pack", type=Path, default=PACK)
    parser.add_argument("--values-only", action="store_true", help="keep the pictures")
    arguments = parser.parse_args()
    if arguments.values_only:
        files = (*arguments.pack.glob("*.jpg"), *arguments.pack.glob("*.png"))
        pictures = {file.name: file.read_bytes() for file in files}
    else:
        pictures = dict(draw_pictures(arguments.corpus))
    write_pack(arguments.pack, pictures)


if __name__ == "__main__":
    main()
