"""Draw the kernels and feature maps of a convolutional network for one photo. Run by hand; no rule uses it."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from podium.models.reading import load, saved_metadata
from podium.photos import images
from podium.step import BadInput, without_chatter

SHOWN, SIDE, GAP, LINE = 12, 64, 4, 22  # maps in a row; pixels
Floats = NDArray[np.float32]


def look(model: Path, photo: Path, picture: Path, saved_model: str | None = None) -> list[str]:
    """Draw the kernels and feature maps of a convolutional network for one photo.

    `model` is a fit's `model.keras`. The picture shows the photo as the network sees it, the kernels of the first
    convolution, and for each side length of the feature maps the last maps of that side and the output of pooling. Each
    row shows the first 12 of them, each scaled from its least value (black) to its largest (white). `saved_model` is
    the folder or handle of the SavedModel that the model is built on, or None. Returns what each row shows. Raises
    BadInput if a file is missing, the photo cannot be read, the model has no convolution, or it is built on a
    SavedModel that is not named.
    """
    for path, what in ((model, "a fit's model.keras"), (photo, "a photo")):
        if not path.is_file():
            raise BadInput(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; name {what}")
    if picture.suffix.lower() not in Image.registered_extensions():
        raise BadInput(f"{picture}: not the name of an image file; give it a suffix such as .png")
    try:
        pixels = images.decode(photo.read_bytes(), **{**saved_metadata(model)["decoding"], "size": SIDE * 4})
    except images.Unreadable as error:
        raise BadInput(f"{photo}: {error}") from None
    partial = picture.with_name(f".partial-{picture.name}")
    _drawn(rows := _rows(model, saved_model, pixels)).save(partial)
    partial.replace(picture)
    return [name for name, _ in rows]


def _rows(model: Path, saved_model: str | None, pixels: NDArray[np.uint8]) -> list[tuple[str, list[Floats]]]:
    """The name and the tiles of each row of the picture."""
    import keras

    whole = load(model, saved_model)
    network = whole.layers[-1]
    spatial = [layer for layer in network.layers if len(layer.output.shape) == 4 and layer.output.shape[3] > 3]
    first = next((layer for layer in spatial if isinstance(layer, keras.layers.Conv2D)), None)
    if first is None:
        raise BadInput(f"{model}: contains no convolution to draw")
    seen = keras.Model(whole.input, whole.layers[-2].output)(pixels[None])
    maps = keras.Model(network.input, [layer.output for layer in spatial])(seen, training=False)
    kernels = np.moveaxis(np.asarray(first.kernel, np.float32), 3, 0)
    rows = [
        ("the photo", [np.asarray(seen[0], np.float32)]),
        (_named("kernels", first, kernels.shape), [*kernels[:SHOWN]]),
    ]
    for place in _last_of_each_side(spatial, [each.shape[1] for each in maps], spatial.index(first)):
        values = np.asarray(keras.ops.cast(maps[place][0], "float32"))
        name = _named(type(spatial[place]).__name__, spatial[place], values.shape)
        rows.append((name, [*np.moveaxis(values, 2, 0)[:SHOWN]]))
    return rows


def _last_of_each_side(layers: list[Any], sides: list[int], first: int) -> list[int]:
    """The first convolution, then for each side length of the maps its last layer and its pooling layers."""
    import keras

    pooling = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
    ends = [place for place, side in enumerate(sides) if place + 1 == len(sides) or sides[place + 1] != side]
    return sorted({first, *ends, *(place for place, layer in enumerate(layers) if isinstance(layer, pooling))})


def _named(what: str, layer: Any, shape: tuple[int, ...]) -> str:
    return f"{what} ({layer.name}), {' x '.join(map(str, shape))}"


def _drawn(rows: list[tuple[str, list[Floats]]]) -> Image.Image:
    height = sum(LINE + SIDE + GAP for _ in rows)
    drawn = Image.new("RGB", (SHOWN * (SIDE + GAP) + GAP, height + GAP), "white")
    pen, font, top = ImageDraw.Draw(drawn), ImageFont.load_default(14), GAP
    for name, tiles in rows:
        pen.text((GAP, top), name, fill="black", font=font)
        for place, values in enumerate(tiles):
            tile = Image.fromarray(_grey(values)).resize((SIDE, SIDE), Image.Resampling.NEAREST)
            drawn.paste(tile, (GAP + place * (SIDE + GAP), top + LINE - GAP))
        top += LINE + SIDE + GAP
    return drawn


def _grey(values: Floats) -> NDArray[np.uint8]:
    """Scaled from the least value (black) to the largest (white); channels are averaged unless there are three."""
    if values.ndim == 3 and values.shape[2] != 3:
        values = values.mean(2)
    least, most = values.min(), values.max()
    return ((values - least) / max(most - least, 1e-9) * 255).round().astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a fit's model.keras")
    parser.add_argument("photo", type=Path)
    parser.add_argument("picture", type=Path, help="the image file to draw")
    parser.add_argument("--saved-model", metavar="FOLDER", help="the SavedModel that the model is built on, if any")
    arguments = parser.parse_args()
    without_chatter()
    try:
        rows = look(**vars(arguments))
    except BadInput as error:
        parser.exit(1, f"look: {error}\n")
    print(f"wrote {arguments.picture}: {'; '.join(rows)}")


if __name__ == "__main__":
    main()
