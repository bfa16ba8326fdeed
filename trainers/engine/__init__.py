"""Engine: everything that commands share except flags.

run            opens a training: work folder, cluster, strategy, frames
plan, fit      what a training trains and for how long; runs it to its last epoch
loop           epochs and steps that continue from any step
checkpoints    folders that are whole or do not exist
nonfinite      steps whose loss or gradient is NaN or infinite
signals        SIGTERM and Ctrl-C
strategy       distribution strategy, precision, seeds
cluster        several machines; tf_config reads their addresses
workdir        work folder of a training; output_folder: of other commands
options        options by flag name, and their differences
source         frames of the data set that the flags name
teacher        N(I) of validation frames, computed once
mask_run       trains one mask generator
mask_search    searches masks by equation (3); batch_store keeps finished batches
rating         table of a trained mask generator, measured once
"""
