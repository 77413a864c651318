"""Draw what a convolutional network makes of a photo: kernels, feature maps, pooling. Run by hand; no rule needs it."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from podium import images
from podium.networks import load
from podium.step import BadInput, without_chatter

SHOWN, SIDE, GAP, LINE = 12, 64, 4, 22  # maps in a row; pixels
Floats = NDArray[np.float32]


def look(model: Path, photo: Path, picture: Path, saved_model: str | None = None) -> list[str]:
    """Draw what a convolutional network makes of a photo: kernels, feature maps, pooling.

    `model` is a fit's `model.keras`. The picture shows the photo as the network sees it, the kernels of the first
    convolution, and for each side that the maps have the last features and what pooling leaves of them; the first
    of them, each from black, its least value, to white. `saved_model` is the folder or handle of the SavedModel that
    the model is built on, if on any. Returns what each row shows. Raises BadInput where there is no such file or no
    convolution, or where the model is built on a SavedModel which is not named.
    """
    for path in (model, photo):
        if not path.is_file():
            raise BadInput(f"{path}: no such file")
    if picture.suffix.lower() not in Image.registered_extensions():
        raise BadInput(f"{picture}: no kind of image file")
    try:
        pixels = images.decode(photo.read_bytes(), SIDE * 4)
    except images.Unreadable as error:
        raise BadInput(f"{photo}: {error}") from None
    partial = picture.with_name(f".partial-{picture.name}")
    _drawn(rows := _rows(model, saved_model, pixels)).save(partial)
    partial.replace(picture)
    return [name for name, _ in rows]


def _rows(model: Path, saved_model: str | None, pixels: NDArray[np.uint8]) -> list[tuple[str, list[Floats]]]:
    """What each row of the picture is called and shows."""
    import keras

    whole = load(model, saved_model)
    network = whole.layers[-1]
    spatial = [layer for layer in network.layers if len(layer.output.shape) == 4 and layer.output.shape[3] > 3]
    first = next((layer for layer in spatial if isinstance(layer, keras.layers.Conv2D)), None)
    if first is None:
        raise BadInput(f"{model}: no convolution in it")
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
    """The first convolution, then for each side that the maps have the last layer but for pooling, and the pooling."""
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
    """From the least value, black, to the largest, white; of more than three channels, as in kernels, the mean."""
    if values.ndim == 3 and values.shape[2] != 3:
        values = values.mean(2)
    least, most = values.min(), values.max()
    return ((values - least) / max(most - least, 1e-9) * 255).round().astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a fit's model.keras")
    parser.add_argument("photo", type=Path)
    parser.add_argument("picture", type=Path, help="the image file to draw")
    parser.add_argument("--saved-model", metavar="FOLDER", help="what the model is built on, as `weights` named it")
    arguments = parser.parse_args()
    without_chatter()
    try:
        rows = look(**vars(arguments))
    except BadInput as error:
        parser.exit(1, f"look: {error}\n")
    print(f"wrote {arguments.picture}: {'; '.join(rows)}")


if __name__ == "__main__":
    main()
