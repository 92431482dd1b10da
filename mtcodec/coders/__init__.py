"""Signals ↔ payloads of sections, one file a coder.

Encoders give a :class:`mtcodec.coders.candidate.Candidate`; the mode decision takes those that cost least. A
*task* is one modality of a scene, such as rgb or depth. Decoders are found by the coding that a section's
descriptor names.
"""
