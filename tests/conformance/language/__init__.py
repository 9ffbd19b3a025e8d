"""The language of the conformance scripts; see ../README.md."""
