"""Name the ImageNet classes that a pretrained network sees in a photo. Run by hand; no rule uses it."""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from podium import backbones
from podium.backbones.families import BACKBONES
from podium.photos import images
from podium.step import BadInput, without_chatter

# In the order of their WordNet numbers, as in the outputs of all these networks; names from torchvision (BSD license).
CLASSES = Path(backbones.__file__).with_name("imagenet_classes.txt")
TOP = 5
SIDE = 224  # for a network that takes photos of any size
WIDTH, LINE, FONT, MARGIN, BAR = 480, 36, 18, 8, "#9ecae1"

Found = list[tuple[str, float]]


def recognise(photo: Path, picture: Path | None, *, backbone: str, weights: str) -> Found:
    """Names and probabilities of the five ImageNet classes that a photo most likely shows, the most likely first.

    `backbone` and `weights` are as in an experiment. `picture` is an image file in which the photo and the classes are
    drawn. Raises BadInput if the photo cannot be read, or if the network is not available or has other classes.
    """
    if not photo.is_file():
        raise BadInput(f"{photo}: no such file")
    if picture and picture.suffix.lower() not in Image.registered_extensions():
        raise BadInput(f"{picture}: not the name of an image file; give it a suffix such as .png")
    data = photo.read_bytes()
    try:
        images.examine(data)
    except images.Unreadable as error:
        raise BadInput(f"{photo}: {error}") from None
    found = _five(_logits(data, backbone, weights), backbone)
    if picture:
        partial = picture.with_name(f".partial-{picture.name}")
        _drawn(data, found).save(partial)
        partial.replace(picture)
    return found


def _logits(data: bytes, backbone: str, weights: str) -> NDArray[np.float32]:
    network = backbones.build(backbone, weights, policy="float32", top=True)
    pixels = images.decode(data, network.input_shape[1] or SIDE)
    return network(pixels[None].astype(np.float32), training=False).numpy()[0]


def _five(logits: NDArray[np.float32], backbone: str) -> Found:
    names = CLASSES.read_text(encoding="utf-8").splitlines()
    if len(logits) == len(names) + 1:
        logits = logits[1:]  # the first class of TensorFlow Hub's networks is the background
    if len(logits) != len(names):
        raise BadInput(f"{backbone}: has {len(logits)} outputs, not one for each of ImageNet's {len(names)} classes")
    powers = np.exp(logits.astype(np.float64) - logits.max())
    return [(names[at], float(powers[at] / powers.sum())) for at in np.argsort(-logits, kind="stable")[:TOP]]


def _drawn(data: bytes, found: Found) -> Image.Image:
    """The photo as a square, and below it a bar for each class."""
    drawn = Image.new("RGB", (WIDTH, WIDTH + LINE * len(found)), "white")
    drawn.paste(Image.fromarray(images.decode(data, WIDTH)))
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(FONT)
    for row, (name, probability) in enumerate(found):
        top = WIDTH + row * LINE
        pen.rectangle((0, top + 2, round(probability * WIDTH), top + LINE - 3), fill=BAR)
        pen.text((MARGIN, top + LINE / 2), f"{probability:6.1%}  {name}", fill="black", font=font, anchor="lm")
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--backbone", default="efficientnet_lite0", choices=BACKBONES, metavar="NAME")
    parser.add_argument("--weights", default="imagenet", help="as in an experiment")
    parser.add_argument("--picture", type=Path, help="the image file in which the photo and its classes are drawn")
    arguments = parser.parse_args()
    without_chatter()
    try:
        for name, probability in recognise(**vars(arguments)):
            print(f"{probability:6.1%}  {name}")
    except BadInput as error:
        parser.exit(1, f"recognise: {error}\n")


if __name__ == "__main__":
    main()
