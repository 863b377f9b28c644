"""The pipeline: arrays in, suggestions out; knows no database and no web.

Import from the modules; what is public is what their functions without a leading underscore say.
"""
