"""Stand-ins: procedural images in the official file formats, for machines without the real data.

`content` writes a file of any of them; `shapes` draws, `formats` encodes.
"""
