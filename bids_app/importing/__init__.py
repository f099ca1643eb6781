"""Series and matrices of regions that MATLAB tools and tables hold, brought into a BIDS derivative."""

from bids_app.importing.level import import_tables

__all__ = ["import_tables"]
