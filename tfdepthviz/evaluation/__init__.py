"""Evaluation: tables of masks over a data set, comparison with controls, sweeps."""

from tfdepthviz.evaluation.evaluate import (
    COLUMNS,
    CONTROL_ROWS,
    ROWS,
    TRUTH_COLUMNS,
    Evaluation,
    evaluate_depth,
    evaluate_masks,
)
from tfdepthviz.evaluation.mean_maps import mean_map
from tfdepthviz.evaluation.ranking import rate_shares
from tfdepthviz.evaluation.summary import summarise
from tfdepthviz.evaluation.tables import format_table, write_table

__all__ = [
    "COLUMNS",
    "CONTROL_ROWS",
    "ROWS",
    "TRUTH_COLUMNS",
    "Evaluation",
    "evaluate_depth",
    "evaluate_masks",
    "format_table",
    "mean_map",
    "rate_shares",
    "summarise",
    "write_table",
]
