"""Data sets: files as they are published -> batches for the networks.

Data sets, one module each; `files` or `frames` opens one split:
    samples      the embedded frames: two rooms, no download
    nyu          NYU Depth v2 in the CSV layout of the paper's authors
    nyu_labeled  the 1,449 labelled frames of NYU Depth v2 in one MATLAB file
    nyu_tfds     NYU Depth v2 as TensorFlow Datasets prepares it
    kitti        KITTI depth in its official folders (kitti_raw, kitti_lists: its parts)
    pandaset     PandaSet with its LIDAR projected into the cameras
    tum          one sequence of the TUM RGB-D benchmark
    pairs        any folder of images and depth maps whose paths follow two patterns
    folder       any folder of images without depth

What they share:
    examples     the form of a raw example, and how files are read into it
    frame_files  frames in files: opening, checking, leaving out broken ones
    splits       the split of data sets that come without one
    image_files  the one decoder of image files (image_sizes, exif: what their headers state)

From raw examples to batches:
    transforms   resizing, augmentation and normalisation of one example
    pipeline     the only chain from raw examples to batches
    eigen_crop   the part of an NYU frame that is rated
    completion   filling of sparse depth by colorization
"""
