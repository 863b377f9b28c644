"""Paths where no cache file can be created."""


def block_path(file):
    file.parent.write_text("in the way")
