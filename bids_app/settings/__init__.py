"""What a call was asked to do: options, their ranges and defaults, the plan, and what counts as planned.

Nothing here looks at data.
"""
