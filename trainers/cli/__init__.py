"""Command lines of the trainers: flags, their help, and what flags name.

flags           a flag as a field of a dataclass; main parses, runs and reports errors
flag_types      the values that a flag takes
flag_help       --help
shared          single flags of several commands
data            group of flags: the data set
target          group of flags: the depth network N, and N itself
training        group of flags: work folder, epochs, optimiser, strategy
mask_training   group of flags: the mask generator G, with the three groups above
trained_masks   files of masks, and the options of the runs that wrote them
explained_net   the N that a trained G belongs to, from the run that trained it
region_networks the flag --region_net, and the network in its file
out_of_memory   the message about it, which says what to lower
paths           ~ and $VARIABLES in paths
mask_functions  masks to compare, by name
ending          the last lines that a command prints
explained_model N and G of trainers.explain
program         how this process was started
progress        progress bar
"""
