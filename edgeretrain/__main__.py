"""`python -m edgeretrain`."""

from edgeretrain.cli import main

main()
