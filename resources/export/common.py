"""What the export scripts share: options, the manifest, random weights, sample input, writing and checking a graph."""
import argparse
import json
import os
import warnings

import numpy
import onnx
import onnxruntime
import torch

MANIFEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "models.json")
OPSET = 17


def entry(name):
    """The manifest's entry of the model `name`."""
    with open(MANIFEST, encoding="utf-8") as file:
        return next(model for model in json.load(file)["models"] if model["id"] == name)


def options(description):
    """A parser of the options that all scripts have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="where to write; made when missing")
    parser.add_argument("--random", action="store_true", help="random weights instead of the official ones")
    parser.add_argument("--seed", type=int, default=7, help="seed of random weights (default 7)")
    parser.add_argument("--tiny", action="store_true", help="the same operators at small widths; implies --random")
    return parser


def randomise(model, seed):
    """Fill `model` with random weights that keep values of about one through its layers."""
    draw = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        noise = torch.randn(tensor.shape, generator=draw)
        if tensor.dim() == 1 and name.endswith(("weight", "running_var")):
            noise = 1 + 0.5 * noise.tanh()
        elif tensor.dim() in (1, 3):  # biases and running means; class token and positions
            noise = 0.2 * noise
        else:  # matrices, and filters that mostly stand before a ReLU
            noise = noise * ((2 if tensor.dim() == 4 else 1) / tensor[0].numel()) ** 0.5
        tensor.copy_(noise)
    return model


def picture(height, width, shift=(0, 0), seed=1):
    """A smooth texture in 8-bit RGB, its content moved by `shift` pixels to the right and down."""
    draw = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[:height, :width]
    x, y = x - shift[0], y - shift[1]
    levels = numpy.zeros((height, width, 3))
    for channel in range(3):
        for _ in range(6):
            angle, phase = draw.uniform(0, 2 * numpy.pi, 2)
            waves = (x * numpy.cos(angle) + y * numpy.sin(angle)) / draw.uniform(6, 40)
            levels[..., channel] += numpy.sin(2 * numpy.pi * waves + phase)
    return (127.5 + 35 * levels).round().clip(0, 255).astype(numpy.uint8)


def trimap(height, width):
    """A disc of 255 in a ring of 128 on 0, in 8 bits."""
    y, x = numpy.mgrid[:height, :width]
    radius = numpy.hypot((y + 0.5) / height - 0.5, (x + 0.5) / width - 0.5)
    return numpy.select([radius < 0.2, radius < 0.4], [255, 128], 0).astype(numpy.uint8)


def normalised(model, levels):
    """An 8-bit picture as the manifest's entry `model` wants it: [1, 3, height, width]."""
    mean, deviation = (torch.tensor(model[key], dtype=torch.float64) for key in ("mean", "deviation"))
    return ((torch.from_numpy(levels).double() - mean) / deviation).permute(2, 0, 1)[None].float()


def trimap_values(levels):
    """0, 128 and 255 as 0, 0.5 and 1: [1, 1, height, width]."""
    return (torch.from_numpy(levels).float() / 127.5).round()[None, None] / 2


def sample(model, batch, height, width):
    """Input of the manifest's entry `model`, every picture different; the second shows the first moved."""
    tensors = []
    for i, described in enumerate(model["inputs"]):
        rows = []
        for b in range(batch):
            row = normalised(model, picture(height, width, (3 * i, -2 * i), seed=1 + b))
            if described["shape"][1] == 4:
                row = torch.cat([row, trimap_values(trimap(height, width))], 1)
            rows.append(row)
        tensors.append(torch.cat(rows))
    return tuple(tensors)


def largest_difference(module, path, model, batch, height, width):
    """PyTorch against ONNX Runtime: the largest difference as a share of the largest value."""
    given = sample(model, batch, height, width)
    with torch.inference_mode():
        wanted = module(*given).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    got, = session.run(None, {d["name"]: t.numpy() for d, t in zip(model["inputs"], given)})
    where = f"{model['id']} at {batch} x {height} x {width}"
    if got.shape != wanted.shape:
        raise SystemExit(f"{where}: PyTorch gives {wanted.shape}, the exported graph {got.shape}")
    if not numpy.isfinite(wanted).all() or wanted.std() < 1e-3 * abs(wanted).max():
        raise SystemExit(f"{where}: PyTorch's own result is constant or not finite")
    return float(abs(got - wanted).max() / abs(wanted).max())


def shorten(graph, names):
    """Give the values in `graph` short names, but for those in `names`, and its nodes none."""
    short = lambda name: names.setdefault(name, f"v{len(names):x}") if name else name
    del graph.value_info[:]
    for value in (*graph.initializer, *graph.output):
        value.name = short(value.name)
    for node in graph.node:
        node.name = ""
        node.input[:], node.output[:] = map(short, list(node.input)), map(short, list(node.output))
        for attribute in node.attribute:
            if attribute.HasField("g"):
                shorten(attribute.g, names)


def finish(path, model, channels, short):
    """Say in the file how many channels the output has, which tracing leaves open; with `short`, shorten names."""
    whole = onnx.load(path)
    whole.graph.output[0].type.tensor_type.shape.dim[1].dim_value = channels
    if short:
        shorten(whole.graph, {d["name"]: d["name"] for d in model["inputs"] + model["outputs"]})
    onnx.checker.check_model(whole, full_check=True)
    onnx.save(whole, path)


def export(module, model, folder, traced, checked, tolerance, short=False):
    """Write `module`, which is set to inference, as `model` of the manifest; the file gets its name once it is checked.

    `traced` is the (height, width) of tracing, `checked` lists those of comparing as (batch, height, width).
    `short` makes a small file smaller by short names.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, model["file"])
    unfinished = path + ".part"
    described = model["inputs"] + model["outputs"]
    axes = {d["name"]: {axis: size for axis, size in enumerate(d["shape"]) if isinstance(size, str)}
            for d in described}
    given = sample(model, 1, *traced)
    with torch.inference_mode():
        channels = module(*given).shape[1]
    with warnings.catch_warnings():
        # Tracing warns of every shape it meets; whether a shape was frozen is seen below, at other sizes.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, given, unfinished, dynamo=False, opset_version=OPSET,
            input_names=[d["name"] for d in model["inputs"]], output_names=[d["name"] for d in model["outputs"]],
            dynamic_axes=axes)
    finish(unfinished, model, channels, short)
    for size in checked:
        share = largest_difference(module, unfinished, model, *size)
        print(f"{model['id']} at {' x '.join(map(str, size))}: largest difference {share:.1e} of the largest value")
        if not share <= tolerance:
            raise SystemExit(f"{unfinished}: not what PyTorch gives; {tolerance:.0e} of the largest value is allowed")
    os.replace(unfinished, path)
    print(f"{path}: {os.path.getsize(path) / 1e6:.2f} MB")
