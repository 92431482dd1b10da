"""Signals ↔ payloads of sections, one file a coder.

An encoder gives :class:`mtcodec.coders.candidate.Candidate` values, of which the mode decision takes the cheapest;
decoders are found by the coding that a section's descriptor names.
"""
