"""Numerics of the preprocessing: images and arrays in, arrays, images and transforms out. Nothing here knows BIDS."""
