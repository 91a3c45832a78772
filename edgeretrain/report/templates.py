"""Jinja, as all our pages and pictures use it: everything is escaped, a name that is missing is an error."""

from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from edgeretrain.files.describe import one_line
from edgeretrain.report.text import NONE, megabytes, percent

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def read(name: str) -> str:
    """A file of this package: a template, styles, a script."""
    return (files("edgeretrain.report") / name).read_text(encoding="utf-8")


def template(name: str) -> "Template":
    """A template of this package, which may import others of it."""
    return _environment().get_template(name)


def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, loader=FunctionLoader(read)
    )
    environment.filters.update(percent=partial(percent, none=NONE), megabytes=megabytes, one_line=one_line)
    return environment
