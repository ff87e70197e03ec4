"""Touches pages that are gone: something for a pager to mend."""
