"""Files of stored versions."""

from classifier.services.registry.versions import folder_of


def damage(name):
    """Change one byte of a model."""
    file = folder_of(name=name) / "model.json"
    file.write_bytes(file.read_bytes().replace(b"0", b"1", 1))
