"""The README's pictures of the panel, from the screenshots of `make ui-test`.

    python tools/panel_pictures.py out/ui docs

Cuts them to the sidebar and what moves beside it. Those with a photograph become JPEG, the others keep few colors.
"""

import argparse
from pathlib import Path

from PIL import Image

SIDEBAR = (906, 82, 1164, 782)
VIEWPORT = (456, 82, 1164, 782)
MESSAGE = (906, 82, 1164, 482)
EVERYTHING = (186, 26, 1164, 812)
"""Left, upper, right, lower in the screenshots."""
GAP = 8
COLORS = 96
PICTURES = {
    "panel.png": {"before": SIDEBAR, "progress": SIDEBAR, "result": VIEWPORT},
    "panel-error.png": {"error": MESSAGE},
    "panel-camera.jpg": {"camera": EVERYTHING},
}
"""Picture -> the screenshots in it, side by side, and what is cut from each."""


def beside(images: list[Image.Image]) -> Image.Image:
    """Images of one height, from left to right."""
    width = sum(image.width for image in images) + GAP * (len(images) - 1)
    together = Image.new("RGB", (width, images[0].height), "white")
    left = 0
    for image in images:
        together.paste(image, (left, 0))
        left += image.width + GAP
    return together


def main() -> None:
    """Write every picture and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("screenshots", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    for name, cuts in PICTURES.items():
        images = [
            Image.open(options.screenshots / f"{shot}.png").convert("RGB").crop(box) for shot, box in cuts.items()
        ]
        path = options.folder / name
        if path.suffix == ".jpg":
            beside(images).save(path, quality=80, optimize=True)
        else:
            beside(images).quantize(COLORS).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size / 1e3:.0f} KB")


if __name__ == "__main__":
    main()
