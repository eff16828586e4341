"""A fuzzer at the door of the decoder: ``make fuzz``, or

    python -m tests.fuzz.decoder --seconds 60

With atheris it is guided by the coverage of our code and Pillow's; without, it mutates the
seeds at random. Either way the input that fails is left in the folder ``build/fuzz``.

An input is a picture file, or ``P`` and a header of raw planes. It may be decoded or refused
with an ``ImageError``; anything else is a defect.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import random
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.images.raws import digital_negative

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "fuzz"
MAX_PIXELS = 1 << 20
MEMORY_LIMIT_BYTES = 4 << 30

PLANES = struct.Struct("<cBIIIH")
"""``P``, encoding, width, height, stride, rotation."""


def outcome_of(data: bytes) -> str:
    """Decode one input, and return "decoded" or the code of its refusal.

    Raises
    ------
    AssertionError
        If what was decoded is not what the decoder promises.
    """
    # Imported late, so that atheris can instrument it.
    from capture.errors import ImageError
    from capture.images import EncodedImage, ImageEncoding, decode_image

    image = EncodedImage(data=data)
    if data[:1] == b"P" and len(data) >= PLANES.size:
        _, encoding, width_px, height_px, stride, rotation_deg = PLANES.unpack_from(data)
        encodings = list(ImageEncoding)
        image = EncodedImage(
            data=memoryview(data)[PLANES.size :],
            encoding=encodings[encoding % len(encodings)],
            width_px=width_px,
            height_px=height_px,
            row_stride_bytes=stride,
            rotation_deg=rotation_deg,
        )
    try:
        decoded = decode_image(image, MAX_PIXELS, luma_only=len(data) % 2 == 1)
    except ImageError as error:
        return error.code
    luma = decoded.luma
    assert luma.dtype == np.uint8
    assert luma.ndim == 2
    assert 0 < luma.size <= MAX_PIXELS
    return "decoded"


def seeds() -> list[bytes]:
    """Return small pictures of every format and the raw planes, and two photos that ship."""
    random_pixels = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    picture = Image.fromarray(random_pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned
    exif[0x829A] = (1, 60)  # exposure time
    found = []
    for mode, name, options in (
        ("RGB", "JPEG", {"exif": exif.tobytes()}),
        ("RGB", "JPEG", {"progressive": True, "subsampling": 2}),
        ("L", "JPEG", {}),
        ("CMYK", "JPEG", {}),
        ("RGB", "PNG", {"exif": exif.tobytes()}),
        ("P", "PNG", {}),
        ("I;16", "PNG", {}),
        ("RGB", "WEBP", {}),
        ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("RGB", "TIFF", {"compression": "jpeg"}),
        ("L", "TIFF", {}),
        ("RGB", "BMP", {}),
        ("P", "GIF", {}),
    ):
        file = io.BytesIO()
        source = picture.convert("L") if mode == "I;16" else picture
        source.convert(mode).save(file, name, **options)
        found.append(file.getvalue())
    if importlib.util.find_spec("pillow_heif"):
        import pillow_heif

        file = io.BytesIO()
        pillow_heif.from_pillow(picture).save(file, exif=exif.tobytes())
        found.append(file.getvalue())
    preview = io.BytesIO()
    picture.resize((1024, 768)).save(preview, "JPEG", quality=20)
    found.append(digital_negative(preview.getvalue(), (1024, 768), orientation=6))
    for encoding in range(1, 4):
        planes = np.random.default_rng(encoding).bytes(32 * 24 * 3 // 2)
        found.append(PLANES.pack(b"P", encoding, 32, 24, 0, 90) + planes)
    shipped = [*sorted((ROOT / "samples").glob("demo/burst/*.jpg"))[:1]]
    return found + [path.read_bytes() for path in shipped]


_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Return an input a few steps away from `data`, perhaps with parts of `other`."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        # Most of what a decoder believes is said in the first bytes.
        near = min(len(changed), 256) if rng.random() < 0.5 else len(changed)
        place = rng.randrange(near) if near else 0
        length = rng.choice((1, 2, 4, 16, 64))
        match rng.randrange(7):
            case 0 if changed:
                changed[place] ^= 1 << rng.randrange(8)
            case 1 if changed:
                changed[place] = rng.randrange(256)
            case 2:
                width = rng.choice((1, 2, 4))
                number = rng.choice(_NUMBERS) & (256**width - 1)
                changed[place : place + width] = number.to_bytes(
                    width, rng.choice(("big", "little"))
                )
            case 3:
                del changed[place : place + length]
            case 4:
                changed[place:place] = changed[place : place + length]
            case 5:
                start = rng.randrange(max(len(other), 1))
                changed[place : place + length] = other[start : start + length]
            case _ if rng.random() < 0.2:
                del changed[place:]
    return bytes(changed)


def mutations(seed: int) -> Iterator[bytes]:
    """Yield inputs without end, the same ones for the same `seed`."""
    rng = random.Random(seed)
    known = seeds()
    while True:
        yield mutated(rng.choice(known), rng.choice(known), rng)


def _fuzz_at_random(seconds: float, seed: int) -> None:
    outcomes: Counter[str] = Counter()
    last_input = FOLDER / "last-input"
    ends_at_s = time.monotonic() + seconds
    for data in mutations(seed):
        last_input.write_bytes(data)  # a crash of native code leaves nothing else behind
        outcomes[outcome_of(data)] += 1
        if time.monotonic() > ends_at_s:
            break
    last_input.unlink()
    print(f"{outcomes.total()} inputs, seed {seed}: {dict(outcomes.most_common())}")


def _fuzz_by_coverage(seconds: float, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["capture.images", "PIL"]):
        import capture.images  # noqa: F401

    corpus = FOLDER / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(data)
    flags = [
        f"-max_total_time={seconds:.0f}",
        f"-seed={seed}",
        f"-artifact_prefix={FOLDER}/",
        f"-rss_limit_mb={MEMORY_LIMIT_BYTES >> 20}",
        "-timeout=10",
        "-max_len=65536",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *flags], lambda data: outcome_of(data) and None)
    atheris.Fuzz()


def main() -> None:
    """Fuzz for as long as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", type=Path, help="run one input that was left, and end")
    arguments = parser.parse_args()
    if arguments.replay is not None:
        print(outcome_of(arguments.replay.read_bytes()))
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    is_guided = importlib.util.find_spec("atheris") is not None
    (_fuzz_by_coverage if is_guided else _fuzz_at_random)(arguments.seconds, arguments.seed)


if __name__ == "__main__":
    main()
