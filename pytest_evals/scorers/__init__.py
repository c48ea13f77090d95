"""Scorers: the assertions on outputs. `base` has their class; `catalogue` lists the modules."""
