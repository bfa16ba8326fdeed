"""Depth networks N and mask networks G by name.

All map a normalised RGB image (B, H, W, 3) to one channel (B, h, w, 1): N to depth in metres at the
network's own resolution, G to a mask in [0, 1] at the image's resolution.
"""

DEPTH_NETS = {}

MASK_NETS = {}
