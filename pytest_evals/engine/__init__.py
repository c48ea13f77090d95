"""Engine: plans, asks, waits, scores. asyncio stays inside; hosts see `Engine` and results."""
