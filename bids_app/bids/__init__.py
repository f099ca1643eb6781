"""Names, tables and files of BIDS, and which of them are read and written.

`result_names` is the one place where the names of our own files are built and read back. No numerics here.
"""
