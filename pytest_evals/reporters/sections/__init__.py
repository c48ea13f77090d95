"""Sections of the HTML page and the Markdown report: `base` is the Protocol, `catalogue` the list.

A new section is one file here and one line in `catalogue.BUILT_IN`. A section knows no file format
beyond the two views it is given, and decides nothing: it turns the numbers of a report into text.
"""
