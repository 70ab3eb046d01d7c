"""Tables of papers, reproduced: train their rows, score them, and put the numbers beside the published ones.

A table is data (`Table`, `Row`); the built-in ones are Tables 1 to 8 of the MSR-GCN paper (Dang et al., ICCV 2021), see
`posegraph.reproduce.tables`. `reproduce` trains and scores; the command line has it as ``posegraph reproduce``.
"""

from posegraph.reproduce.comparison import Cell
from posegraph.reproduce.options import Options
from posegraph.reproduce.reproduction import Reproduction
from posegraph.reproduce.runner import reproduce
from posegraph.reproduce.table import Row, Table

__all__ = ["Cell", "Options", "Reproduction", "Row", "Table", "reproduce"]
