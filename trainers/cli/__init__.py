"""Command lines: flag groups, flag types, data and target groups, progress bars."""
