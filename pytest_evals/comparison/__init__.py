"""Comparisons of stored runs and models: pairing, pooling, wording. Knows no command line.

`side` and `row` are the nouns of a comparison of models, `changes` those of a diff. `operands`
finds what the user named, `pairing` tests it, `pooling` and `entrants` prepare a leaderboard.
`sentences`, `changes_text`, `text_changes` and `numbers` put results into words.
"""
