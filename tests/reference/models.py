#!/usr/bin/env python3
"""Small models, pictures and what PyTorch makes of them: what the product's runs of ONNX models are compared with.

    pip install -r resources/export/requirements.txt
    python tests/reference/models.py                  # writes the folder models beside itself
    python tests/reference/models.py --full FOLDER    # the same with networks of full size, random weights

The models are those of `resources/export`, with `--tiny` and a fixed seed. The expected values do not come from the
graphs: the networks run in PyTorch, on pictures padded in PyTorch, and the result is cropped.

- RAFT and DINO: after normalising, the last row and column are repeated below and to the right, up to the manifest's
  `multiple` (and `smallest`).
- ViTMatte: after normalising, zeros are put below and to the right, in the picture and in the trimap, as the
  `VitMatteImageProcessor` of transformers does.

`expected.safetensors` holds, as `MODEL/0/...` and `MODEL/1/...`, pictures of two sizes ([height, width, 3], 8 bits; the
trimap [height, width], of 0, 128 and 255, fed as 0, 0.5 and 1) and outputs ([channels, rows, columns], 32-bit floats).
Of flows, every third row and column is kept: `flow-every-3`. `to` is `from` with its content moved by `SHIFT`.

Three graphs without weights have answers known in advance, at every size:

- echo-flow.onnx: flow = the first two channels of `from` - `to`
- echo-features.onnx: features = means of `image` over squares of 8 x 8
- echo-alpha.onnx: alpha = the fourth channel of `pixels`
"""
import argparse
import os
import sys

import numpy
import onnx
import safetensors.numpy
import torch
from onnx import TensorProto, helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir, "resources", "export"))
import common  # noqa: E402
import dino  # noqa: E402
import raft  # noqa: E402
import vitmatte  # noqa: E402

SEED, SHIFT = 7, (3, -2)
# Height and width; the second of each is no multiple, and for RAFT less wide than its smallest side.
SIZES = {"flow": [(128, 136), (131, 117)], "features": [(64, 88), (61, 83)], "matting": [(64, 96), (71, 90)]}


def below_and_right(tensor, model, mode):
    """Padding to the least size that the manifest's entry `model` allows."""
    height, width = tensor.shape[2:]
    room = [max(-(-side // model["multiple"]) * model["multiple"], model["smallest"]) for side in (height, width)]
    return torch.nn.functional.pad(tensor, (0, room[1] - width, 0, room[0] - height), mode=mode)


def flow(network, model, height, width):
    pictures = {"from": common.picture(height, width), "to": common.picture(height, width, SHIFT)}
    padded = [below_and_right(common.normalised(model, p), model, "replicate") for p in pictures.values()]
    found = network.raft(*padded, num_flow_updates=network.iterations)[-1]
    return {**pictures, "flow-every-3": found[0, :, :height:3, :width:3]}


def features(network, model, height, width):
    picture, patch = common.picture(height, width), model["stride"]
    padded = below_and_right(common.normalised(model, picture), model, "replicate")
    tokens = network.vit(padded, interpolate_pos_encoding=True).last_hidden_state[0]
    rows, columns = padded.shape[2] // patch, padded.shape[3] // patch
    return {"image": picture, "features": tokens[1:].T.unflatten(1, (rows, columns))}


def matting(network, model, height, width):
    picture, trimap = common.picture(height, width), common.trimap(height, width)
    pixels = torch.cat([common.normalised(model, picture), common.trimap_values(trimap)], 1)
    alpha = network.vitmatte(below_and_right(pixels, model, "constant")).alphas
    return {"image": picture, "trimap": trimap, "alpha": alpha[0, :, :height, :width]}


def echo(folder, inputs, output, nodes, numbers=()):
    """Write echo-OUTPUT.onnx; inputs and output as (name, channels, height, width), `numbers` as constants by name."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
              for name, *shape in (*inputs, output)]
    constants = [helper.make_tensor(f"n{n}", TensorProto.INT64, [1], [n]) for n in numbers]
    graph = helper.make_graph(nodes, f"echo-{output[0]}", values[:-1], values[-1:], constants)
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", common.OPSET)], ir_version=8)
    onnx.checker.check_model(whole, full_check=True)
    onnx.save(whole, os.path.join(folder, f"echo-{output[0]}.onnx"))


def echoes(folder):
    sides, node = ("height", "width"), helper.make_node
    echo(folder, [("from", 3, *sides), ("to", 3, *sides)], ("flow", 2, *sides),
         [node("Sub", ["from", "to"], ["less"]), node("Slice", ["less", "n0", "n2", "n1"], ["flow"])], (0, 1, 2))
    echo(folder, [("image", 3, *sides)], ("features", 3, "height/8", "width/8"),
         [node("AveragePool", ["image"], ["features"], kernel_shape=[8, 8], strides=[8, 8])])
    echo(folder, [("pixels", 4, *sides)], ("alpha", 1, *sides),
         [node("Slice", ["pixels", "n3", "n4", "n1"], ["alpha"])], (1, 3, 4))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", metavar="FOLDER", help="networks of full size with random weights, into FOLDER")
    full = parser.parse_args().full
    folder, small = full or os.path.join(HERE, "models"), not full
    weights = {"random": True, "small": small, "seed": SEED}
    os.makedirs(folder, exist_ok=True)
    patch = "dino-vits8" if small else "dino-vits16"
    raft.export("raft-small", folder, **weights)
    dino.export(patch, folder, **weights)
    vitmatte.export(folder, **weights)
    expected = {}
    for name, network, run in [
        ("raft-small", raft.build("raft-small", **weights), flow),
        (patch, dino.build(patch, **weights), features),
        ("vitmatte-small", vitmatte.build(**weights), matting),
    ]:
        model = common.entry(name)
        for i, size in enumerate(SIZES[model["purpose"]]):
            with torch.inference_mode():
                tensors = run(network, model, *size)
            for key, tensor in tensors.items():
                expected[f"{name}/{i}/{key}"] = numpy.ascontiguousarray(tensor)
    for key, array in expected.items():
        print(f"{key}: {array.dtype} {list(array.shape)}, {array.min():.3f} to {array.max():.3f}, "
              f"deviation {array.std():.3f}")
    with open(os.path.join(folder, "expected.safetensors"), "wb") as file:
        file.write(safetensors.numpy.save(expected))
    if small:
        echoes(folder)


if __name__ == "__main__":
    main()
