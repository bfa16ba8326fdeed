"""Constants that several rooms share, each written here alone."""

VERSION = "0.1.0"

# The normalisation that images come in throughout: ImageNet's, on RGB in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
