"""How a retrain is told: tables for the terminal, one self-contained page for the browser.

Input is the report, the dict that is written to `report.json`; nothing is computed again that it already says.
"""

from edgeretrain.report.figures import mistaken
from edgeretrain.report.page import render_page
from edgeretrain.report.table import render_evaluation, render_table
from edgeretrain.report.taught import render_taught
from edgeretrain.report.thumbnail import Thumbnails
from edgeretrain.report.tuned import render_tuned

__all__ = [
    "Thumbnails",
    "mistaken",
    "render_evaluation",
    "render_page",
    "render_table",
    "render_taught",
    "render_tuned",
]
