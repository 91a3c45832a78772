"""A retrain's results: tables for the terminal, one self-contained page for the browser.

Input is the `Report` record, which `report.json` holds; nothing in it is computed again.
"""

from edgeretrain.report.bottleneck import render_bottlenecks
from edgeretrain.report.page import render_page
from edgeretrain.report.table import render_evaluation, render_table
from edgeretrain.report.taught import render_taught
from edgeretrain.report.thumbnail import Thumbnails
from edgeretrain.report.tuned import render_tuned

__all__ = [
    "Thumbnails",
    "render_bottlenecks",
    "render_evaluation",
    "render_page",
    "render_table",
    "render_taught",
    "render_tuned",
]
