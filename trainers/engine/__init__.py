"""Engine: distribution strategy, work folder, training loop, checkpoints, clusters."""
