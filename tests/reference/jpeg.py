"""Makes the JPEG files beside it and what libjpeg decodes them to. Needs Python with opencv-python."""

from pathlib import Path

import cv2
import numpy as np

here = Path(__file__).parent
y, x = np.mgrid[0:39, 0:53].astype(float)
waves = np.stack([np.sin(x / 3 + y / 7), np.cos(x * y / 90), np.sin(y / 2 - x / 9)], axis=-1)
disc = np.hypot(x - 30, y - 18) < 12
picture = np.clip(128 + 90 * waves + 60 * disc[..., None] * [1, -1, 0.3], 0, 255).astype(np.uint8)

colour = [cv2.IMWRITE_JPEG_QUALITY, 85, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
cv2.imwrite(str(here / "colour-420.jpg"), picture, colour)
cv2.imwrite(str(here / "colour-progressive.jpg"), picture, [*colour, cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
cv2.imwrite(str(here / "grey.jpg"), picture[..., 0], [cv2.IMWRITE_JPEG_QUALITY, 85])
for name in ["colour-420", "colour-progressive", "grey"]:
    decoded = cv2.imread(str(here / f"{name}.jpg"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(here / f"{name}.png"), decoded, [cv2.IMWRITE_PNG_COMPRESSION, 9])
