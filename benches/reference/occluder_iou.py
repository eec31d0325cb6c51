#!/usr/bin/env python3
"""How well what an analysis takes to be in front agrees with exact masks of it.

    rna export shot.rna --maps maps --format npy --mattes mattes
    occluder_iou.py CLIP maps mattes

CLIP holds roi.json and occluder_masks/. Prints intersection over union of (1 - matte) > 1/2 and the masks, within the
region less two pixels at its border, where a matte fades to nothing: over all frames and frame by frame ('-' where
fewer than 50 pixels of either lie in the region). Needs numpy and opencv-python-headless.
"""
import glob
import json
import sys

import cv2
import numpy as np


def main():
    clip, maps, mattes = sys.argv[1:4]
    roi = json.load(open(f"{clip}/roi.json"))
    masks, maps, mattes = [sorted(glob.glob(d + "/*")) for d in (clip + "/occluder_masks", maps, mattes)]
    if not len(masks) == len(maps) == len(mattes):
        sys.exit(f"{len(masks)} masks, {len(maps)} maps, {len(mattes)} mattes")
    total = np.zeros(2)
    for t, files in enumerate(zip(masks, maps, mattes)):
        position = np.load(files[1]).astype(np.float32)
        h, w = position.shape[:2]
        reference = np.zeros((h, w), np.uint8)
        scale = np.array([w / roi["size"][0], h / roi["size"][1]])
        for polygon in roi["polygons"]:
            cv2.fillPoly(reference, [np.round(np.array(polygon) * scale).astype(np.int32)], 255)
        inside = cv2.remap(reference, position[..., 0], position[..., 1], cv2.INTER_LINEAR) > 127
        inside = cv2.erode(inside.astype(np.uint8), np.ones((5, 5))) > 0
        matte = cv2.imread(files[2], cv2.IMREAD_UNCHANGED)
        matte = matte / float(np.iinfo(matte.dtype).max)
        exact = cv2.resize(cv2.imread(files[0], 0), (w, h), interpolation=cv2.INTER_NEAREST) > 127
        found = matte < 0.5
        both = np.array([(found & exact & inside).sum(), ((found | exact) & inside).sum()])
        total += both
        print(f"frame {t}: {both[0] / both[1]:.2f}" if both[1] >= 50 else f"frame {t}: -")
    print(f"all frames: {total[0] / total[1]:.3f}")


if __name__ == "__main__":
    main()
