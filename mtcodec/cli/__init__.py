"""The command line: the only package that prints and exits."""

from mtcodec.cli.app import app, main

__all__ = ["app", "main"]
