"""``python -m mtcodec``: the command line."""

from mtcodec.cli import main

main()
