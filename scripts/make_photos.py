#!/usr/bin/env python3
"""Writes tests/fixtures/photos: small JPEG and PNG files of all kinds, and what Pillow makes of them, for the tests of decoding.

Made with Pillow 13.0.0 and its libjpeg-turbo (6.2 in the interface's numbers). To run it again:

    python3 scripts/make_photos.py

NAME.jpg or NAME.png is read by the program; NAME.rgb.png and NAME.grey.png are Pillow's `convert("RGB")` and `convert("L")` of it,
NAME.half.png … its `draft` at a half, a quarter and an eighth, in RGB. turned-N.jpg has the EXIF orientation N, turned-N.png is what
`ImageOps.exif_transpose` makes of it. Rows and columns of the picture are no multiples of eight.
"""

import math
import pathlib
import random

from PIL import Image, ImageOps

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "photos"
WIDTH, HEIGHT = 83, 61


def picture():
    """Soft shapes with a few edges and a little noise, as photographs have."""
    draw = random.Random(7)
    image = Image.new("RGB", (WIDTH, HEIGHT))
    for y in range(HEIGHT):
        for x in range(WIDTH):
            wave = [math.sin(x / 9 + k) * math.cos(y / 13 - k) for k in range(3)]
            value = [128 + 90 * w + draw.uniform(-6, 6) for w in wave]
            if (x - 50) ** 2 + (y - 30) ** 2 < 300:
                value = [230 - v / 2 for v in value]
            image.putpixel((x, y), tuple(int(max(0, min(255, v))) for v in value))
    return image


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    colours = picture()
    files = {
        "colour": (colours, "jpg", {"quality": 90}),
        "full": (colours, "jpg", {"quality": 90, "subsampling": "4:4:4"}),
        "progressive": (colours, "jpg", {"quality": 80, "progressive": True}),
        "grey": (colours.convert("L"), "jpg", {"quality": 90}),
        "cmyk": (colours.convert("CMYK"), "jpg", {"quality": 90}),
        "palette": (colours.quantize(32), "png", {}),
        "transparent": (Image.merge("RGBA", (*colours.split(), colours.convert("L"))), "png", {}),
        "grey-transparent": (Image.merge("LA", (colours.convert("L"), colours.getchannel(0))), "png", {}),
    }
    for name, (image, extension, options) in files.items():
        path = FOLDER / f"{name}.{extension}"
        image.save(path, **options)
        read = Image.open(path)
        read.convert("RGB").save(FOLDER / f"{name}.rgb.png")
        read.convert("L").save(FOLDER / f"{name}.grey.png")
    for name in ["colour", "full", "progressive", "grey"]:
        for scale, word in [(2, "half"), (4, "quarter"), (8, "eighth")]:
            read = Image.open(FOLDER / f"{name}.jpg")
            read.draft(None, (WIDTH // scale, HEIGHT // scale))
            read = read.convert("RGB")
            assert read.size == (-(-WIDTH // scale), -(-HEIGHT // scale)), read.size
            read.save(FOLDER / f"{name}.{word}.png")
    small = colours.crop((20, 10, 65, 39))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = FOLDER / f"turned-{orientation}.jpg"
        small.save(path, quality=90, subsampling="4:4:4", exif=exif)
        ImageOps.exif_transpose(Image.open(path)).save(path.with_suffix(".png"), exif=b"")


main()
