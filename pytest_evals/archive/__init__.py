"""Stored runs as an archive: found, filtered, removed, exported and imported. Judges nothing."""
