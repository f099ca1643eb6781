"""Where the nodes lie: grids, surfaces and meshes, atlases and the names of their parcels.

What is measured at the nodes is not known here.
"""
