"""The group level: what is compared, on whom, and the files of the results.

Statistics are in `stats`, pages in `report`.
"""
