"""Who was randomized to what, when they were seen, and what the trial's tables say of them.

Nothing here reads maps.
"""
