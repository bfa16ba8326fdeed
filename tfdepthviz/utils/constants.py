"""Constants that several rooms share, each written here alone."""

VERSION = "0.1.0"

# Images are normalised by ImageNet's mean and standard deviation of RGB in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# A pixel is kept where M lies above it: M' = [M > THRESHOLD]. The paper's value.
THRESHOLD = 0.025
# Image size (height, width) of the reference for NYU.
INPUT_SIZE = (228, 304)
# Grey of R, G, B as MATLAB's rgb2gray computes it, which the NYU toolbox uses to complete depth.
GREY_WEIGHTS = (0.2989, 0.5870, 0.1140)
# Grey of overlays and of colour augmentation, as Pillow and the reference compute it (BT.601).
LUMA_WEIGHTS = (0.299, 0.587, 0.114)
# Warm-up requests in the folder of an exported model: TensorFlow Serving's name.
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
# Share of the pixels that masks keep where nothing else is said: the paper's with lambda 5.
SHARE = 0.36
# Letters of a line in a terminal.
COLUMNS = 100
