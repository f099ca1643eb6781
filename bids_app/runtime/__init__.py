"""What surrounds a run: the workflow's execution, SLURM, logs, and the folder that the group's results are put into.

Nothing here knows what is computed.
"""
