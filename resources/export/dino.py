#!/usr/bin/env python3
"""DINO's ViT-S (Caron et al., 2021) with patches of 8 or 16 pixels, as dino-vits8.onnx or dino-vits16.onnx.

    python resources/export/dino.py --model vits8 -o FOLDER

Input `image`, RGB normalised by ImageNet's mean and deviation; output `features`, the patches' tokens after the last
layer norm. The class token is left out. The learned positions are interpolated to the picture's grid of patches, so any
multiple of the patch is a valid side.
"""
import torch
from transformers import ViTConfig, ViTModel

import common

PATCH = {"dino-vits8": 8, "dino-vits16": 16}


class Features(torch.nn.Module):
    def __init__(self, vit):
        super().__init__()
        self.vit, self.patch, self.channels = vit, vit.config.patch_size, vit.config.hidden_size

    def forward(self, image):
        tokens = self.vit(pixel_values=image, interpolate_pos_encoding=True).last_hidden_state[:, 1:]
        batch, _, height, width = image.shape
        return tokens.transpose(1, 2).reshape(batch, self.channels, height // self.patch, width // self.patch)


def build(name, random=False, small=False, seed=7):
    """The model `name`, ready for inference."""
    plain = {"add_pooling_layer": False}
    if random or small:
        sizes = {"hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536}
        if small:
            sizes = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64, "num_hidden_layers": 2,
                     "image_size": 6 * PATCH[name]}
        config = ViTConfig(patch_size=PATCH[name], attn_implementation="eager", **sizes)
        return Features(common.randomise(ViTModel(config, **plain), seed)).eval()
    vit, loaded = ViTModel.from_pretrained(
        common.entry(name)["weights"], attn_implementation="eager", dtype=torch.float32, output_loading_info=True,
        **plain)
    if loaded["missing_keys"]:
        raise SystemExit(f"{name}: the official weights lack {sorted(loaded['missing_keys'])}")
    return Features(vit).eval()


def export(name, folder, random=False, small=False, seed=7):
    module = build(name, random, small, seed)
    common.export(module, common.entry(name), folder, (96, 128), [(1, 144, 80), (2, 160, 256)], 1e-4, small)


if __name__ == "__main__":
    parser = common.options(__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["vits8", "vits16"], default="vits8")
    given = parser.parse_args()
    export(f"dino-{given.model}", given.output, given.random, given.tiny, given.seed)
